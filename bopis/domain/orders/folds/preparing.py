"""Folds of work in the store: accepted, rejected, picked, short, substituted, staged, tasks."""

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders.hold_coverage import covered_numbers, missing_parts, with_released, with_unconfirmed
from bopis.domain.orders.lines import PickedUnits
from bopis.domain.orders.order_updates import with_excluded, with_line, with_lines, with_work, without_settled_holds
from bopis.domain.orders.state import LineState, Order, Task
from bopis.domain.orders.vocabulary import RejectReason, ShortCause

# Reasons that exclude the store for the whole order, not only for the SKUs of the rejected lines.
STORE_WIDE = frozenset(
    {RejectReason.STORE_WITHDRAWN, RejectReason.NOT_ACCEPTED, RejectReason.CLOSING, RejectReason.TOO_BUSY}
)


def pick_accepted(order: Order, event: e.PickAccepted) -> Order:
    order = with_work(order, event.store, accepted_ms=event.stamp.at_ms)
    return with_lines(order, event.lines, state=LineState.ACCEPTED)


def accept_overdue(order: Order, event: e.AcceptOverdue) -> Order:
    return with_work(order, event.store, escalations=event.escalation, accept_by_ms=event.again_at_ms)


def lines_rejected(order: Order, event: e.LinesRejected) -> Order:
    skus: dict[str, None] = {}
    for number in event.lines:
        line = order.line(number)
        if line is None:
            continue
        skus |= {part.sku: None for part in line.parts}
        hold = order.hold(line.hold)
        # A hold that no longer covers the line is not released, so no answer about it would ever come.
        leaving = line.hold if hold is not None and covered_numbers(hold, number) else line.leaving
        left = {"hold": "", "leaving": leaving, "picked": (), "state": LineState.REJECTED}
        order = with_line(with_released(order, [number]), replace(line, **left))
    if not any(line.live and line.state is not LineState.REJECTED for line in order.in_store(event.store)):
        # The store may be assigned other lines later, which it then has to accept.
        order = with_work(order, event.store, accepted_ms=0, picking_ms=0, promised=False, accept_by_ms=0)
    order = without_settled_holds(order)
    return with_excluded(order, event.store, ("",) if event.reason in STORE_WIDE else tuple(skus))


def picker_assigned(order: Order, event: e.PickerAssigned) -> Order:
    return with_work(order, event.store, picker=event.picker)


def picking_started(order: Order, event: e.PickingStarted) -> Order:
    order = with_work(order, event.store, picking_ms=event.stamp.at_ms)
    return with_lines(order, event.lines, state=LineState.PICKING)


def pick_recorded(order: Order, event: e.PickRecorded) -> Order:
    for units in event.units:
        order = _with_picked(order, units)
    for hold in order.holds:
        held = {line.line for line in order.lines if line.hold == hold.hold}
        missing = missing_parts(hold, [units for units in event.units if units.line in held])
        order = with_unconfirmed(order, hold.hold, missing)
    return order


def line_picked(order: Order, event: e.LinePicked) -> Order:
    return with_lines(order, [event.line], state=LineState.PICKED)


def line_short(order: Order, event: e.LineShort) -> Order:
    line = order.line(event.line)
    if line is None:
        return order
    missing = {"state": LineState.SHORT, "short": event.cause, "picked": (), "decide_by_ms": event.decide_by_ms}
    # Goods lost in staging say nothing about the shelf; the store may still have the SKU there.
    if event.cause is not ShortCause.STAGING:
        order = with_excluded(order, event.store, (event.sku,))
    if event.into == event.line:
        hold = order.hold(line.hold)
        still_held = hold is not None and any(part.line == event.line and part.quantity > 0 for part in hold.parts)
        order = with_released(order, [event.line]) if still_held else order
        # Another hold is requested only when the inventory can no longer find that this one covers units of the line.
        leaving = line.hold if hold is not None and covered_numbers(hold, event.line) else ""
        return without_settled_holds(with_line(order, replace(line, hold="", leaving=leaving, **missing)))
    order = with_line(order, replace(line, quantity=line.quantity - event.missing))
    split = {"line": event.into, "quantity": event.missing, "hold": "", "parent": line.parent or line.line}
    return with_line(order, replace(line, **split, **missing))


def substitute_offered(order: Order, event: e.SubstituteOffered) -> Order:
    offered = {"substitute": event.sku, "substitute_cents": event.unit_cents}
    waiting = {"state": LineState.SUBSTITUTE_OFFERED, "decide_by_ms": event.answer_by_ms}
    return with_lines(order, [event.line], **offered, **waiting)


def substitute_answered(order: Order, event: e.SubstituteAnswered) -> Order:
    line = order.line(event.line)
    if line is None:
        return order
    if not event.accepted:
        return with_line(order, replace(line, state=LineState.SHORT, substitute="", decide_by_ms=0))
    # From here on the line is an ordinary line of the substitute; the SKU as ordered is kept for the customer.
    taken = {"sku": line.substitute, "ordered_sku": line.ordered_sku or line.sku, "unit_cents": line.substitute_cents}
    cleared = {"components": (), "substitute": "", "picked": (), "decide_by_ms": 0}
    return with_line(order, replace(line, state=LineState.SUBSTITUTED, **taken, **cleared))


def order_staged(order: Order, event: e.OrderStaged) -> Order:
    order = with_work(order, event.store, location=event.location)
    return with_lines(order, event.lines, state=LineState.STAGED, location=event.location)


def task_raised(order: Order, event: e.TaskRaised) -> Order:
    sku = event.lines[0].sku if event.lines else ""
    task = Task(task=event.task, kind=event.kind, store=event.store, sku=sku, hold=event.hold)
    return replace(order, tasks=(*order.tasks, task), task_count=order.task_count + 1)


def task_closed(order: Order, event: e.TaskClosed) -> Order:
    return replace(order, tasks=tuple(task for task in order.tasks if task.task != event.task))


def _with_picked(order: Order, units: PickedUnits) -> Order:
    line = order.line(units.line)
    if line is None:
        return order
    # Picks of one line come in parts; components of a kit are counted apart.
    picked = list(line.picked or (0,) * len(line.parts))
    picked[units.component] += units.picked
    return with_line(order, replace(line, picked=tuple(picked)))
