"""Orders as rows: as they stand, what happened to each, how stores were chosen."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, select

from bopis.domain.orders import messages as m
from bopis.domain.orders.state import Order
from bopis.domain.orders.store_queue import queue
from bopis.domain.orders.vocabulary import CustomerRef, Initiator
from bopis.domain.values import DAY_MS, HOUR_MS
from bopis.readside import queries
from bopis.readside.orders import tables
from bopis.readside.orders.current import shown
from bopis.readside.writer import Batch, Projection
from bopis.wire.orders import ORDERS
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, number
from tests.readside.orderlog import OrderLog
from tests.readside.tables import contents


def _rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table)))


def _everything() -> OrderLog:
    """One of each way in which an order can go on."""
    log = OrderLog()
    recipes.handed_over(log)
    log.place(2, lines=(("A", 2), ("B", 1)))
    log.tell(m.AcceptPick(store=S1), number(2))
    log.tell(recipes.PICK_NONE, number(2))
    log.place(3)
    log.wait(HOUR_MS)
    log.wait(5 * DAY_MS)
    return log


def test_an_order_is_put_as_it_stands_with_its_lines_and_without_what_only_its_processor_needs(engine: Engine) -> None:
    log = OrderLog()
    recipes.picking(log, lines=(("A", 2), ("B", 1)))

    log.project(engine)

    (row,) = _rows(engine, tables.orders)
    kept = msgspec.json.decode(row.row, type=Order)
    assert kept == shown(log.order())
    assert (row.order_id, row.state, row.live, row.store, row.customer) == (number(), "picking", True, S1, "c1")
    assert "right-code" not in row.row
    assert log.order().code.code_hash
    assert [(it.line, it.sku, it.quantity, it.state, it.store) for it in _rows(engine, tables.order_lines)] == [
        (1, "A", 2, "picking", S1),
        (2, "B", 1, "picking", S1),
    ]


def test_every_conclusion_is_told_once_with_device_actor_and_both_clocks(engine: Engine) -> None:
    log = _everything()

    log.project(engine)

    told = sorted(_rows(engine, tables.order_timeline), key=lambda it: it.offset)
    assert len(told) == len(log.events)
    for row, (order, event) in zip(told, log.events, strict=True):
        stamp = event.stamp
        assert (row.order_id, row.source, row.actor or "") == (order, stamp.device, stamp.actor)
        assert (row.occurred_ms, row.recorded_ms) == (stamp.at_ms, stamp.recorded_at_ms)


def test_what_a_worker_concludes_again_after_a_crash_stands_as_it_came_first(engine: Engine) -> None:
    log = _everything()
    events = log.topics["order-events"]
    first = len(events) // 2
    again = events[first - 3 : first]
    repeated = [*events[:first], *again, *events[first:]]
    repeated = [it._replace(offset=offset, timestamp=it.timestamp + 7) for offset, it in enumerate(repeated)]
    projection = Projection(engine)

    projection.write_many([Batch("order-events", 0, repeated[:first])])
    projection.write_many([Batch("order-events", 0, repeated[first:])])

    told = sorted(_rows(engine, tables.order_timeline), key=lambda it: it.offset)
    assert [it.order_id for it in told] == [order for order, _ in log.events]
    assert [it.offset for it in told[first - 3 : first]] == [first - 3, first - 2, first - 1]


@pytest.mark.parametrize("sizes", [(1,) * 400, (3, 1, 7) * 30])
def test_the_size_of_the_batches_changes_nothing(fresh: Callable[[], Engine], sizes: tuple[int, ...]) -> None:
    log = _everything()
    whole, parts = fresh(), fresh()

    log.project(whole)
    log.project(parts, sizes)

    assert contents(whole) == contents(parts)


def test_a_decision_is_kept_with_its_answer_and_the_place_of_its_facts(engine: Engine) -> None:
    log = _everything()

    log.project(engine)

    rows = _rows(engine, tables.order_decisions)
    of_first = next(it for it in rows if it.order_id == number())
    assert (of_first.attempt, of_first.digest, of_first.outcome, of_first.stores) == (1, "d1", "routed", S1)
    assert msgspec.json.decode(of_first.answer)["assignments"][0]["store"] == S1
    record = log.topics["orders"][of_first.offset]
    assert ORDERS.type_name(m.OrderRouted).encode() in (record.value or b"")
    assert {it.order_id for it in rows} == {number(1), number(2), number(3)}


def put_back(log: OrderLog) -> None:
    recipes.picked(log)
    log.tell(m.CancelOrder(by=Initiator.CUSTOMER))


def to_count(log: OrderLog) -> None:
    recipes.picking(log)
    log.tell(recipes.PICK_NONE)


@pytest.mark.parametrize(
    "recipe",
    [
        recipes.promised, recipes.accepted, recipes.picking, recipes.picked, recipes.staged, recipes.ready,
        recipes.arrived, recipes.short, recipes.substitute_offered, recipes.handed_over, put_back, to_count,
    ],
    ids=lambda it: it.__name__,
)  # fmt: skip
def test_the_queue_of_a_store_says_the_same_as_the_counter(engine: Engine, recipe: Callable[[OrderLog], Any]) -> None:
    log = OrderLog()
    recipe(log)
    log.project(engine)

    rows = queries.pickup_queue(engine, S1)

    assert [(it.order, it.step.value, it.due_ms, it.lines, it.units, it.location, it.task, it.sku) for it in rows] == [
        (it.order, it.step.value, it.due_ms, it.lines, it.units, it.location, it.task, it.sku)
        for it in queue([log.order()], S1, log.now_ms)
    ]


def test_a_customer_stands_in_the_tables_sealed_as_in_the_log(engine: Engine) -> None:
    log = OrderLog()
    log.place(customer=CustomerRef(id="c9", sealed="s1.sealed-value"))

    log.project(engine)

    (row,) = _rows(engine, tables.orders)
    assert row.customer == "c9"
    assert "s1.sealed-value" in row.row
