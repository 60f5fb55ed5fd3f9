"""Holds: granted all or nothing, each held unit ended exactly once."""

from typing import NamedTuple, cast

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.availability import heard_ms, terms
from bopis.domain.inventory.events import (
    Event,
    HoldChanged,
    HoldCommandRefused,
    HoldEnd,
    HoldExtended,
    Refusal,
    ReservationRefused,
    Shortage,
    StockReserved,
)
from bopis.domain.inventory.messages import CollectStock, ExtendHold, OrderLine, ReleaseStock, ReserveStock
from bopis.domain.inventory.movements import move, move_staged
from bopis.domain.inventory.rows import (
    Hold,
    HoldLine,
    Level,
    LineState,
    Rows,
    Store,
    hold_key,
    level_key,
    put_timed,
    store_key,
)
from bopis.domain.inventory.trace import Kind, Trace
from bopis.domain.values import DAY_MS, Clocks, epoch_ms

HOLD_MEMORY_MS = 30 * DAY_MS  # an ended hold is remembered this long, so that a repeat says nothing new


class Held(NamedTuple):
    """A hold in its store, and the clocks of the message that is about it."""

    store: str
    hold_id: str
    hold: Hold
    clocks: Clocks


def check_reservation(rows: Rows, store: str, wanted: ReserveStock, digest: int) -> None:
    """Raise `Rejected` when two lines have one number, or the hold's id stands for other content already."""
    if len({line.line for line in wanted.lines}) != len(wanted.lines):
        raise Rejected(f"hold {wanted.hold!r} names a line number twice; number the lines of an order once each")
    known = cast(Hold | None, rows.get(hold_key(store, wanted.hold)))
    if known is not None and known.digest != digest:
        raise Rejected(f"hold {wanted.hold!r} was asked for before with other content")


def reserve(rows: Rows, store: str, wanted: ReserveStock, at_ms: int, digest: int) -> tuple[Event, ...]:
    """Hold every line or none; refusals are remembered, so a repeat cannot be granted later."""
    key = hold_key(store, wanted.hold)
    if rows.get(key) is not None:
        return ()
    until_ms = epoch_ms(wanted.hold_until)
    reason, shortages = _refusal(rows, store, wanted, until_ms, at_ms)
    hold = Hold(order=wanted.order, digest=digest, granted_ms=at_ms, until_ms=until_ms)
    if reason is not None:
        put_timed(rows, key, hold, max(at_ms, until_ms) + HOLD_MEMORY_MS)
        return (ReservationRefused(hold=wanted.hold, order=wanted.order, reason=reason, shortages=shortages),)
    hold.promised_ms = epoch_ms(wanted.promised_for) if wanted.promised_for else until_ms
    hold.lines = [HoldLine(line.line, line.sku, line.quantity) for line in wanted.lines]
    for line in hold.lines:
        level = level_of(rows, store, line.sku)
        level.held += line.quantity
        if wanted.hold not in level.holds:
            level.holds = (*level.holds, wanted.hold)
        rows.put(level_key(store, line.sku), level)
    put_timed(rows, key, hold, until_ms)
    return (StockReserved(hold=wanted.hold, order=wanted.order, lines=wanted.lines, hold_until_ms=until_ms),)


