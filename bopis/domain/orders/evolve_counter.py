"""Fold what happens at and after the counter into an order."""

from msgspec.structs import replace

from bopis.domain.orders import outcomes as o
from bopis.domain.orders.cover import expected_units, with_released
from bopis.domain.orders.edits import tidied, with_hold, with_line, with_lines, with_work, without_asking
from bopis.domain.orders.limits import LAST_REMINDER_MS
from bopis.domain.orders.state import Hold, LineState, Order, PartUnits, PickupCode
from bopis.domain.orders.terms import Milestone


def evolve_counter(order: Order, event: o.Event) -> Order:
    """The order after an event at the counter, of money or of telling."""
    match event:
        case o.OrderReady():
            work = order.at(event.store)
            state = LineState.ARRIVED if work is not None and work.where is not None else LineState.READY
            order = with_lines(order, event.lines, state=state)
            ready = {"ready_ms": event.stamp.at_ms, "window_end_ms": event.window_end_ms, "reminded": 0}
            return with_work(order, event.store, **ready)
        case o.ReadyWithdrawn():
            order = with_lines(order, event.lines, state=LineState.STAGED)
            return with_work(order, event.store, ready_ms=0, window_end_ms=0, reminded=0)
        case o.ArrivalRecorded():
            order = with_lines(order, event.lines, state=LineState.ARRIVED)
            here = {"where": event.where, "spot": event.spot, "arrived_ms": event.stamp.at_ms}
            return with_work(order, event.store, window_end_ms=event.window_end_ms, **here)
        case o.CodeFailed():
            return replace(order, code=replace(order.code, tries=order.code.tries + 1))
        case o.CodeReissued():
            code = PickupCode(code_hash=event.code_hash, token_hash=event.token_hash, version=event.version)
            return replace(order, code=code)
        case o.OrderHandedOver():
            return _handed_over(order, event)
        case o.CollectionAnswered():
            hold = order.hold(event.hold)
            left = () if hold is None else hold.collecting[1:]
            return tidied(with_hold(order, event.hold, collecting=left))
        case o.WindowExtended():
            return with_work(order, event.store, window_end_ms=event.window_end_ms, reminded=0)
        case o.OrderCancelled():
            return _ended(order, event.lines, LineState.CANCELLED)
        case o.OrderExpired():
            return _ended(order, event.lines, LineState.EXPIRED)
        case o.OrderReturned():
            return _returned(order, event)
        case _:
            return _told(order, event)


def _told(order: Order, event: o.Event) -> Order:
    match event:
        case o.PaymentAnswered():
            return replace(order, payment=event.state)
        case o.CaptureRequested():
            return replace(order, captured_cents=order.captured_cents + event.amount.cents)
        case o.VoidRequested():
            return replace(order, voided=True)
        case o.NoticeDue():
            order = replace(order, told={**order.told, event.milestone.value: event.version})
            if event.milestone is not Milestone.REMINDER or event.window_end_ms is None:
                return order
            last = event.stamp.recorded_at_ms >= event.window_end_ms - LAST_REMINDER_MS
            return with_work(order, event.store, reminded=2 if last else 1)
        case _:
            return order


def _handed_over(order: Order, event: o.OrderHandedOver) -> Order:
    before, order = order, with_lines(order, [it.line for it in event.lines], state=LineState.HANDED_OVER, hold="")
    for it in event.collected:
        hold = order.hold(it.hold)
        if hold is not None:
            expected = (*hold.expected, *_expected(before, hold, it.numbers))
            order = with_hold(order, it.hold, collecting=(*hold.collecting, it.numbers), expected=expected)
    if not any(line.live for line in order.in_store(event.store)):
        order = with_work(order, event.store, where=None)
    return tidied(replace(order, code=replace(order.code, used=not order.live)))


def _expected(order: Order, hold: Hold, numbers: tuple[int, ...]) -> tuple[PartUnits, ...]:
    parts = [it for it in hold.parts if it.number in numbers]
    lines = [(order.line(it.line), it.component) for it in parts]
    return tuple(expected_units(hold, line, component) for line, component in lines if line is not None)


def _ended(order: Order, lines: tuple[int, ...], state: LineState) -> Order:
    order = with_lines(with_released(order, lines), lines, state=state, hold="", leaving="", decide_by_ms=0)
    return tidied(without_asking(order, lines))


def _returned(order: Order, event: o.OrderReturned) -> Order:
    for units in event.units:
        line = order.line(units.line)
        if line is None:
            continue
        returned = line.returned + units.quantity
        state = LineState.RETURNED if returned == line.quantity else line.state
        order = with_line(order, replace(line, returned=returned, state=state))
    return order
