"""Fold one event into an order. It never refuses and never sees a clock: whatever was concluded has happened."""

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders import outcomes as o
from bopis.domain.orders.cover import (
    covered,
    picks_recorded,
    restated,
    with_confirmed,
    with_cover,
    with_ended,
    with_released,
)
from bopis.domain.orders.edits import tidied, with_hold, with_line, with_lines, with_work
from bopis.domain.orders.evolve_counter import evolve_counter
from bopis.domain.orders.state import (
    Excluded,
    Hold,
    Line,
    LineState,
    Offer,
    Order,
    PartUnits,
    PickupCode,
    RouteAsked,
    Task,
)
from bopis.domain.orders.terms import RejectReason, ShortCause

STORE_WIDE = frozenset(
    {RejectReason.STORE_WITHDRAWN, RejectReason.NOT_ACCEPTED, RejectReason.CLOSING, RejectReason.TOO_BUSY}
)


def placed(number: str, event: e.OrderPlaced) -> Order:
    """The order that begins with this event."""
    lines = tuple(
        Line(line=it.line, sku=it.sku, quantity=it.quantity, components=it.components, unit_cents=it.unit_cents)
        for it in event.lines
    )
    return Order(
        order=number,
        key=event.key,
        request=event.request,
        customer=event.customer,
        store=event.store,
        allows=event.allows,
        placed_ms=event.stamp.at_ms,
        payment=event.payment,
        lines=lines,
        methods=event.methods,
        currency=event.currency,
        slot_from_ms=event.slot_from_ms,
        slot_to_ms=event.slot_to_ms,
        place_latitude_e6=event.place_latitude_e6,
        place_longitude_e6=event.place_longitude_e6,
        code=PickupCode(code_hash=event.code_hash, token_hash=event.token_hash),
        note=event.note,
    )


def evolve(order: Order, event: o.Event) -> Order:
    """The order after an event."""
    match event:
        case e.RoutingRequested():
            return _asked(order, event)
        case e.RouteTaken():
            return replace(order, asked=tuple(it for it in order.asked if it.attempt != event.attempt))
        case e.AlternativeOffered():
            offer = Offer(
                attempt=event.attempt, lines=event.lines, offers=event.offers, answer_by_ms=event.answer_by_ms
            )
            order = with_lines(order, event.lines, state=LineState.OFFERED, store="")
            return replace(order, offers=(*order.offers, offer))
        case e.AlternativeAnswered():
            return replace(order, offers=tuple(it for it in order.offers if it.attempt != event.attempt))
        case e.HoldRequested():
            return _hold_requested(order, event)
        case e.LinesHeld():
            numbers = [it.line for it in event.lines]
            return with_hold(with_lines(order, numbers, state=LineState.HELD), event.hold, granted=True)
        case e.HoldRefused():
            return tidied(_excluded(with_lines(order, event.lines, hold=""), event))
        case e.OrderPromised():
            return _promised(order, event)
        case e.LinesWaiting():
            return _waiting(order, event)
        case _:
            return _work(order, event)


def _work(order: Order, event: o.Event) -> Order:
    match event:
        case e.PickAccepted():
            order = with_work(order, event.store, accepted_ms=event.stamp.at_ms)
            return with_lines(order, event.lines, state=LineState.ACCEPTED)
        case e.AcceptOverdue():
            return with_work(order, event.store, escalations=event.escalation, accept_by_ms=event.again_at_ms)
        case e.LinesRejected():
            return _rejected(order, event)
        case e.LinesFreed():
            return _freed(order, event)
        case e.PickerAssigned():
            return with_work(order, event.store, picker=event.picker)
        case e.PickingStarted():
            order = with_work(order, event.store, picking_ms=event.stamp.at_ms)
            return with_lines(order, event.lines, state=LineState.PICKING)
        case e.PickRecorded():
            return picks_recorded(order, event)
        case e.LinePicked():
            return with_lines(order, [event.line], state=LineState.PICKED)
        case e.OrderStaged():
            order = with_work(order, event.store, location=event.location)
            return with_lines(order, event.lines, state=LineState.STAGED)
        case _:
            return _missing(order, event)


def _missing(order: Order, event: o.Event) -> Order:
    match event:
        case e.LineShort():
            return _short(order, event)
        case e.CoverLost():
            return with_cover(order, event.hold, event.number, event.units)
        case e.PickRestated():
            return restated(order, event)
        case e.ShortPickConfirmed():
            return with_confirmed(order, event.hold, PartUnits(number=event.number, units=event.units))
        case e.SubstituteOffered():
            offered = {"substitute": event.sku, "substitute_cents": event.unit_cents}
            waiting = {"state": LineState.SUBSTITUTE_OFFERED, "decide_by_ms": event.answer_by_ms}
            return with_lines(order, [event.line], **offered, **waiting)
        case e.SubstituteAnswered():
            return _substituted(order, event)
        case e.TaskRaised():
            sku = event.lines[0].sku if event.lines else ""
            task = Task(task=event.task, kind=event.kind, store=event.store, sku=sku, hold=event.hold)
            return replace(order, tasks=(*order.tasks, task), task_count=order.task_count + 1)
        case e.TaskClosed():
            return replace(order, tasks=tuple(it for it in order.tasks if it.task != event.task))
        case _:
            return evolve_counter(order, event)


def _asked(order: Order, event: e.RoutingRequested) -> Order:
    numbers = tuple(it.line for it in event.request.lines)
    if event.attempt > 1:
        order = with_lines(order, numbers, state=LineState.REROUTED, store="", picked=(), decide_by_ms=0)
    asked = RouteAsked(attempt=event.attempt, lines=numbers)
    return replace(order, attempt=event.attempt, asked=(*order.asked, asked))


