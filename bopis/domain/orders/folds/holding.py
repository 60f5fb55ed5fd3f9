"""Folds of holds: requested, granted, refused, promised, freed, and what they still cover."""

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders.hold_coverage import (
    missing_parts,
    with_coverage_reduced,
    with_line_released,
    with_short_pick_confirmed,
    with_short_pick_refused,
    with_unconfirmed,
)
from bopis.domain.orders.order_updates import (
    with_excluded,
    with_hold,
    with_line,
    with_lines,
    with_work,
    without_settled_holds,
)
from bopis.domain.orders.state import LineState, Order, OrderHold, PartUnits
from bopis.domain.sourcing.decision import Assignment


def hold_requested(order: Order, event: e.HoldRequested) -> Order:
    hold = OrderHold(hold=event.hold, store=event.store, parts=event.parts, promised_for_ms=event.promised_for_ms)
    # The count goes into the next hold's id, so it never decreases when holds are dropped.
    order = replace(order, holds=(*order.holds, hold), hold_count=order.hold_count + 1)
    routed = LineState.PLACED if order.attempt == 1 else LineState.REROUTED
    for take in event.takes:
        line = order.line(take.line)
        if line is None:
            continue
        state = line.state if line.state is LineState.SUBSTITUTED else routed
        taken = {"hold": event.hold, "store": event.store, "state": state, "decide_by_ms": 0}
        if take.into == take.line:
            order = with_line(order, replace(line, **taken))
            continue
        # The store takes a part of the line, which is split off as line `into`.
        order = with_line(order, replace(line, quantity=line.quantity - take.quantity))
        parent = line.parent or line.line
        order = with_line(order, replace(line, line=take.into, quantity=take.quantity, parent=parent, **taken))
    return order if event.assignment is None else with_assigned_work(order, event.assignment)


def with_assigned_work(order: Order, assigned: Assignment) -> Order:
    """Set the times of the store that routing assigned."""
    known = order.at(assigned.store)
    # A promise already given to the customer is never made earlier, and accepted work keeps no deadline to accept.
    ready_by_ms = max(assigned.ready_by_ms, known.ready_by_ms) if known and known.promised else assigned.ready_by_ms
    limits = {"accept_by_ms": assigned.accept_by_ms, "reroute_by_ms": assigned.reroute_by_ms, "escalations": 0}
    accept = {} if known and known.accepted_ms else limits
    told = {"closings": assigned.closings, "schedule": assigned.schedule}
    return with_work(order, assigned.store, ready_by_ms=ready_by_ms, **told, **accept)


def lines_held(order: Order, event: e.LinesHeld) -> Order:
    order = with_lines(order, [line.line for line in event.lines], state=LineState.HELD)
    return with_hold(order, event.hold, granted=True)


def hold_refused(order: Order, event: e.HoldRefused) -> Order:
    # The refused hold is left in no line, so it is dropped; the lines keep their state until they are routed again.
    order = with_lines(order, event.lines, hold="")
    if event.excluded:
        order = with_excluded(order, event.store, event.skus or ("",))
    return without_settled_holds(order)


def order_promised(order: Order, event: e.OrderPromised) -> Order:
    known = order.at(event.store)
    state = LineState.PROMISED
    if known is not None and known.accepted_ms:  # the lines join work that the store has already accepted
        state = LineState.PICKING if known.picking_ms else LineState.ACCEPTED
    limits = {"accept_by_ms": event.accept_by_ms, "reroute_by_ms": event.reroute_by_ms}
    moved = {name: at_ms for name, at_ms in limits.items() if at_ms is not None}
    # Without a schedule a promise once given is not moved again.
    order = with_work(order, event.store, promised=True, ready_by_ms=event.ready_by_ms, schedule=None, **moved)
    return with_lines(order, event.lines, state=state)


def lines_freed(order: Order, event: e.LinesFreed) -> Order:
    for number in event.lines:
        line = order.line(number)
        if line is None:
            continue
        order = with_line_released(order, event.hold, number)
        # A rejected or short line waited for exactly this end; its other fields are settled.
        if line.leaving == event.hold:
            line = replace(line, leaving="")
        # Goods set aside stay promised to the customer; only the cover in the books is gone.
        elif event.kept:
            line = replace(line, hold="")
        else:
            # The line relied on the hold: it needs another one, and its picked units have gone to a put-back task.
            line = replace(line, hold="", picked=(), state=LineState.REJECTED)
        order = with_line(order, line)
    return without_settled_holds(order)


def cover_lost(order: Order, event: e.CoverLost) -> Order:
    return with_coverage_reduced(order, event.hold, PartUnits(number=event.number, units=event.units))


def short_pick_confirmed(order: Order, event: e.ShortPickConfirmed) -> Order:
    return with_short_pick_confirmed(order, event.hold, PartUnits(number=event.number, units=event.units))


def pick_restated(order: Order, event: e.PickRestated) -> Order:
    """Covered as before the refused pick, but for the units now reported missing again."""
    order = with_short_pick_refused(order, event.hold)
    hold = order.hold(event.hold)
    if hold is None:
        return order
    # Units in hand are reported once more only once: a second refusal would report them forever.
    order = with_hold(order, event.hold, restated=hold.restated or bool(event.units))
    return without_settled_holds(with_unconfirmed(order, event.hold, missing_parts(hold, event.units)))


def collection_answered(order: Order, event: e.CollectionAnswered) -> Order:
    hold = order.hold(event.hold)
    # The inventory answers in the order of the hand-overs, so the oldest one is answered.
    pending = () if hold is None else hold.collecting[1:]
    return without_settled_holds(with_hold(order, event.hold, collecting=pending))
