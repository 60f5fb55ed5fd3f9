"""Shortfalls and short picks: which holds lose units when the shelf has less than was promised."""

from collections.abc import Iterable
from typing import NamedTuple, cast

from bopis.domain.inventory.events import (
    DoubtSettled,
    Event,
    ShortfallFound,
    ShortfallHit,
    ShortPickFound,
    StockRefusal,
)
from bopis.domain.inventory.holds import (
    HoldContext,
    free_units,
    keep_hold,
    level_of,
    put_in_doubt,
    refused,
    settled_by_newer_count,
)
from bopis.domain.inventory.messages import PickLine, StockPicked
from bopis.domain.inventory.movements import move_staged
from bopis.domain.inventory.rows import Hold, HoldLine, HoldLineState, Level, StockRows, hold_key, level_key
from bopis.domain.inventory.trace import MovementKind, Trace
from bopis.domain.values import Clocks

PICK = StockPicked.__name__


class UnpickedLine(NamedTuple):
    """A held line with units not yet picked, which a shortfall may take."""

    hold_id: str
    hold: Hold
    line: HoldLine


def find_shortfalls(rows: StockRows, store: str, skus: Iterable[str], clocks: Clocks) -> tuple[Event, ...]:
    """Shortfalls of SKUs of which more is held than on hand, each SKU once."""
    events: list[Event] = []
    for sku in dict.fromkeys(skus):
        events += find_shortfall(rows, store, sku, clocks.recorded_at_ms)
    return tuple(events)


def find_shortfall(rows: StockRows, store: str, sku: str, recorded_at_ms: int) -> tuple[Event, ...]:
    """Take the units that the books no longer cover from holds; the event names the holds that lose them.

    Staged units are set aside, so no till can have sold them: only unpicked units are taken, from the latest promise
    first, then from the latest hold.
    """
    level = level_of(rows, store, sku)
    held_before = level.held
    # Staged units exist, whatever the books say of the shelf.
    missing = level.held - max(level.on_hand, level.staged)
    if missing <= 0:
        return ()
    left = missing
    hits = []
    clocks = Clocks(recorded_at_ms, recorded_at_ms)
    for hold_id, hold, line in _unpicked_lines(rows, store, sku, level.holds):
        lost = min(left, line.quantity - line.picked)
        _lose(rows, HoldContext(store, hold_id, hold, clocks), line, lost)
        hits.append(ShortfallHit(hold=hold_id, order=hold.order, line=line.line, lost=lost))
        left -= lost
        if left == 0:
            break
    return (ShortfallFound(sku=sku, missing=missing, on_hand=level.on_hand, held=held_before, hits=tuple(hits)),)


def pick(rows: StockRows, store: str, report: StockPicked, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    """Set picked units aside. Missing units leave the hold and stay in doubt until a count settles them."""
    hold = cast(Hold | None, rows.get(hold_key(store, report.hold)))
    if hold is None:
        return refused(report.hold, None, PICK, StockRefusal.UNKNOWN_HOLD)
    if not hold.active:
        return refused(report.hold, hold, PICK, StockRefusal.HOLD_ENDED)
    still_held = {line.line: line for line in hold.lines if line.state is HoldLineState.HELD}
    for found in report.lines:
        # `pop`: a report that names a line twice is refused.
        line = still_held.pop(found.line, None)
        if line is None or found.picked + found.missing > line.quantity - line.picked:
            return refused(report.hold, hold, PICK, StockRefusal.UNKNOWN_LINE)
    lines = {line.line: line for line in hold.lines}
    context = HoldContext(store, report.hold, hold, clocks)
    events: list[Event] = []
    for found in report.lines:
        line = lines[found.line]
        _set_aside(rows, context, line, found, trace)
        if found.missing:
            _lose(rows, context, line, found.missing)
            events.append(
                ShortPickFound(hold=report.hold, order=hold.order, line=line.line, sku=line.sku, missing=found.missing)
            )
            # A pick may be reported after the count that settles it.
            events += _settled_by_newer_count(rows, context, line.sku)
    keep_hold(rows, context)
    return tuple(events)


def settle_doubt(rows: StockRows, store: str, sku: str, level: Level) -> tuple[Event, ...]:
    """Answer the orders whose units were in doubt once a count has settled them; the caller puts the level back."""
    if not level.doubted_by or level.in_doubt:
        return ()
    doubted, level.doubted_by = level.doubted_by, ()
    holds = [(hold_id, cast(Hold | None, rows.get(hold_key(store, hold_id)))) for hold_id in doubted]
    return tuple(
        DoubtSettled(sku=sku, hold=hold_id, order=hold.order, on_hand=level.on_hand)
        for hold_id, hold in holds
        if hold is not None
    )


def _settled_by_newer_count(rows: StockRows, context: HoldContext, sku: str) -> tuple[Event, ...]:
    """A count newer than the pick already includes the missing units: nothing stays in doubt."""
    level = level_of(rows, context.store, sku)
    if context.clocks.at_ms > level.counted_ms:
        return ()
    return (settled_by_newer_count(level, context, sku),)


def _set_aside(rows: StockRows, context: HoldContext, line: HoldLine, found: PickLine, trace: Trace | None) -> None:
    at_ms = context.clocks.at_ms
    line.picked += found.picked
    level = level_of(rows, context.store, line.sku)
    corrected = move_staged(level, at_ms, found.picked)
    if trace is not None and corrected:
        trace(line.sku, MovementKind.STAGED, 0, corrected, level.on_hand)
    # A newer count already includes what is on the shelf.
    if found.missing:
        put_in_doubt(level, context, found.missing)
    rows.put(level_key(context.store, line.sku), level)


def _unpicked_lines(rows: StockRows, store: str, sku: str, holds: tuple[str, ...]) -> list[UnpickedLine]:
    """Held lines with unpicked units: latest promise first, then latest hold; ids break the last tie."""
    found = []
    for hold_id in holds:
        hold = cast(Hold, rows.get(hold_key(store, hold_id)))
        for line in hold.lines:
            if line.sku == sku and line.state is HoldLineState.HELD and line.quantity > line.picked:
                found.append(UnpickedLine(hold_id, hold, line))
    return sorted(
        found, key=lambda it: (it.hold.promised_ms, it.hold.granted_ms, it.hold_id, it.line.line), reverse=True
    )


def _lose(rows: StockRows, context: HoldContext, line: HoldLine, lost: int) -> None:
    line.quantity -= lost
    line.lost += lost
    if line.quantity == 0:
        line.state = HoldLineState.LOST
    rows.put(level_key(context.store, line.sku), free_units(rows, context, line, lost))
    keep_hold(rows, context)
