"""Folds of routing: pending attempts, offers, lines waiting for stock."""

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders.order_updates import with_lines
from bopis.domain.orders.state import LineState, Offer, Order, PendingRoute


def routing_requested(order: Order, event: e.RoutingRequested) -> Order:
    if order.pending_move is not None and order.pending_move.attempt == event.attempt:
        # The lines keep their store and their holds until another store holds them.
        return replace(order, attempt=event.attempt)
    numbers = tuple(line.line for line in event.request.lines)
    if event.attempt > 1:
        # Only later attempts reset the lines: before the first one they have no store and no picked units.
        order = with_lines(order, numbers, state=LineState.REROUTED, store="", picked=(), decide_by_ms=0)
    pending = PendingRoute(attempt=event.attempt, lines=numbers)
    return replace(order, attempt=event.attempt, pending_routes=(*order.pending_routes, pending))


def route_taken(order: Order, event: e.RouteTaken) -> Order:
    if order.pending_move is not None and order.pending_move.attempt == event.attempt:
        return order
    # Answers come at least once: with the attempt gone, a second answer finds nothing to act on.
    pending = tuple(route for route in order.pending_routes if route.attempt != event.attempt)
    return replace(order, pending_routes=pending, unserved=event.unserved)


def alternative_offered(order: Order, event: e.AlternativeOffered) -> Order:
    offer = Offer(attempt=event.attempt, lines=event.lines, offers=event.offers, answer_by_ms=event.answer_by_ms)
    order = with_lines(order, event.lines, state=LineState.OFFERED, store="")
    return replace(order, offers=(*order.offers, offer))


def alternative_answered(order: Order, event: e.AlternativeAnswered) -> Order:
    return replace(order, offers=tuple(offer for offer in order.offers if offer.attempt != event.attempt))


def lines_waiting(order: Order, event: e.LinesWaiting) -> Order:
    # A store that lacked a SKU may have it when the lines wake; one that takes no orders at all stays excluded.
    excluded = tuple(it for it in order.excluded if it.sku not in event.skus)
    waiting = {"state": LineState.WAITING, "store": "", "decide_by_ms": event.wait_until_ms}
    return with_lines(replace(order, excluded=excluded), event.lines, **waiting)
