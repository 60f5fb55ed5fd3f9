"""Facts about stock, booked at their own time."""

from collections.abc import Iterable

from bopis.domain.inventory import expectations, transfers
from bopis.domain.inventory.admission import close_gaps
from bopis.domain.inventory.events import CountRefused, Event, Refusal, TransferDispatched
from bopis.domain.inventory.holds import level_of
from bopis.domain.inventory.messages import (
    Condition,
    PosReturn,
    PosSale,
    Reason,
    StockAdjusted,
    StockCounted,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.movements import (
    MOVES_BYTES_MAX,
    count,
    forget_oldest,
    move,
    packed_change,
    packed_time,
    sold,
    window_start,
)
from bopis.domain.inventory.rows import Level, Row, Rows, Store, level_key, store_key
from bopis.domain.inventory.shortfalls import find_shortfall, settle_doubt
from bopis.domain.inventory.thresholds import crossings, pickup_stock
from bopis.domain.inventory.trace import Kind, Trace
from bopis.domain.message import Message
from bopis.domain.values import Clocks

_ONE_SOLD = packed_change(-1)

Noted = dict[str, tuple[Level, int]]  # A level and what was on hand before the line that may have moved it across.


def sell(rows: Rows, store: str, sale: PosSale, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Book a basket of signed lines, and tell the trace of each."""
    short = []
    for line in sale.lines:
        level = level_of(rows, store, line.sku)
        applied = 0
        if line.quantity:
            applied = move(level, clocks.at_ms, -line.quantity)
            sold(level, clocks.at_ms, line.quantity)
            if level.held and level.held > level.on_hand:
                short.append(line.sku)
            rows.put(level_key(store, line.sku), level)
        if trace is not None:
            trace(line.sku, Kind.SALE if line.quantity >= 0 else Kind.RETURN, -line.quantity, applied, level.on_hand)
    return _shortfalls(rows, store, short, clocks)


def sell_untraced(rows: Rows, store: str, sale: PosSale, clocks: Clocks) -> tuple[Event, ...]:
    """The hot path: what `sell` and watching the thresholds do, written out, which halves the time of a line.

    A property test compares it with the path above.
    """
    policy: Store | None = rows.get(store_key(store))  # type: ignore[assignment]  # the key tells the type
    # No rule withholds more than this, so a level that stays above it stays in pickup stock.
    roof = policy.withheld_max if policy is not None and policy.rules else 0
    short, fresh, noted = _sell_lines(rows, store + "|", sale, clocks.at_ms, roof)
    if not noted:
        return ()
    before: dict[str, bool | None] = {
        sku: pickup_stock(level, policy, sku) - level.on_hand + was > 0 for sku, (level, was) in noted.items()
    }
    before.update(dict.fromkeys(fresh))  # What came into the books with this basket crosses nothing.
    return (*_shortfalls(rows, store, short, clocks), *crossings(rows, store, before))


def _sell_lines(rows: Rows, prefix: str, sale: PosSale, at_ms: int, roof: int) -> tuple[list[str], list[str], Noted]:
    """Book every line, watching levels that could fall to what the rules withhold, at most ``roof``, or rise above it.

    Returns the SKUs of which more is held than there is, those that came into the books, and those that may cross.
    """
    at = packed_time(at_ms)
    one = at + _ONE_SOLD
    window = window_start(at_ms)
    get = rows.get
    short: list[str] = []
    fresh: list[str] = []
    noted: Noted = {}
    changed: dict[str, Row] = {}
    for line in sale.lines:
        quantity = line.quantity
        if not quantity:
            continue
        key = prefix + line.sku
        level: Level | None = get(key)  # type: ignore[assignment]  # the key tells the type
        if level is None:
            level = Level()
            rows.put(key, level)
            fresh.append(line.sku)
        if at_ms > level.counted_ms:
            was = level.on_hand
            level.on_hand = left = was - quantity
            level.moves = moves = level.moves + (one if quantity == 1 else at + packed_change(-quantity))
            if len(moves) > MOVES_BYTES_MAX:
                forget_oldest(level)
            if level.held or ((was > 0 or left > 0) and (left <= roof or was <= roof or level.in_doubt)):
                noted.setdefault(line.sku, (level, was))
                if level.held > left and level.held:
                    short.append(line.sku)
        if level.sold_since_ms is window:
            level.sold += quantity
        else:
            sold(level, at_ms, quantity)
        changed[key] = level
    rows.put_all(changed)
    return short, fresh, noted


def bring_back(rows: Rows, store: str, back: PosReturn, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Take returned goods in: sellable units join the books, others are kept apart."""
    changes = []
    for line in back.lines:
        if line.condition is Condition.SELLABLE:
            changes.append((line.sku, line.quantity))
            continue
        level = level_of(rows, store, line.sku)
        if line.condition is Condition.DAMAGED:
            level.damaged += line.quantity
        else:
            level.quarantined += line.quantity
        rows.put(level_key(store, line.sku), level)
        changes.append((line.sku, 0))
    return _book(rows, store, (Kind.RETURN, changes), clocks, trace)


def receive(rows: Rows, store: str, receipt: StockReceived, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Book goods that arrived; nothing more is expected under their document."""
    changes = [(line.sku, line.quantity) for line in receipt.lines]
    booked = _book(rows, store, (Kind.RECEIPT, changes), clocks, trace)
    return booked + expectations.fulfil(rows, store, receipt, clocks)


def adjust(rows: Rows, store: str, adjustment: StockAdjusted, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Correct the books by hand; quarantined units join them when released and never when scrapped."""
    changes = []
    for line in adjustment.lines:
        booked = line.change
        if adjustment.reason in (Reason.QUARANTINE_RELEASED, Reason.QUARANTINE_SCRAPPED):
            level = level_of(rows, store, line.sku)
            level.quarantined -= abs(line.change)
            rows.put(level_key(store, line.sku), level)
            booked = abs(line.change) if adjustment.reason is Reason.QUARANTINE_RELEASED else 0
        changes.append((line.sku, booked))
    return _book(rows, store, (Kind.ADJUSTMENT, changes), clocks, trace)


def ship(rows: Rows, store: str, shipment: TransferShipped, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Book goods out of this store; the receiving store is told by event."""
    changes = [(line.sku, -line.quantity) for line in shipment.lines]
    return (
        *_book(rows, store, (Kind.TRANSFER_OUT, changes), clocks, trace),
        TransferDispatched(transfer=shipment.transfer, to_store=shipment.to_store, lines=shipment.lines),
    )


def take_in(
    rows: Rows, store: str, arrival: TransferReceived, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Book goods of a transfer in, and compare them with what was shipped."""
    changes = [(line.sku, line.quantity) for line in arrival.lines]
    booked = _book(rows, store, (Kind.TRANSFER_IN, changes), clocks, trace)
    return booked + transfers.arrive(rows, store, arrival, clocks.recorded_at_ms)


def count_shelf(
    rows: Rows, message: Message, counted: StockCounted, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Place counts at the time they were made; what cannot be placed is refused by event, line by line."""
    store = message.subject
    counted_by = f"{message.source} {message.id}"
    per_sku: dict[str, int] = {}
    for line in counted.lines:  # the same SKU on two lines was found in two places
        per_sku[line.sku] = per_sku.get(line.sku, 0) + line.counted
    events: list[Event] = []
    short: list[str] = []
    for sku, units in per_sku.items():
        level = level_of(rows, store, sku)
        change = count(level, clocks.at_ms, units, counted_by, counted.staged_counted)
        if change is None:
            forgotten_ms = max(level.floor_ms, level.staged_floor_ms)
            events.append(
                CountRefused(sku=sku, counted=units, reason=Refusal.COUNT_TOO_OLD, newest_forgotten_ms=forgotten_ms)
            )
            continue
        if level.held and level.held > level.on_hand:
            short.append(sku)
        events += settle_doubt(rows, store, sku, level)
        rows.put(level_key(store, sku), level)
        if trace is not None:
            trace(sku, Kind.COUNT, units, change, level.on_hand)
    events += _shortfalls(rows, store, short, clocks)
    if counted.closes_gaps:
        events += close_gaps(rows, store, clocks.at_ms)
    return tuple(events)


def _book(
    rows: Rows,
    store: str,
    moved: tuple[Kind, Iterable[tuple[str, int]]],
    clocks: Clocks,
    trace: Trace | None,
) -> tuple[Event, ...]:
    kind, changes = moved
    short: list[str] = []
    for sku, change in changes:
        level = level_of(rows, store, sku)
        applied = move(level, clocks.at_ms, change) if change else 0
        if level.held and level.held > level.on_hand:
            short.append(sku)
        rows.put(level_key(store, sku), level)
        if trace is not None:
            trace(sku, kind, change, applied, level.on_hand)
    return _shortfalls(rows, store, short, clocks)


def _shortfalls(rows: Rows, store: str, skus: list[str], clocks: Clocks) -> tuple[Event, ...]:
    events: list[Event] = []
    for sku in dict.fromkeys(skus):
        events += find_shortfall(rows, store, sku, clocks.recorded_at_ms)
    return tuple(events)
