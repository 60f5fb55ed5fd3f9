"""What can be asked about orders: one, many, why, the queue of a store and its tasks."""

from datetime import UTC, datetime

import msgspec
import pytest
from sqlalchemy import Engine

from bopis.domain.notices.messages import NoticeDue
from bopis.domain.notices.state import Delivery, Notice, OrderNotices
from bopis.domain.notices.terms import Channel, CustomerRef, DeliveryState, Milestone
from bopis.domain.orders import messages as m
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState
from bopis.domain.orders.terms import By, TaskKind
from bopis.domain.values import MINUTE_MS
from bopis.readside import queries
from bopis.readside.errors import CursorInvalid, OrderUnclear, OrderUnknown
from bopis.readside.orders.work import Step
from bopis.readside.writer import Batch, Projection
from streams.changelog import Claim, encode_note
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

    by_number = queries.one_order(engine, shown(number(1)).lower())
    by_begin = queries.one_order(engine, short)

    assert by_number.order == by_begin.order == number(1)
    with pytest.raises(OrderUnknown):
        queries.one_order(engine, "ZZZZ-ZZZZ")
    with pytest.raises(OrderUnknown):
        queries.one_order(engine, "Z")


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

    with pytest.raises(OrderUnclear, match=number(pair[0])):
        queries.one_order(engine, begin)

    log.tell(m.CancelOrder(by=By.CUSTOMER), number(pair[0]))
    log.project(engine)
    assert queries.one_order(engine, begin).order == number(pair[1])
    assert queries.open_numbers(engine, begin.lower()) == [number(pair[1])]


def test_orders_are_listed_newest_first_by_page_and_by_what_they_have_in_common(engine: Engine) -> None:
    log = OrderLog()
    for n in range(1, 6):
        log.place(n, lines=(("A", 1), ("B", 1)))
        log.now_ms += MINUTE_MS
    log.tell(m.CancelOrder(by=By.CUSTOMER), number(2))
    log.project(engine)

    first = queries.orders(engine, page=queries.Page(limit=3))
    second = queries.orders(engine, page=queries.Page(limit=3, cursor=first.next))
    ended = queries.orders(engine, queries.OrderFilter(live=False))

    assert [it.order for it in (*first.orders, *second.orders)] == [number(n) for n in (5, 4, 3, 2, 1)]
    assert second.next is None
    assert [(it.order, it.state, it.lines, it.units) for it in ended.orders] == [
        (number(2), LineState.CANCELLED, 2, 2),
    ]
    of_one = queries.orders(engine, queries.OrderFilter(customer="c3", store=S1, state=LineState.PROMISED))
    assert [it.order for it in of_one.orders] == [number(3)]
    since = datetime.fromtimestamp(first.orders[1].placed_at.timestamp(), UTC)
    assert len(queries.orders(engine, queries.OrderFilter(since=since)).orders) == 2
    assert queries.orders(engine, queries.OrderFilter(store=S2)).orders == ()
    with pytest.raises(CursorInvalid):
        queries.orders(engine, page=queries.Page(cursor="nonsense"))


def test_the_story_of_an_order_tells_what_happened_and_which_decision_was_taken(engine: Engine) -> None:
    log = OrderLog()
    recipes.accepted(log)
    log.tell(m.RejectPick(store=S1, reason=m.RejectReason.TOO_BUSY))
    log.project(engine)

    story = queries.order_story(engine, number())

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

    assert [(it.order, it.step, it.picker) for it in queue] == [
        (number(1), Step.HAND_OVER, ""),
        (number(2), Step.ACCEPT, ""),
        (number(3), Step.PICK, "robin"),
    ]


def test_tasks_are_open_until_they_are_done(engine: Engine) -> None:
    log = OrderLog()
    recipes.picked(log)
    log.tell(m.CancelOrder(by=By.CUSTOMER))
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

    assert [it.order for it in queries.orders_of(engine, "same")] == [number(1), number(2)]


def test_what_a_customer_was_told_stands_by_notice_and_channel_as_it_stands_now(engine: Engine) -> None:
    def row(state: DeliveryState, cause: str) -> bytes:
        due = NoticeDue(milestone=Milestone.READY, version=1, customer=CustomerRef(id="c1"), store=S1, lines=())
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