def _hold_requested(order: Order, event: e.HoldRequested) -> Order:
    hold = Hold(hold=event.hold, store=event.store, parts=event.parts, promised_for_ms=event.promised_for_ms)
    order = replace(order, holds=(*order.holds, hold), hold_count=order.hold_count + 1)
    for take in event.takes:
        line = order.line(take.line)
        if line is None:
            continue
        state = line.state if line.state is LineState.SUBSTITUTED else _routed_state(order)
        taken = {"hold": event.hold, "store": event.store, "state": state, "decide_by_ms": 0}
        if take.into == take.line:
            order = with_line(order, replace(line, **taken))
            continue
        order = with_line(order, replace(line, quantity=line.quantity - take.quantity))
        parent = line.parent or line.line
        order = with_line(order, replace(line, line=take.into, quantity=take.quantity, parent=parent, **taken))
    if event.assignment is None:
        return order
    known = order.at(event.store)
    assigned = event.assignment
    ready_by_ms = max(assigned.ready_by_ms, known.ready_by_ms) if known and known.promised else assigned.ready_by_ms
    limits = {"accept_by_ms": assigned.accept_by_ms, "reroute_by_ms": assigned.reroute_by_ms, "escalations": 0}
    accept = {} if known and known.accepted_ms else limits
    return with_work(order, event.store, ready_by_ms=ready_by_ms, closings=assigned.closings, **accept)


def _routed_state(order: Order) -> LineState:
    return LineState.PLACED if order.attempt == 1 else LineState.REROUTED


def _waiting(order: Order, event: e.LinesWaiting) -> Order:
    # Who lacked a SKU may have it by the time the lines wake; who takes no orders at all stays left out.
    excluded = tuple(it for it in order.excluded if it.sku not in event.skus)
    waiting = {"state": LineState.WAITING, "store": "", "decide_by_ms": event.wait_until_ms}
    return with_lines(replace(order, excluded=excluded), event.lines, **waiting)


def _excluded(order: Order, event: e.HoldRefused) -> Order:
    if not event.excluded:
        return order
    return _with_excluded(order, event.store, event.skus or ("",))


def _with_excluded(order: Order, store: str, skus: tuple[str, ...]) -> Order:
    new = (Excluded(store=store, sku=sku) for sku in skus)
    return replace(order, excluded=tuple(dict.fromkeys((*order.excluded, *new))))


def _promised(order: Order, event: e.OrderPromised) -> Order:
    known = order.at(event.store)
    state = LineState.PROMISED
    if known is not None and known.accepted_ms:  # the lines join work that goes on already
        state = LineState.PICKING if known.picking_ms else LineState.ACCEPTED
    order = with_work(order, event.store, promised=True, ready_by_ms=event.ready_by_ms)
    return with_lines(order, event.lines, state=state)


def _rejected(order: Order, event: e.LinesRejected) -> Order:
    skus: dict[str, None] = {}
    for number in event.lines:
        line = order.line(number)
        if line is None:
            continue
        skus |= {part.sku: None for part in line.parts}
        hold = order.hold(line.hold)
        # A hold that covers nothing of the line any more is not given back, so nothing would ever answer for it.
        leaving = line.hold if hold is not None and covered(hold, number) else line.leaving
        left = {"hold": "", "leaving": leaving, "picked": (), "state": LineState.REJECTED}
        order = with_line(with_released(order, [number]), replace(line, **left))
    if not any(line.live and line.state is not LineState.REJECTED for line in order.in_store(event.store)):
        order = with_work(order, event.store, accepted_ms=0, picking_ms=0, promised=False, accept_by_ms=0)
    return _with_excluded(tidied(order), event.store, ("",) if event.reason in STORE_WIDE else tuple(skus))


def _freed(order: Order, event: e.LinesFreed) -> Order:
    for number in event.lines:
        line = order.line(number)
        if line is None:
            continue
        order = with_ended(order, event.hold, number)
        if line.leaving == event.hold:
            line = replace(line, leaving="")
        elif event.kept:
            line = replace(line, hold="")
        else:
            line = replace(line, hold="", picked=(), state=LineState.REJECTED)
        order = with_line(order, line)
    return tidied(order)


def _short(order: Order, event: e.LineShort) -> Order:
    line = order.line(event.line)
    if line is None:
        return order
    missing = {"state": LineState.SHORT, "short": event.cause, "picked": (), "decide_by_ms": event.decide_by_ms}
    if event.cause is not ShortCause.STAGING:
        order = _with_excluded(order, event.store, (event.sku,))
    if event.into == event.line:
        hold = order.hold(line.hold)
        left = hold is not None and any(it.line == event.line and it.quantity > 0 for it in hold.parts)
        order = with_released(order, [event.line]) if left else order
        # Nothing else is asked for while the inventory may still find that the hold covers units of the line.
        leaving = line.hold if hold is not None and covered(hold, event.line) else ""
        return tidied(with_line(order, replace(line, hold="", leaving=leaving, **missing)))
    order = with_line(order, replace(line, quantity=line.quantity - event.missing))
    apart = {"line": event.into, "quantity": event.missing, "hold": "", "parent": line.parent or line.line}
    return with_line(order, replace(line, **apart, **missing))


def _substituted(order: Order, event: e.SubstituteAnswered) -> Order:
    line = order.line(event.line)
    if line is None:
        return order
    if not event.accepted:
        return with_line(order, replace(line, state=LineState.SHORT, substitute="", decide_by_ms=0))
    taken = {"sku": line.substitute, "ordered_sku": line.ordered_sku or line.sku, "unit_cents": line.substitute_cents}
    gone = {"components": (), "substitute": "", "picked": (), "decide_by_ms": 0}
    return with_line(order, replace(line, state=LineState.SUBSTITUTED, **taken, **gone))
