"""Reports about stock, each booked at its own time."""

from collections.abc import Sequence
from typing import NamedTuple

from bopis.domain.inventory import expectations, transfers
from bopis.domain.inventory.admission import close_gaps
from bopis.domain.inventory.events import CountRefused, Event, StockRefusal, TransferDispatched
from bopis.domain.inventory.holds import level_of
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    Condition,
    PosReturn,
    PosSale,
    StockAdjusted,
    StockCounted,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.movements import add_sold, count, move
from bopis.domain.inventory.rows import StockRows, level_key
from bopis.domain.inventory.shortfalls import find_shortfalls, settle_doubt
from bopis.domain.inventory.trace import MovementKind, Trace
from bopis.domain.message import Message
from bopis.domain.values import Clocks


class BookChange(NamedTuple):
    """Change of on hand of one SKU; 0 for units that are kept apart from the books."""

    sku: str
    change: int


class Movements(NamedTuple):
    """Changes of one report, all of one kind."""

    kind: MovementKind
    changes: Sequence[BookChange]


def sell_traced(rows: StockRows, store: str, sale: PosSale, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Book a basket of signed lines, and trace each; `hot_path.sell` does the same without a trace, twice as fast."""
    short = []
    for line in sale.lines:
        level = level_of(rows, store, line.sku)
        applied = 0
        if line.quantity:
            applied = move(level, clocks.at_ms, -line.quantity)
            add_sold(level, clocks.at_ms, line.quantity)
            if level.held and level.held > level.on_hand:
                short.append(line.sku)
            rows.put(level_key(store, line.sku), level)
        if trace is not None:
            kind = MovementKind.SALE if line.quantity >= 0 else MovementKind.RETURN
            trace(line.sku, kind, -line.quantity, applied, level.on_hand)
    return find_shortfalls(rows, store, short, clocks)


def bring_back(rows: StockRows, store: str, back: PosReturn, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Book returned goods: sellable units join the books, damaged and quarantined ones are kept apart."""
    changes = []
    for line in back.lines:
        if line.condition is Condition.SELLABLE:
            changes.append(BookChange(line.sku, line.quantity))
            continue
        level = level_of(rows, store, line.sku)
        if line.condition is Condition.DAMAGED:
            level.damaged += line.quantity
        else:
            level.quarantined += line.quantity
        rows.put(level_key(store, line.sku), level)
        changes.append(BookChange(line.sku, 0))
    return _book(rows, store, Movements(MovementKind.RETURN, changes), clocks, trace)


def receive(
    rows: StockRows, store: str, receipt: StockReceived, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Book received goods, and end what was expected under their document."""
    changes = [BookChange(line.sku, line.quantity) for line in receipt.lines]
    booked = _book(rows, store, Movements(MovementKind.RECEIPT, changes), clocks, trace)
    return booked + expectations.fulfil(rows, store, receipt, clocks)


def adjust(
    rows: StockRows, store: str, adjustment: StockAdjusted, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Adjust the books by hand. Quarantined units join them when released, and never when scrapped."""
    changes = []
    for line in adjustment.lines:
        booked = line.change
        if adjustment.reason in (AdjustmentReason.QUARANTINE_RELEASED, AdjustmentReason.QUARANTINE_SCRAPPED):
            level = level_of(rows, store, line.sku)
            level.quarantined -= abs(line.change)
            rows.put(level_key(store, line.sku), level)
            booked = abs(line.change) if adjustment.reason is AdjustmentReason.QUARANTINE_RELEASED else 0
        changes.append(BookChange(line.sku, booked))
    return _book(rows, store, Movements(MovementKind.ADJUSTMENT, changes), clocks, trace)


def ship(
    rows: StockRows, store: str, shipment: TransferShipped, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Book goods out of this store; the event announces them to the receiving store."""
    changes = [BookChange(line.sku, -line.quantity) for line in shipment.lines]
    return (
        *_book(rows, store, Movements(MovementKind.TRANSFER_OUT, changes), clocks, trace),
        TransferDispatched(transfer=shipment.transfer, to_store=shipment.to_store, lines=shipment.lines),
    )


def receive_transfer(
    rows: StockRows, store: str, arrival: TransferReceived, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Book goods of a transfer in, and compare them with what was shipped."""
    changes = [BookChange(line.sku, line.quantity) for line in arrival.lines]
    booked = _book(rows, store, Movements(MovementKind.TRANSFER_IN, changes), clocks, trace)
    return booked + transfers.arrive(rows, store, arrival, clocks.recorded_at_ms)


def count_shelf(
    rows: StockRows, message: Message, counted: StockCounted, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Place counts at the time they were made; a count that cannot be placed is refused by event, line by line."""
    store = message.subject
    counted_by = f"{message.source} {message.id}"
    per_sku: dict[str, int] = {}
    for line in counted.lines:  # the same SKU on two lines was counted in two places
        per_sku[line.sku] = per_sku.get(line.sku, 0) + line.counted
    events: list[Event] = []
    short: list[str] = []
    for sku, units in per_sku.items():
        level = level_of(rows, store, sku)
        change = count(level, clocks.at_ms, units, counted_by, counted.staged_counted)
        if change is None:
            refused = CountRefused(
                sku=sku,
                counted=units,
                reason=StockRefusal.COUNT_TOO_OLD,
                newest_forgotten_ms=max(level.floor_ms, level.staged_floor_ms),
            )
            events.append(refused)
            continue
        if level.held and level.held > level.on_hand:
            short.append(sku)
        events += settle_doubt(rows, store, sku, level)
        rows.put(level_key(store, sku), level)
        if trace is not None:
            trace(sku, MovementKind.COUNT, units, change, level.on_hand)
    events += find_shortfalls(rows, store, short, clocks)
    if counted.closes_gaps:
        events += close_gaps(rows, store, clocks.at_ms)
    return tuple(events)


def _book(rows: StockRows, store: str, movements: Movements, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    short: list[str] = []
    for sku, change in movements.changes:
        level = level_of(rows, store, sku)
        applied = move(level, clocks.at_ms, change) if change else 0
        if level.held and level.held > level.on_hand:
            short.append(sku)
        rows.put(level_key(store, sku), level)
        if trace is not None:
            trace(sku, movements.kind, change, applied, level.on_hand)
    return find_shortfalls(rows, store, short, clocks)
