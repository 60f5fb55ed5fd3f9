"""What comes next for an order, told to whoever stands there with it. Pure."""

from collections.abc import Callable

from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.terms import TaskKind
from bopis.services.counter.walking import needs, walk
from bopis.services.counter.work import Step, step_of

Name = Callable[[str], str]
ON_THE_WAY = frozenset({LineState.PLACED, LineState.REROUTED, LineState.REJECTED, LineState.HELD})


def guidance(order: Order, name: Name = str) -> list[str]:
    """What comes next, store by store; each sentence names the command that does it."""
    number = shown(order.order)
    found = []
    for store in dict.fromkeys(it.store for it in order.live if it.store):
        lines = [it for it in order.in_store(store) if it.live]
        step = step_of(lines)
        if step is not None:
            found.append(_told(order, store, step, name))
    states = {it.state for it in order.live}
    if states & ON_THE_WAY and not found:
        found.append("a store is being asked to hold it; wait a moment")
    for offer in order.offers:
        stores = ", ".join(it.store for it in offer.offers)
        found.append(
            f"ask the customer: stores {stores} have it (bopis order answer {number} --take STORE, or --refuse)"
        )
    if LineState.WAITING in states:
        found.append("it waits for stock and goes on by itself when some appears")
    for task in order.tasks:
        if task.kind is TaskKind.PUT_BACK:
            found.append(f"store {task.store}: put the goods back (bopis pickup put-back {number} {task.task})")
        else:
            found.append(f"store {task.store}: count {task.sku} (bopis stock count {task.store} {task.sku}=NUMBER)")
    return found


def _told(order: Order, store: str, step: Step, name: Name) -> str:
    number, work = shown(order.order), order.at(store)
    match step:
        case Step.ACCEPT:
            return f"store {store}: accept it (bopis pickup accept {number})"
        case Step.PICK:
            goods = ", ".join(f"{it.units} x {_named(it.sku, name)}" for it in walk(needs(order, store)))
            return f"store {store}: pick {goods} (bopis pickup pick {number})"
        case Step.SUBSTITUTE:
            line = next(it for it in order.in_store(store) if it.state is LineState.SHORT)
            return (
                f"store {store}: line {line.line} lacks {line.quantity} x {name(line.sku)}; offer another SKU "
                f"(bopis pickup substitute {number} {line.line} SKU)"
            )
        case Step.ASK_CUSTOMER:
            line = next(it for it in order.in_store(store) if it.state is LineState.SUBSTITUTE_OFFERED)
            return (
                f"store {store}: the customer is asked whether {name(line.substitute)} will do "
                f"(bopis pickup substitute {number} {line.line} --accept, or --refuse)"
            )
        case Step.STAGE:
            return f"store {store}: put it where the counter finds it (bopis pickup stage {number} LOCATION)"
        case Step.HAND_OVER:
            place = f" from {work.location}" if work is not None and work.location else ""
            return f"store {store}: hand it over{place} (bopis pickup hand-over {number} --code CODE)"
        case Step.AWAIT_CUSTOMER:
            place = f" at {work.location}" if work is not None and work.location else ""
            return f"store {store}: it is ready{place}; the customer is told"
        case _:
            return f"store {store}: the rest of the order is not staged yet"


def _named(sku: str, name: Name) -> str:
    return sku if name(sku) == sku else f"{name(sku)} ({sku})"
