"""Queries about orders: one, many, their history, the queue of a store and its tasks."""

import msgspec
import pytest
from sqlalchemy import Engine

from bopis.domain.notices.messages import NoticeRequest
from bopis.domain.notices.state import Delivery, Notice, OrderNotices
from bopis.domain.notices.vocabulary import Channel, CustomerRef, DeliveryState, Milestone
from bopis.domain.orders import messages as m
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState
from bopis.domain.orders.store_queue import WorkStep
from bopis.domain.orders.vocabulary import Initiator, TaskKind
from bopis.domain.values import MINUTE_MS
from bopis.ports import ListKey, OrderFilter
from bopis.readside import queries
from bopis.readside.engine import reading
from bopis.readside.queries.orders import SqlOrders
from bopis.readside.writer import Batch, Projection
from bopis.services.counter.errors import NumberUnclear, OrderUnknown
from bopis.services.counter.order_lookup import order_named
from bopis.wire.changelog import Claim, encode_note
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, S2, number
from tests.readside.orderlog import OrderLog
from tests.readside.world import T0_MS, Record


def test_an_order_is_found_by_its_number_as_people_write_it_and_by_a_begin_that_fits_only_one(engine: Engine) -> None:
    log = OrderLog()
    for n in (1, 2):
        log.place(n)
    log.project(engine)
    short = next(number(1)[:length] for length in range(2, 9) if not number(2).startswith(number(1)[:length]))

    with reading(engine) as snapshot:
        orders = SqlOrders(snapshot)
        by_number = order_named(orders, shown(number(1)).lower())
        by_begin = order_named(orders, short)

        assert by_number.order == by_begin.order == number(1)
        with pytest.raises(OrderUnknown):
            order_named(orders, "ZZZZ-ZZZZ")
        with pytest.raises(OrderUnknown):
            order_named(orders, "Z")


def test_a_begin_that_fits_several_names_them_and_means_the_open_one_when_only_one_is(engine: Engine) -> None:
    log = OrderLog()
    numbers: dict[str, list[int]] = {}
    n = 0
    while max(map(len, numbers.values()), default=0) < 2:
        n += 1
        numbers.setdefault(number(n)[:2], []).append(n)
    begin, pair = next((begin, found) for begin, found in numbers.items() if len(found) == 2)
    for it in pair:
        log.place(it)
    log.project(engine)

    with reading(engine) as snapshot, pytest.raises(NumberUnclear, match=number(pair[0])):
        order_named(SqlOrders(snapshot), begin)

    log.tell(m.CancelOrder(by=Initiator.CUSTOMER), number(pair[0]))
    log.project(engine)
    with reading(engine) as snapshot:
        assert order_named(SqlOrders(snapshot), begin).order == number(pair[1])
        assert [it.order for it in SqlOrders(snapshot).find(OrderFilter(begin), 50)] == [number(pair[1])]


def test_orders_are_listed_newest_first_by_page_and_by_what_they_have_in_common(engine: Engine) -> None:
    log = OrderLog()
    for n in range(1, 6):
        log.place(n, lines=(("A", 1), ("B", 1)))
        log.now_ms += MINUTE_MS
    log.tell(m.CancelOrder(by=Initiator.CUSTOMER), number(2))
    log.project(engine)

    with reading(engine) as snapshot:
        orders = SqlOrders(snapshot)
        first = orders.find(OrderFilter(ended=True), 3)
        last = ListKey(first[-1].placed_ms, first[-1].order)
        second = orders.find(OrderFilter(ended=True, after=last), 3)
        cancelled = orders.find(OrderFilter(state=LineState.CANCELLED, ended=True), 3)
        of_one = orders.find(OrderFilter(customer="c3", store=S1, state=LineState.PROMISED), 3)
        since = orders.find(OrderFilter(placed_since_ms=first[1].placed_ms, ended=True), 9)
        before = orders.find(OrderFilter(placed_before_ms=first[1].placed_ms, ended=True), 9)

        assert [it.order for it in (*first, *second)] == [number(n) for n in (5, 4, 3, 2, 1)]
        assert [(it.order, it.state, len(it.lines)) for it in cancelled] == [(number(2), LineState.CANCELLED, 2)]
        assert [it.order for it in orders.find(OrderFilter(), 9)] == [number(n) for n in (5, 4, 3, 1)]
        assert [it.order for it in of_one] == [number(3)]
        assert [it.order for it in since] == [number(5), number(4)]
        assert [it.order for it in before] == [number(n) for n in (3, 2, 1)]
        assert orders.find(OrderFilter(store=S2), 9) == []