def release(rows: Rows, store: str, command: ReleaseStock, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Give held units back; what ended in the same way before says nothing, in another way is refused."""
    return _end(rows, store, command, clocks, trace)


def collect(rows: Rows, store: str, command: CollectStock, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Hand held units over: they leave the books now, and only now."""
    return _end(rows, store, command, clocks, trace)


def extend(rows: Rows, store: str, command: ExtendHold) -> tuple[Event, ...]:
    """Keep a hold longer; a deadline only moves forward, so an old repeat says nothing."""
    key = hold_key(store, command.hold)
    hold = cast(Hold | None, rows.get(key))
    if hold is None:
        return refused(command.hold, None, "ExtendHold", Refusal.UNKNOWN_HOLD)
    if not hold.active:
        return refused(command.hold, hold, "ExtendHold", Refusal.HOLD_ENDED)
    until_ms = epoch_ms(command.hold_until)
    if until_ms <= hold.until_ms:
        return ()
    hold.until_ms = until_ms
    put_timed(rows, key, hold, until_ms)
    return (HoldExtended(hold=command.hold, order=hold.order, hold_until_ms=until_ms),)


def expire(rows: Rows, store: str, hold_id: str, recorded_at_ms: int) -> tuple[Event, ...]:
    """End a hold whose deadline has passed on the log's clock."""
    hold = cast(Hold, rows.get(hold_key(store, hold_id)))
    lines = [line for line in hold.lines if line.state is LineState.HELD]
    held = Held(store, hold_id, hold, Clocks(recorded_at_ms, recorded_at_ms))
    return (_end_lines(rows, held, lines, (HoldEnd.EXPIRED, ""), None),)


def level_of(rows: Rows, store: str, sku: str) -> Level:
    """The level row of a SKU, a new one if it was never spoken of; the caller puts it back."""
    return cast(Level | None, rows.get(level_key(store, sku))) or Level()


def free_units(rows: Rows, held: Held, line: HoldLine, units: int) -> Level:
    """Take units of one line out of what is held in its level; the caller puts the level back."""
    level = level_of(rows, held.store, line.sku)
    level.held -= units
    if not any(it.sku == line.sku and it.state is LineState.HELD for it in held.hold.lines):
        level.holds = tuple(it for it in level.holds if it != held.hold_id)
    return level


def keep_hold(rows: Rows, held: Held) -> None:
    """Put a changed hold back, on the agenda for its deadline or, once it ended, for being forgotten."""
    key, hold = hold_key(held.store, held.hold_id), held.hold
    if hold.active:
        put_timed(rows, key, hold, hold.until_ms)
    else:
        put_timed(rows, key, hold, max(hold.until_ms, held.clocks.recorded_at_ms) + HOLD_MEMORY_MS)


def _refusal(
    rows: Rows, store_code: str, wanted: ReserveStock, until_ms: int, at_ms: int
) -> tuple[Refusal | None, tuple[Shortage, ...]]:
    store = cast(Store | None, rows.get(store_key(store_code))) or Store()
    if not store.pickup:
        return Refusal.PICKUP_OFF, ()
    if until_ms <= at_ms:
        return Refusal.DEADLINE_PASSED, ()
    per_sku: dict[str, int] = {}
    for line in wanted.lines:
        per_sku[line.sku] = per_sku.get(line.sku, 0) + line.quantity
    heard = heard_ms(rows, store_code, store)
    shortages = []
    for sku, quantity in per_sku.items():
        found = terms(level_of(rows, store_code, sku), sku, store, heard, at_ms)
        if quantity > found.atp:
            shortages.append(Shortage(sku=sku, wanted=quantity, terms=found))
    return (Refusal.NOT_ENOUGH_STOCK, tuple(shortages)) if shortages else (None, ())


def refused(hold_id: str, hold: Hold | None, command: str, reason: Refusal) -> tuple[Event, ...]:
    """A message about a hold that does not fit it, refused by name."""
    order = "" if hold is None else hold.order
    return (HoldCommandRefused(hold=hold_id, order=order, command=command, reason=reason),)


def _end(
    rows: Rows, store: str, command: ReleaseStock | CollectStock, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    name = type(command).__name__
    end = HoldEnd.RELEASED if isinstance(command, ReleaseStock) else HoldEnd.COLLECTED
    hold = cast(Hold | None, rows.get(hold_key(store, command.hold)))
    if hold is None:
        return refused(command.hold, None, name, Refusal.UNKNOWN_HOLD)
    numbers = set(command.lines)
    lines = [line for line in hold.lines if not numbers or line.line in numbers]
    if numbers - {line.line for line in lines}:
        return refused(command.hold, hold, name, Refusal.UNKNOWN_LINE)
    ending = [line for line in lines if line.state is LineState.HELD]
    if ending:
        reason = command.reason if isinstance(command, ReleaseStock) else ""
        return (_end_lines(rows, Held(store, command.hold, hold, clocks), ending, (end, reason), trace),)
    if any(line.state == end.value for line in lines):
        return ()
    return refused(command.hold, hold, name, Refusal.HOLD_ENDED)


def _end_lines(
    rows: Rows, held: Held, lines: list[HoldLine], ended: tuple[HoldEnd, str], trace: Trace | None
) -> HoldChanged:
    end, reason = ended
    at_ms = held.clocks.at_ms
    for line in lines:
        line.state = LineState(end.value)
        level = free_units(rows, held, line, line.quantity)
        if end is HoldEnd.COLLECTED:
            changed = move(level, at_ms, -line.quantity)
            if trace is not None:
                trace(line.sku, Kind.COLLECTED, -line.quantity, changed, level.on_hand)
        if line.picked:
            corrected = move_staged(level, at_ms, -line.picked)
            if trace is not None and corrected:
                trace(line.sku, Kind.STAGED, 0, corrected, level.on_hand)
        rows.put(level_key(held.store, line.sku), level)
    keep_hold(rows, held)
    return HoldChanged(
        hold=held.hold_id,
        order=held.hold.order,
        end=end,
        lines=tuple(OrderLine(line=line.line, sku=line.sku, quantity=line.quantity) for line in lines),
        reason=reason,
    )
