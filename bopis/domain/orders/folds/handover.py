"""Folds at and after the counter: ready, arrived, handed over, extended, returned."""

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders.hold_coverage import expected_units, with_released
from bopis.domain.orders.order_updates import (
    with_hold,
    with_line,
    with_lines,
    with_work,
    without_pending,
    without_settled_holds,
)
from bopis.domain.orders.state import LineState, Order, OrderHold, PartUnits, PickupCode


def order_ready(order: Order, event: e.OrderReady) -> Order:
    work = order.at(event.store)
    # A customer who arrived early is already waiting: the lines go straight to the top of the queue.
    state = LineState.ARRIVED if work is not None and work.where is not None else LineState.READY
    order = with_lines(order, event.lines, state=state)
    # A new window has its own reminders.
    ready = {"ready_ms": event.stamp.at_ms, "window_end_ms": event.window_end_ms, "reminded": 0}
    return with_work(order, event.store, **ready)


def ready_withdrawn(order: Order, event: e.ReadyWithdrawn) -> Order:
    order = with_lines(order, event.lines, state=LineState.STAGED)
    # Without a window neither expiry nor reminders are due.
    return with_work(order, event.store, ready_ms=0, window_end_ms=0, reminded=0)


def arrival_recorded(order: Order, event: e.ArrivalRecorded) -> Order:
    order = with_lines(order, event.lines, state=LineState.ARRIVED)
    arrival = {"where": event.where, "spot": event.spot, "arrived_ms": event.stamp.at_ms}
    return with_work(order, event.store, window_end_ms=event.window_end_ms, **arrival)


def code_failed(order: Order, _event: e.CodeFailed) -> Order:
    # Tries are counted per code: a reissued code starts with none.
    return replace(order, code=replace(order.code, tries=order.code.tries + 1))


def code_reissued(order: Order, event: e.CodeReissued) -> Order:
    code = PickupCode(code_hash=event.code_hash, token_hash=event.token_hash, version=event.version)
    return replace(order, code=code)


def order_handed_over(order: Order, event: e.OrderHandedOver) -> Order:
    # Expected units are taken from the lines before the hand-over, while they still name their hold.
    before = order
    order = with_lines(
        order, [line.line for line in event.lines], state=LineState.HANDED_OVER, hold="", ended_ms=event.stamp.at_ms
    )
    for collected in event.collected:
        hold = order.hold(collected.hold)
        if hold is not None:
            expected = (*hold.expected, *_expected(before, hold, collected.numbers))
            collecting = (*hold.collecting, collected.numbers)
            order = with_hold(order, collected.hold, collecting=collecting, expected=expected)
    if not any(line.live for line in order.in_store(event.store)):
        # The visit ends with the last open line; a later arrival is a new visit and is confirmed again.
        order = with_work(order, event.store, where=None)
    return without_settled_holds(replace(order, code=replace(order.code, used=not order.live)))


def handover_conflict_found(order: Order, event: e.HandoverConflictFound) -> Order:
    back = {"state": LineState.STAGED, "store": event.store, "hold": "", "leaving": "", "decide_by_ms": 0}
    ended = {"ended_ms": 0, "ended_by": None, "end_reason": None}
    # The holds are marked as released before the lines forget them.
    order = with_lines(with_released(order, event.recalled), event.recalled, **back, **ended)
    return without_settled_holds(without_pending(order, event.recalled))


def window_extended(order: Order, event: e.WindowExtended) -> Order:
    # Reminders are counted from the new end of the window.
    return with_work(order, event.store, window_end_ms=event.window_end_ms, reminded=0)


def order_returned(order: Order, event: e.OrderReturned) -> Order:
    for units in event.units:
        line = order.line(units.line)
        if line is None:
            continue
        returned = line.returned + units.quantity
        # A line that came back in part stays handed over: the rest is with the customer.
        state = LineState.RETURNED if returned == line.quantity else line.state
        order = with_line(order, replace(line, returned=returned, state=state))
    return order


def _expected(order: Order, hold: OrderHold, numbers: tuple[int, ...]) -> tuple[PartUnits, ...]:
    parts = [part for part in hold.parts if part.number in numbers]
    lines = [(order.line(part.line), part.component) for part in parts]
    return tuple(expected_units(hold, line, component) for line, component in lines if line is not None)
