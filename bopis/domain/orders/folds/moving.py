"""Folds of a change of store: requested, held in the new store, made, or ended without a change."""

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders.folds.holding import with_assigned_work
from bopis.domain.orders.hold_coverage import with_released
from bopis.domain.orders.order_updates import with_lines, with_work, without_pending, without_settled_holds
from bopis.domain.orders.state import LineState, Move, Order, OrderHold


def move_requested(order: Order, event: e.MoveRequested) -> Order:
    move = Move(store=event.store, attempt=event.attempt, by=event.by, lines=event.lines)
    return replace(order, move=move)


def move_hold_requested(order: Order, event: e.MoveHoldRequested) -> Order:
    if order.move is None:
        return order
    move = replace(order.move, hold=event.hold, parts=event.parts, assignment=event.assignment)
    # The count goes into the next hold's id, whether the order moves or not.
    return replace(order, move=move, hold_count=order.hold_count + 1)


def order_moved(order: Order, event: e.OrderMoved) -> Order:
    move = order.move
    if move is None or move.assignment is None:
        return order
    numbers = tuple(line.line for line in event.lines)
    # Nothing is reported about the old holds any more.
    order = without_pending(with_released(order, numbers), numbers)
    moved = {"hold": event.hold, "store": event.store, "state": LineState.HELD, "picked": (), "decide_by_ms": 0}
    order = with_lines(order, numbers, **moved)
    for store in event.left:
        if not any(line.live for line in order.in_store(store)):
            # The store may be assigned other lines later, which it then has to accept.
            left = {"accepted_ms": 0, "picking_ms": 0, "promised": False, "accept_by_ms": 0, "where": None}
            order = with_work(order, store, **left)
    hold = OrderHold(
        hold=event.hold,
        store=event.store,
        parts=move.parts,
        granted=True,
        promised_for_ms=move.assignment.ready_by_ms,
    )
    order = without_settled_holds(replace(order, holds=(*order.holds, hold), store=event.store, move=None))
    return with_assigned_work(order, move.assignment)


def move_ended(order: Order, event: e.MoveEnded) -> Order:
    if order.move is None:
        return order
    return replace(order, move=replace(order.move, lines=(), parts=(), assignment=None, ended=event.reason))