def test_the_story_of_an_order_tells_what_happened_and_which_decision_was_taken(engine: Engine) -> None:
    log = OrderLog()
    recipes.accepted(log)
    log.tell(m.RejectPick(store=S1, reason=m.RejectReason.TOO_BUSY))
    log.project(engine)

    story = queries.order_history(engine, number())

    assert [it.type for it in story.timeline][:2] == ["order_placed", "routing_requested"]
    assert all(it.caused_by and it.device for it in story.timeline)
    accepted = next(it for it in story.timeline if it.type == "pick_accepted")
    assert (accepted.actor, accepted.device, accepted.store) == ("kim", "desk", S1)
    assert [(it.attempt, it.taken) for it in story.decisions] == [(1, True), (2, True)]
    assert story.decisions[1].request.excluded[0].store == S1
    assert story.decisions[1].answer.assignments[0].store == S2


def test_the_queue_of_a_store_begins_with_who_stands_at_the_counter(engine: Engine) -> None:
    log = OrderLog()
    recipes.arrived(log)
    log.place(2)
    log.place(3)
    log.tell(m.AcceptPick(store=S1), number(3))
    log.tell(m.AssignPicker(store=S1, picker="robin"), number(3))
    log.project(engine)

    queue = queries.pickup_queue(engine, S1)
    everywhere = queries.pickup_queue(engine)

    assert [(it.order, it.step, it.picker) for it in queue] == [
        (number(1), WorkStep.HAND_OVER, ""),
        (number(2), WorkStep.ACCEPT, ""),
        (number(3), WorkStep.PICK, "robin"),
    ]
    assert [it.order for it in everywhere] == [it.order for it in queue]
    assert queries.pickup_queue(engine, S2) == []


def test_tasks_are_open_until_they_are_done(engine: Engine) -> None:
    log = OrderLog()
    recipes.picked(log)
    log.tell(m.CancelOrder(by=Initiator.CUSTOMER))
    log.project(engine)

    (task,) = queries.open_tasks(engine, S1)
    log.tell(m.ConfirmPutBack(task=task.task))
    log.project(engine)

    assert (task.kind, task.order, task.sku, task.units) == (TaskKind.PUT_BACK, number(), "A", 2)
    assert task.raised_at is not None
    assert queries.open_tasks(engine) == []


def test_all_orders_of_a_customer_are_found(engine: Engine) -> None:
    log = OrderLog()
    for n in (1, 2, 3):
        log.place(n, customer=m.CustomerRef(id="same" if n < 3 else "other"))
    log.project(engine)

    with reading(engine) as snapshot:
        found = SqlOrders(snapshot).find(OrderFilter(customer="same", ended=True), None)
    assert {it.order for it in found} == {number(1), number(2)}


def test_what_a_customer_was_told_stands_by_notice_and_channel_as_it_stands_now(engine: Engine) -> None:
    def row(state: DeliveryState, cause: str) -> bytes:
        due = NoticeRequest(milestone=Milestone.READY, version=1, customer=CustomerRef(id="c1"), store=S1, lines=())
        deliveries = (
            Delivery(channel=Channel.EMAIL, state=state, attempt=2, failures=1, cause=cause, changed_ms=T0_MS + 1),
            Delivery(channel=Channel.SMS, state=DeliveryState.SENT, attempt=1, changed_ms=T0_MS),
        )
        notice = Notice(notice=due, copy=0, asked_by="m1", opened_ms=T0_MS, deliveries=deliveries)
        return msgspec.json.encode(OrderNotices(order=number(), customer=CustomerRef(id="c1"), notices=(notice,)))

    records = [
        Record(0, T0_MS, b"\x00claim", encode_note(Claim("a", 1, 0))),
        Record(1, T0_MS, number().encode(), row(DeliveryState.WAITING, "mailbox full")),
        Record(2, T0_MS, number().encode(), row(DeliveryState.FAILED, "given up")),
    ]
    Projection(engine).write_many([Batch("notice-state", 0, records)])

    told = queries.order_notices(engine, number())

    assert [(it.channel, it.state, it.attempt, it.failures, it.cause) for it in told] == [
        ("email", "failed", 2, 1, "given up"),
        ("sms", "sent", 1, 0, ""),
    ]
    assert queries.order_notices(engine, number(2)) == []
    assert queries.newest_notices(engine, "sent", 5) == [told[1]]
    assert len(queries.newest_notices(engine, None, 5)) == 2
    assert queries.newest_notices(engine, None, 1) == [told[0]]
