"""The queues of stores, summed while rows of orders come and go."""

import random

import msgspec
import pytest

from bopis.domain.orders.state import Line, LineState, Order, StoreWork
from bopis.domain.orders.vocabulary import Allows, CustomerRef, PaymentState
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.values import MINUTE_MS
from bopis.services.routing.open_orders import TO_PICK, OpenOrders

RULES = RuleSet(order_seconds=100, line_seconds=50)
STORES = ("S1", "S2", "S3")


def some_order(number: str, chance: random.Random) -> Order:
    """An order in any state, over any of the stores."""
    lines = tuple(
        Line(line=line, sku="X", quantity=1, state=chance.choice(list(LineState)), store=chance.choice(("", *STORES)))
        for line in range(1, chance.randint(2, 5))
    )
    return Order(
        order=number,
        key="k",
        request="r",
        customer=CustomerRef(id="c"),
        store="S1",
        allows=Allows(),
        placed_ms=chance.randrange(600_000),
        payment=PaymentState.PAY_IN_STORE,
        lines=lines,
        work=tuple(
            StoreWork(store=it, ready_by_ms=chance.randrange(600_000)) for it in STORES if chance.random() < 0.8
        ),
    )


def plain_queue(orders: dict[str, Order], store: str) -> dict[int, int]:
    """Minutes by the minute in which they are due, added up order by order."""
    queue: dict[int, int] = {}
    for order in orders.values():
        lines = [it for it in order.lines if it.store == store and it.state in TO_PICK]
        if lines:
            [promised] = [it.ready_by_ms for it in order.work if it.store == store] or [0]
            due = promised or order.placed_ms
            minute = due if due % MINUTE_MS == 0 else due + MINUTE_MS - due % MINUTE_MS
            queue[minute] = queue.get(minute, 0) + (100 + 50 * len(lines) + 59) // 60
    return dict(sorted(queue.items()))


@pytest.mark.parametrize("seed", range(20))
def test_a_queue_is_what_the_open_orders_of_the_store_add_up_to_whatever_came_and_went(seed: int) -> None:
    chance, known, held = random.Random(seed), OpenOrders(RULES), dict[str, Order]()
    for _ in range(120):
        number = f"O{chance.randrange(12)}"
        if chance.random() < 0.2:
            held.pop(number, None)
            known.take(number.encode(), None, 0)
        else:
            held[number] = some_order(number, chance)
            known.take(number.encode(), msgspec.json.encode(held[number]), 0)
        if chance.random() < 0.5:
            known.work(chance.choice(STORES))

        for store in STORES:
            assert {it.due_ms: it.minutes for it in known.work(store)} == plain_queue(held, store), f"seed {seed}"
