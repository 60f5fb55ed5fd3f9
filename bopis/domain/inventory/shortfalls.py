"""When the shelf has less than was promised: which holds lose units, and what a pick did not find."""

from typing import cast

from bopis.domain.inventory.events import (
    DoubtSettled,
    Event,
    Refusal,
    ShortfallFound,
    ShortfallHit,
    ShortPickFound,
)
from bopis.domain.inventory.holds import Held, free_units, keep_hold, level_of, refused
from bopis.domain.inventory.messages import PickLine, StockPicked
from bopis.domain.inventory.movements import move_staged
from bopis.domain.inventory.rows import Hold, HoldLine, Level, LineState, Rows, hold_key, level_key
from bopis.domain.inventory.trace import Kind, Trace
from bopis.domain.values import Clocks

PICK = StockPicked.__name__
DOUBTS_MAX = 64  # holds whose orders are told when a count settles what they did not find


def find_shortfall(rows: Rows, store: str, sku: str, recorded_at_ms: int) -> tuple[Event, ...]:
    """Take from holds what the books no longer cover, and name the holds that lose it.

    Staged units are set aside, so no till can have sold them: only units not yet picked are taken, from the
    latest promise first, then from the latest hold.
    """
    level = level_of(rows, store, sku)
    held_before = level.held
    missing = level.held - max(level.on_hand, level.staged)
    if missing <= 0:
        return ()
    left = missing
    hits = []
    clocks = Clocks(recorded_at_ms, recorded_at_ms)
    for hold_id, hold, line in _victims(rows, store, sku, level.holds):
        lost = min(left, line.quantity - line.picked)
        _lose(rows, Held(store, hold_id, hold, clocks), line, lost)
        hits.append(ShortfallHit(hold=hold_id, order=hold.order, line=line.line, lost=lost))
        left -= lost
        if left == 0:
            break
    return (ShortfallFound(sku=sku, missing=missing, on_hand=level.on_hand, held=held_before, hits=tuple(hits)),)


def pick(rows: Rows, store: str, report: StockPicked, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Set picked units aside; units not found leave the hold and are in doubt until a count settles them."""
    hold = cast(Hold | None, rows.get(hold_key(store, report.hold)))
    if hold is None:
        return refused(report.hold, None, PICK, Refusal.UNKNOWN_HOLD)
    if not hold.active:
        return refused(report.hold, hold, PICK, Refusal.HOLD_ENDED)
    still_held = {line.line: line for line in hold.lines if line.state is LineState.HELD}
    for found in report.lines:
        line = still_held.pop(found.line, None)
        if line is None or found.picked + found.missing > line.quantity - line.picked:
            return refused(report.hold, hold, PICK, Refusal.UNKNOWN_LINE)
    lines = {line.line: line for line in hold.lines}
    held = Held(store, report.hold, hold, clocks)
    events: list[Event] = []
    for found in report.lines:
        line = lines[found.line]
        _set_aside(rows, held, line, found, trace)
        if found.missing:
            _lose(rows, held, line, found.missing)
            events.append(
                ShortPickFound(hold=report.hold, order=hold.order, line=line.line, sku=line.sku, missing=found.missing)
            )
            events += _counted_since(rows, held, line.sku)
    keep_hold(rows, held)
    return tuple(events)


def settle_doubt(rows: Rows, store: str, sku: str, level: Level) -> tuple[Event, ...]:
    """Tell the orders whose units were in doubt that a count has settled it; the caller puts the level back."""
    if not level.doubted_by or level.in_doubt:
        return ()
    doubted, level.doubted_by = level.doubted_by, ()
    holds = [(hold_id, cast(Hold | None, rows.get(hold_key(store, hold_id)))) for hold_id in doubted]
    return tuple(
        DoubtSettled(sku=sku, hold=hold_id, order=hold.order, on_hand=level.on_hand)
        for hold_id, hold in holds
        if hold is not None
    )


def _counted_since(rows: Rows, held: Held, sku: str) -> tuple[Event, ...]:
    """A count newer than the pick has seen what is missing: there is nothing left to doubt."""
    level = level_of(rows, held.store, sku)
    if held.clocks.at_ms > level.counted_ms:
        return ()
    return (DoubtSettled(sku=sku, hold=held.hold_id, order=held.hold.order, on_hand=level.on_hand),)


def _set_aside(rows: Rows, held: Held, line: HoldLine, found: PickLine, trace: Trace | None) -> None:
    at_ms = held.clocks.at_ms
    line.picked += found.picked
    level = level_of(rows, held.store, line.sku)
    corrected = move_staged(level, at_ms, found.picked)
    if trace is not None and corrected:
        trace(line.sku, Kind.STAGED, 0, corrected, level.on_hand)
    if found.missing and at_ms > level.counted_ms:
        level.in_doubt += found.missing
        level.doubted_ms = max(level.doubted_ms, at_ms)
        if held.hold_id not in level.doubted_by:
            level.doubted_by = (*level.doubted_by, held.hold_id)[-DOUBTS_MAX:]
    rows.put(level_key(held.store, line.sku), level)


def _victims(rows: Rows, store: str, sku: str, holds: tuple[str, ...]) -> list[tuple[str, Hold, HoldLine]]:
    found = []
    for hold_id in holds:
        hold = cast(Hold, rows.get(hold_key(store, hold_id)))
        for line in hold.lines:
            if line.sku == sku and line.state is LineState.HELD and line.quantity > line.picked:
                found.append((hold_id, hold, line))
    return sorted(found, key=lambda it: (it[1].promised_ms, it[1].granted_ms, it[0], it[2].line), reverse=True)


def _lose(rows: Rows, held: Held, line: HoldLine, lost: int) -> None:
    line.quantity -= lost
    line.lost += lost
    if line.quantity == 0:
        line.state = LineState.LOST
    rows.put(level_key(held.store, line.sku), free_units(rows, held, line, lost))
    keep_hold(rows, held)
