"""Holds: granted for all lines or none, and each held unit ended exactly once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, cast

from bopis.domain.inventory.admission import Rejected, content_digest, is_same_content
from bopis.domain.inventory.availability import last_report, terms
from bopis.domain.inventory.events import (
    DoubtSettled,
    Event,
    HoldChanged,
    HoldCommandRefused,
    HoldEnd,
    HoldExtended,
    HoldSplit,
    ReservationRefused,
    Shortage,
    StockRefusal,
    StockReserved,
)
from bopis.domain.inventory.messages import (
    CollectStock,
    ExtendHold,
    OrderLine,
    ReleaseStock,
    ReserveStock,
    SplitHold,
    SplitLine,
)
from bopis.domain.inventory.movements import move, move_staged
from bopis.domain.inventory.rows import (
    Hold,
    HoldLine,
    HoldLineState,
    Level,
    StockRows,
    Store,
    hold_key,
    level_key,
    put_timed,
    store_key,
)
from bopis.domain.inventory.trace import MovementKind, Trace
from bopis.domain.values import DAY_MS, Clocks, epoch_ms

DOUBTS_MAX = 64  # holds per SKU whose orders are answered when a count settles the units in doubt
HOLD_MEMORY_MS = 30 * DAY_MS  # how long an ended hold is kept, to recognise repeats of its messages


class Ending(NamedTuple):
    """How lines of a hold end, the reason given for it, and the units in doubt by line number."""

    end: HoldEnd
    reason: str = ""
    in_doubt: Mapping[int, int] = MappingProxyType({})


class HoldContext(NamedTuple):
    """A hold with its store and id, and the clocks of the message about it."""

    store: str
    hold_id: str
    hold: Hold
    clocks: Clocks


def check_reservation(rows: StockRows, store: str, wanted: ReserveStock, value: bytes) -> None:
    """Raise `Rejected` when two lines have one number, or the hold's id was used for other content."""
    if len({line.line for line in wanted.lines}) != len(wanted.lines):
        raise Rejected(f"hold {wanted.hold!r} names a line number twice; number the lines of an order once each")
    known = cast(Hold | None, rows.get(hold_key(store, wanted.hold)))
    if known is not None and not is_same_content(known.digest, content_digest(wanted), value):
        raise Rejected(f"hold {wanted.hold!r} was asked for before with other content")


def reserve(rows: StockRows, store: str, wanted: ReserveStock, at_ms: int) -> tuple[Event, ...]:
    """Hold every line or none. A refusal is remembered, so that a repeat cannot be granted later."""
    key = hold_key(store, wanted.hold)
    # A repeat, whether it was granted or refused the first time.
    if rows.get(key) is not None:
        return ()
    until_ms = epoch_ms(wanted.hold_until)
    reason, shortages = _refusal(rows, store, wanted, until_ms, at_ms)
    digest = content_digest(wanted)
    hold = Hold(order=wanted.order, digest=digest, granted_ms=at_ms, until_ms=until_ms)
    if reason is not None:
        # A hold without lines is the memory of the refusal.
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


