"""Next steps of an order as sentences for staff; each names the command that does it. Pure."""

from typing import assert_never

from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.store_queue import WorkItem, WorkStep, work_items
from bopis.domain.payments.money import plain_amount
from bopis.services.catalogue import NO_CATALOGUE, Catalogue
from bopis.services.counter.pick_walk import Stop, needs, walk
from bopis.services.counter.refusal_text import take_text

STOPS_SHOWN = 10  # the pick list has them all
HOLD_PENDING = frozenset({LineState.PLACED, LineState.REROUTED, LineState.REJECTED, LineState.HELD})


def guidance(order: Order, catalogue: Catalogue = NO_CATALOGUE) -> list[str]:
    """Next steps store by store, then open questions to the customer, waiting lines, and tasks."""
    number = shown(order.order)
    items = work_items(order)
    found = [_sentence(order, item, catalogue) for item in items if not item.task]
    states = {line.state for line in order.live}
    if states & HOLD_PENDING and not found:
        found.append("a hold is being requested from a store; wait a moment")
    if order.pending_move is not None:
        found.append(f"store {order.pending_move.store} is asked whether it can have it; wait a moment")
    for offer in order.offers:
        stores = ", ".join(it.store for it in offer.offers)
        found.append(
            f"ask the customer: stores {stores} have it (bopis order answer {number} --take STORE, or --refuse)"
        )
    if LineState.WAITING in states:
        found.append("it waits for stock and is routed again when some appears")
    return found + [_sentence(order, item, catalogue) for item in items if item.task]


def _sentence(order: Order, item: WorkItem, catalogue: Catalogue) -> str:
    number, store, name = shown(order.order), item.store, catalogue.name
    match item.step:
        case WorkStep.ACCEPT:
            return f"store {store}: accept it (bopis pickup accept {number})"
        case WorkStep.PICK:
            stops = walk(needs(order, store))
            goods = ", ".join(_goods(it, catalogue) for it in stops[:STOPS_SHOWN])
            goods += f" and {len(stops) - STOPS_SHOWN} more" if len(stops) > STOPS_SHOWN else ""
            return f"store {store}: pick {goods} (bopis pickup pick {number})"
        case WorkStep.SUBSTITUTE:
            line = next(it for it in order.in_store(store) if it.state is LineState.SHORT)
            lacks = f"line {line.line} lacks {catalogue.goods(line.quantity, line.sku)}; offer another SKU"
            return f"store {store}: {lacks} (bopis pickup substitute {number} {line.line} SKU)"
        case WorkStep.ASK_CUSTOMER:
            line = next(it for it in order.in_store(store) if it.state is LineState.SUBSTITUTE_OFFERED)
            asked = f"the customer is asked whether {name(line.substitute)} will do"
            return f"store {store}: {asked} (bopis pickup substitute {number} {line.line} --accept, or --refuse)"
        case WorkStep.STAGE:
            return f"store {store}: put it on the pickup shelf (bopis pickup stage {number} LOCATION)"
        case WorkStep.HAND_OVER:
            place = f" from {item.location}" if item.location else ""
            pay = f"{_pay(order, item)}, then " if item.to_pay_cents else ""
            return f"store {store}: {pay}hand it over{place} (bopis pickup hand-over {number} --code CODE)"
        case WorkStep.AWAIT_CUSTOMER:
            place = f" at {item.location}" if item.location else ""
            return f"store {store}: it is ready{place}; the customer has been notified"
        case WorkStep.WAIT:
            return f"store {store}: the rest of the order is not staged yet"
        case WorkStep.PUT_BACK:
            return f"store {store}: put {_named(item.sku, catalogue)} back (bopis pickup put-back {number} {item.task})"
        case WorkStep.COUNT:
            return f"store {store}: count {_named(item.sku, catalogue)} (bopis stock count {store} {item.sku}=NUMBER)"
        case _:
            assert_never(item.step)


def _pay(order: Order, item: WorkItem) -> str:
    """What the customer pays before the hand-over. Of an order with methods its payment has to know first."""
    cents = item.to_pay_cents or 0
    return take_text(order, cents) if order.methods else f"take {plain_amount(cents, item.currency)}"


def _goods(stop: Stop, catalogue: Catalogue) -> str:
    named = "" if catalogue.name(stop.sku) == stop.sku else f" ({stop.sku})"
    return catalogue.goods(stop.units, stop.sku) + named


def _named(sku: str, catalogue: Catalogue) -> str:
    return sku if catalogue.name(sku) == sku else f"{catalogue.name(sku)} ({sku})"
