"""Rules of the shop for work on its copy of orders: what may be done without the centre, and the copy after it."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import AcceptPick, GoodsHandedOver, RecordPick, StageOrder, StartPicking
from bopis.domain.orders.offline.store_copy import CopyLine, CopyOrder
from bopis.domain.orders.state import PROGRESS, STAGED_STATES, LineState

StoreAction = AcceptPick | StartPicking | RecordPick | StageOrder | GoodsHandedOver
PICKABLE = frozenset({LineState.ACCEPTED, LineState.PICKING})
# The state that each action needs of at least one line.
NEEDED: dict[type[Any], frozenset[LineState]] = {
    AcceptPick: frozenset({LineState.PROMISED}),
    StartPicking: frozenset({LineState.ACCEPTED}),
    RecordPick: PICKABLE,
    StageOrder: frozenset({LineState.PICKED}),
    GoodsHandedOver: STAGED_STATES,
}


class LocalRefusal(StrEnum):
    """Why the shop cannot do something by itself, in the order of the checks."""

    UNKNOWN_LINE = "unknown_line"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    TOO_MANY_UNITS = "too_many_units"
    NEEDS_CENTRE = "needs_centre"
    SHORT = "short"
    WINDOW_OVER = "window_over"
    UNPAID = "unpaid"


def refusal_of(order: CopyOrder, action: StoreAction, now_ms: int) -> LocalRefusal | None:
    """Why an action is refused in the shop; None if it may be done. The proof of a hand-over is checked elsewhere."""
    named = named_lines(action)
    known = {line.line: line for line in order.lines}
    if not set(named) <= set(known):
        return LocalRefusal.UNKNOWN_LINE
    states = NEEDED[type(action)]
    chosen = [known[number] for number in named] if named else list(order.lines)
    fit = [line for line in chosen if line.state in states]
    if not fit or (named and len(fit) < len(chosen)):
        wrong = next(line for line in chosen if line.state not in states)
        is_early = PROGRESS[wrong.state] < min(PROGRESS[it] for it in states)
        return LocalRefusal.TOO_EARLY if is_early else LocalRefusal.TOO_LATE
    if isinstance(action, RecordPick):
        return _refusal_of_pick(known, action.lines)
    return _refusal_of_goods(order, known, action, now_ms) if isinstance(action, GoodsHandedOver) else None


def named_lines(action: StoreAction) -> tuple[int, ...]:
    """Numbers of the lines that an action names; none for all that fit."""
    match action:
        case RecordPick() | GoodsHandedOver():
            return tuple(dict.fromkeys(line.line for line in action.lines))
        case StageOrder():
            return action.lines
        case _:
            return ()


def after(order: CopyOrder, action: StoreAction) -> CopyOrder:
    """The copy after an action. One that is in the copy already changes nothing: lines only go forward."""
    if isinstance(action, RecordPick):
        return _after_pick(order, action.lines)
    named = set(named_lines(action))
    states = NEEDED[type(action)]
    goal = {
        AcceptPick: LineState.ACCEPTED,
        StartPicking: LineState.PICKING,
        StageOrder: LineState.STAGED,
        GoodsHandedOver: LineState.HANDED_OVER,
    }[type(action)]
    place = {"location": action.location} if isinstance(action, StageOrder) else {}
    lines = tuple(
        replace(line, state=goal, **place)
        if (line.line in named if named else line.state in states) and PROGRESS[line.state] < PROGRESS[goal]
        else line
        for line in order.lines
    )
    return replace(order, lines=lines)


def _refusal_of_pick(known: dict[int, CopyLine], picks: Iterable[PickedLine]) -> LocalRefusal | None:
    units: dict[tuple[int, str], int] = {}
    for pick in picks:
        line = known[pick.line]
        skus = [part.sku for part in line.needed]
        sku = pick.sku if pick.sku is not None else skus[0]
        if sku not in skus or (pick.sku is None and len(skus) > 1):
            return LocalRefusal.UNKNOWN_LINE
        # What becomes of a kit without one of its components, the order decides.
        if pick.missing and line.parts:
            return LocalRefusal.NEEDS_CENTRE
        place = skus.index(sku)
        units[pick.line, sku] = units.get((pick.line, sku), 0) + pick.picked + pick.missing
        done = line.picked[place] if line.picked else 0
        if units[pick.line, sku] > line.needed[place].quantity * line.quantity - done:
            return LocalRefusal.TOO_MANY_UNITS
    return None


def _refusal_of_goods(
    order: CopyOrder, known: dict[int, CopyLine], action: GoodsHandedOver, now_ms: int
) -> LocalRefusal | None:
    if any(goods.sku != known[goods.line].sku for goods in action.lines):
        return LocalRefusal.UNKNOWN_LINE
    if any(goods.quantity != known[goods.line].quantity for goods in action.lines):
        return LocalRefusal.NEEDS_CENTRE
    if order.is_short:
        return LocalRefusal.SHORT
    if 0 < order.window_end_ms <= now_ms:
        return LocalRefusal.WINDOW_OVER
    is_over = 0 < order.paid_until_ms <= now_ms
    return None if order.paid and not is_over else LocalRefusal.UNPAID


def _after_pick(order: CopyOrder, picks: Iterable[PickedLine]) -> CopyOrder:
    is_short = order.is_short
    lines = {line.line: line for line in order.lines}
    for pick in picks:
        line = lines.get(pick.line)
        if line is None or line.state not in PICKABLE:
            continue
        skus = [part.sku for part in line.needed]
        place = skus.index(pick.sku) if pick.sku in skus else 0
        picked = list(line.picked or (0,) * len(skus))
        picked[place] += pick.picked
        quantity = line.quantity - pick.missing
        is_short |= pick.missing > 0
        is_done = all(done >= part.quantity * quantity for done, part in zip(picked, line.needed, strict=True))
        state = LineState.PICKED if is_done else LineState.PICKING
        lines[pick.line] = replace(line, picked=tuple(picked), quantity=quantity, state=state)
    # A line of which nothing was found is no work of the store any more.
    return replace(order, lines=tuple(it for it in lines.values() if it.quantity) or order.lines, is_short=is_short)