def release(
    rows: StockRows, store: str, command: ReleaseStock, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Release held units. Units released before emit nothing; units ended otherwise are refused."""
    return _end(rows, store, command, clocks, trace)


def collect(
    rows: StockRows, store: str, command: CollectStock, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    """Hand held units over: only now do they leave the books."""
    return _end(rows, store, command, clocks, trace)


def extend(rows: StockRows, store: str, command: ExtendHold) -> tuple[Event, ...]:
    """Extend a hold. Its deadline only moves forward, so that a late repeat changes nothing."""
    key = hold_key(store, command.hold)
    hold = cast(Hold | None, rows.get(key))
    if hold is None:
        return refused(command.hold, None, "ExtendHold", StockRefusal.UNKNOWN_HOLD)
    if not hold.active:
        return refused(command.hold, hold, "ExtendHold", StockRefusal.HOLD_ENDED)
    until_ms = epoch_ms(command.hold_until)
    # An older extension that comes late.
    if until_ms <= hold.until_ms:
        return ()
    hold.until_ms = until_ms
    if command.promised_for is not None:
        hold.promised_ms = max(hold.promised_ms, epoch_ms(command.promised_for))
    put_timed(rows, key, hold, until_ms)
    return (HoldExtended(hold=command.hold, order=hold.order, hold_until_ms=until_ms),)


def expire(rows: StockRows, store: str, hold_id: str, recorded_at_ms: int) -> tuple[Event, ...]:
    """Expire a hold whose deadline has passed on the log's clock."""
    hold = cast(Hold, rows.get(hold_key(store, hold_id)))
    lines = [line for line in hold.lines if line.state is HoldLineState.HELD]
    context = HoldContext(store, hold_id, hold, Clocks(recorded_at_ms, recorded_at_ms))
    return _end_lines(rows, context, lines, Ending(HoldEnd.EXPIRED), None)


def split(rows: StockRows, store: str, command: SplitHold, clocks: Clocks) -> tuple[Event, ...]:
    """Split units off lines of a hold, at most those that the hold still covers; the sums of the level stay the same.

    A repeat finds its new line and changes nothing. A line that has ended has nothing to split: its new line is empty.
    """
    hold = cast(Hold | None, rows.get(hold_key(store, command.hold)))
    if hold is None:
        return refused(command.hold, None, "SplitHold", StockRefusal.UNKNOWN_HOLD)
    known = {line.line: line for line in hold.lines}
    wanted = [part for part in command.lines if part.into not in known]
    if not wanted:
        return ()
    if any(part.line not in known for part in wanted):
        return refused(command.hold, hold, "SplitHold", StockRefusal.UNKNOWN_LINE)
    moved = []
    for part in wanted:
        new = _split_off(known[part.line], part)
        hold.lines.append(new)
        moved.append(SplitLine(line=part.line, into=new.line, quantity=new.quantity, picked=new.picked))
    keep_hold(rows, HoldContext(store, command.hold, hold, clocks))
    return (HoldSplit(hold=command.hold, order=hold.order, lines=tuple(moved)),)


def level_of(rows: StockRows, store: str, sku: str) -> Level:
    """Level row of a SKU, a new one if there is none yet; the caller puts it back."""
    return cast(Level | None, rows.get(level_key(store, sku))) or Level()


def free_units(rows: StockRows, context: HoldContext, line: HoldLine, units: int) -> Level:
    """Reduce the units held in a line's level; the caller puts the level back."""
    level = level_of(rows, context.store, line.sku)
    level.held -= units
    if not any(it.sku == line.sku and it.state is HoldLineState.HELD for it in context.hold.lines):
        level.holds = tuple(it for it in level.holds if it != context.hold_id)
    return level


def keep_hold(rows: StockRows, context: HoldContext) -> None:
    """Put a changed hold back, due at its deadline or, once ended, when it is forgotten."""
    key, hold = hold_key(context.store, context.hold_id), context.hold
    if hold.active:
        put_timed(rows, key, hold, hold.until_ms)
    else:
        put_timed(rows, key, hold, max(hold.until_ms, context.clocks.recorded_at_ms) + HOLD_MEMORY_MS)


def put_in_doubt(level: Level, context: HoldContext, units: int) -> bool:
    """Put units of a hold in doubt, the caller puts the level back; False when a newer count has settled them."""
    at_ms = context.clocks.at_ms
    if at_ms <= level.counted_ms:
        return False
    level.in_doubt += units
    level.doubted_ms = max(level.doubted_ms, at_ms)
    if context.hold_id not in level.doubted_by:
        level.doubted_by = (*level.doubted_by, context.hold_id)[-DOUBTS_MAX:]
    return True


def settled_by_newer_count(level: Level, context: HoldContext, sku: str) -> DoubtSettled:
    """Answer that a count newer than the message already includes the units in doubt."""
    return DoubtSettled(sku=sku, hold=context.hold_id, order=context.hold.order, on_hand=level.on_hand)


def _refusal(
    rows: StockRows, store_code: str, wanted: ReserveStock, until_ms: int, at_ms: int
) -> tuple[StockRefusal | None, tuple[Shortage, ...]]:
    store = cast(Store | None, rows.get(store_key(store_code))) or Store()
    if not store.pickup:
        return StockRefusal.PICKUP_OFF, ()
    if until_ms <= at_ms:
        return StockRefusal.DEADLINE_PASSED, ()
    per_sku: dict[str, int] = {}
    for line in wanted.lines:
        # Lines of one SKU are checked together: each alone might be granted the same unit.
        per_sku[line.sku] = per_sku.get(line.sku, 0) + line.quantity
    report = last_report(rows, store_code, store, at_ms)
    shortages = []
    for sku, quantity in per_sku.items():
        found = terms(level_of(rows, store_code, sku), sku, store, report, at_ms)
        if quantity > found.atp:
            shortages.append(Shortage(sku=sku, wanted=quantity, terms=found))
    return (StockRefusal.NOT_ENOUGH_STOCK, tuple(shortages)) if shortages else (None, ())


def refused(hold_id: str, hold: Hold | None, command: str, reason: StockRefusal) -> tuple[Event, ...]:
    """Refusal of a message that does not fit its hold."""
    order = "" if hold is None else hold.order
    return (HoldCommandRefused(hold=hold_id, order=order, command=command, reason=reason),)


def _end(
    rows: StockRows, store: str, command: ReleaseStock | CollectStock, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    name = type(command).__name__
    end = HoldEnd.RELEASED if isinstance(command, ReleaseStock) else HoldEnd.COLLECTED
    hold = cast(Hold | None, rows.get(hold_key(store, command.hold)))
    if hold is None:
        return refused(command.hold, None, name, StockRefusal.UNKNOWN_HOLD)
    numbers = set(command.lines)
    lines = [line for line in hold.lines if not numbers or line.line in numbers]
    if numbers - {line.line for line in lines}:
        return refused(command.hold, hold, name, StockRefusal.UNKNOWN_LINE)
    ending = [line for line in lines if line.state is HoldLineState.HELD]
    if ending:
        how = Ending(end)
        if isinstance(command, ReleaseStock):
            how = Ending(end, command.reason, {doubted.line: doubted.units for doubted in command.in_doubt})
        return _end_lines(rows, HoldContext(store, command.hold, hold, clocks), ending, how, trace)
    # A repeat of the same end changes nothing.
    if any(line.state == end.value for line in lines):
        return ()
    return refused(command.hold, hold, name, StockRefusal.HOLD_ENDED)


def _end_lines(
    rows: StockRows, context: HoldContext, lines: list[HoldLine], ending: Ending, trace: Trace | None
) -> tuple[Event, ...]:
    at_ms = context.clocks.at_ms
    settled: list[Event] = []
    for line in lines:
        line.state = HoldLineState(ending.end.value)
        level = free_units(rows, context, line, line.quantity)
        if ending.end is HoldEnd.COLLECTED:
            changed = move(level, at_ms, -line.quantity)
            if trace is not None:
                trace(line.sku, MovementKind.COLLECTED, -line.quantity, changed, level.on_hand)
        # Picked units leave the staging area: with the customer, or back to the shelf.
        if line.picked:
            corrected = move_staged(level, at_ms, -line.picked)
            if trace is not None and corrected:
                trace(line.sku, MovementKind.STAGED, 0, corrected, level.on_hand)
        line.doubted = min(ending.in_doubt.get(line.line, 0), line.quantity)
        if line.doubted and not put_in_doubt(level, context, line.doubted):
            settled.append(settled_by_newer_count(level, context, line.sku))
        rows.put(level_key(context.store, line.sku), level)
    keep_hold(rows, context)
    changed_hold = HoldChanged(
        hold=context.hold_id,
        order=context.hold.order,
        end=ending.end,
        lines=tuple(OrderLine(line=line.line, sku=line.sku, quantity=line.quantity) for line in lines),
        reason=ending.reason,
    )
    return (changed_hold, *settled)


def _split_off(line: HoldLine, part: SplitLine) -> HoldLine:
    is_held = line.state is HoldLineState.HELD
    units = min(part.quantity, line.quantity) if is_held else 0
    # What stays cannot have more units set aside than it has.
    least = max(0, line.picked - (line.quantity - units)) if is_held else 0
    picked = max(least, min(part.picked, line.picked, units))
    new = HoldLine(part.into, line.sku, units, picked, state=HoldLineState.HELD if units else HoldLineState.LOST)
    if units:
        line.quantity -= units
        line.picked -= picked
        # Only a line that lost units before is emptied by a split.
        if not line.quantity:
            line.state = HoldLineState.LOST
    return new
