"""Mistakes that other systems are known for, each made impossible here."""

import os
import time

import pytest

from bopis.domain.inventory.messages import CollectStock, CountLine, PosSale, ReleaseStock, SaleLine, StockCounted
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import (
    CaptureRequested,
    NoticeDue,
    OrderCancelled,
    OrderExpired,
    OrderReady,
    RefundRequested,
    VoidRequested,
)
from bopis.domain.orders.lines import PickedLine, ReturnedLine
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Allows, Document, Initiator, Milestone, Proof, TaskKind
from bopis.domain.sourcing.decision import Answer
from bopis.domain.sourcing.request import Request
from bopis.domain.values import DAY_MS, HOUR_MS
from tests.domain.books import at
from tests.domain.orders.recipes import BY_CODE, handed_over, picked, picking, promised, ready
from tests.domain.orders.world import S1, S2, World, nowhere, to_first_free

TWO_LINES = (("A", 2), ("B", 1))


def nowhere_but_the_first(request: Request, now_ms: int) -> Answer:
    """The first store or none."""
    return nowhere(request, now_ms) if request.excluded else to_first_free(request, now_ms)


def test_two_orders_never_get_the_last_unit() -> None:
    world = World({S1: {"A": 2}, S2: {"A": 0}})

    world.place(1)
    world.place(2)

    assert (world.states(1), world.order(2).state) == ({1: "promised"}, LineState.CANCELLED)
    assert world.level().held == 2


def test_cancel_never_releases_twice() -> None:
    world = promised(World())

    world.tell(m.CancelOrder(by=Initiator.CUSTOMER))
    world.tell(m.CancelOrder(by=Initiator.STAFF))

    assert len(world.sent(ReleaseStock)) == 1
    assert (world.level().held, world.level().on_hand) == (0, 10)


def test_cancel_never_releases_what_was_handed_over() -> None:
    world = handed_over(World())

    told = world.tell(m.CancelOrder(by=Initiator.CUSTOMER))

    assert [it.reason.value for it in told] == ["handed_over"]
    assert not world.sent(ReleaseStock)
    assert (world.level().held, world.level().on_hand) == (0, 8)


def test_a_payment_after_the_cancellation_is_given_back_and_revives_nothing() -> None:
    world = promised(World(), methods=("card",))
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER))
    voided_before = len(world.of(VoidRequested))

    world.tell(m.PaymentAuthorised(method="card"))

    assert (world.order().state, world.level().held) == (LineState.CANCELLED, 0)
    assert (voided_before, len(world.of(VoidRequested))) == (1, 2)
    assert not world.of(CaptureRequested)


def test_one_refunded_line_never_blocks_the_pickup_of_the_rest() -> None:
    world = picking(World(), lines=TWO_LINES)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2), PickedLine(line=2, picked=1))))
    world.tell(m.StageOrder(store=S1, location="R1"))

    world.tell(m.CancelOrder(by=Initiator.CUSTOMER, lines=(1,)))
    world.tell(BY_CODE)

    assert world.states() == {1: "cancelled", 2: "handed_over"}
    assert (world.level(sku="A").on_hand, world.level(sku="B").on_hand) == (10, 9)


def test_a_returned_line_is_refunded_and_the_rest_can_still_be_collected() -> None:
    world = promised(World(), lines=TWO_LINES, methods=("card",))
    world.tell(m.PaymentAuthorised(method="card"))
    world.tell(m.AcceptPick(store=S1))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2), PickedLine(line=2, picked=1))))
    world.tell(m.StageOrder(store=S1, location="R1"))
    one = m.HandOver(store=S1, proof=BY_CODE.proof, presented="right-code", lines=(1,))
    world.tell(one)

    world.tell(m.ReturnInStore(store=S2, lines=(ReturnedLine(line=1, quantity=2),)))
    world.tell(BY_CODE)

    assert world.states() == {1: "returned", 2: "handed_over"}
    assert [it.amount.cents for it in world.of(CaptureRequested)] == [200, 100]
    assert [it.amount.cents for it in world.of(RefundRequested)] == [200]
    told = [it for it in world.of(NoticeDue) if it.milestone is Milestone.REFUNDED]
    assert [(it.store, it.lines[0].line, it.lines[0].quantity) for it in told] == [(S2, 1, 2)]


def test_an_order_is_never_complete_while_a_part_of_it_waits() -> None:
    world = picking(World({S1: {"A": 2}, S2: {}}), allows=Allows(wait_hours=48))
    world.routing = nowhere
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=1),)))
    world.tell(m.StageOrder(store=S1, location="R1"))

    world.tell(BY_CODE)

    assert world.states() == {1: "handed_over", 2: "waiting"}
    assert world.order().state is LineState.WAITING
    assert not world.order().code.used


def test_a_reminder_is_never_skipped_by_a_day_without_service() -> None:
    world = ready(World())
    end_ms = world.of(OrderReady)[0].window_end_ms

    told = world.wait(end_ms - world.now_ms - HOUR_MS)  # nobody looked at either reminder's moment

    assert [it.milestone for it in told if isinstance(it, NoticeDue)] == [Milestone.REMINDER]


def test_a_reminder_is_never_sent_twice() -> None:
    world = ready(World())
    end_ms = world.of(OrderReady)[0].window_end_ms
    world.wait(end_ms - world.now_ms - 23 * HOUR_MS)

    for _ in range(3):
        world.wait(1)
        world.tell(m.OrderTick(at=at(world.now_ms)))

    reminders = [it for it in world.of(NoticeDue) if it.milestone is Milestone.REMINDER]
    assert [it.version for it in reminders] == [1]


def test_no_reminder_is_sent_once_the_window_is_over() -> None:
    world = ready(World())

    told = world.wait(7 * DAY_MS)

    assert [it.milestone for it in told if isinstance(it, NoticeDue)] == [Milestone.EXPIRED]
    assert len(world.of(OrderExpired)) == 1


def test_the_count_of_another_store_never_closes_a_count_task() -> None:
    world = picking(World())
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=1),)))
    world.now_ms += 1
    counted = StockCounted(lines=(CountLine(sku="A", counted=9),))

    world.tell_stock(S2, counted)
    open_after_the_other = [it.kind for it in world.order().tasks]
    world.tell_stock(S1, counted)

    assert open_after_the_other == [TaskKind.COUNT]
    assert not world.order().tasks
    assert (world.level(S1).in_doubt, world.level(S1).on_hand) == (0, 10)


def test_a_sale_that_an_offline_till_sends_twice_takes_held_units_once() -> None:
    world = promised(World({S1: {"A": 2}, S2: {"A": 5}}))
    sale = PosSale(basket="b1", lines=(SaleLine("A", 1),))

    for _ in range(2):
        world.tell_stock(S1, sale, id="till/1", source="till-1", seq=1, time=at(world.now_ms))

    assert world.level(S1).on_hand == 1
    assert world.states() == {1: "promised", 2: "promised"}
    assert {it.line: it.quantity for it in world.order().lines} == {1: 1, 2: 1}


def test_a_paid_sale_of_an_offline_till_is_never_lost_although_the_books_had_nothing_left() -> None:
    world = ready(World({S1: {"A": 2}, S2: {}}))
    sold_ms = world.now_ms
    world.now_ms += 3 * DAY_MS  # the till's line was cut for days, and goods were promised meanwhile

    world.tell_stock(
        S1, PosSale(basket="b1", lines=(SaleLine("A", 1),)), id="till/1", source="till-1", seq=1, time=at(sold_ms)
    )
    world.tell(m.HandOver(store=S1, proof=Proof.IDENTITY, document=Document.PASSPORT))

    assert world.refuses == []
    assert world.states() == {1: "handed_over"}, "goods in hand count"
    assert world.level(S1).on_hand == -1, "three units left, two were in the books: evidence that is kept"


def test_a_count_is_never_booked_to_another_store() -> None:
    world = World({S1: {"A": 10}, S2: {"A": 10}})
    world.now_ms += 1

    world.tell_stock(S2, StockCounted(lines=(CountLine(sku="A", counted=3),)))

    assert (world.level(S1).on_hand, world.level(S2).on_hand) == (10, 3)


def test_a_limit_is_never_decided_in_binary_floats() -> None:
    """0.3 - 0.1 - 0.1 is less than 0.1 in binary; three times 100 g of 300 g are all there is."""
    world = World({S1: {"A": 300}, S2: {}}, routing=nowhere_but_the_first)

    for n in range(1, 5):
        world.place(n, lines=(("A", 100),))

    assert [world.states(n)[1] for n in range(1, 5)] == ["promised", "promised", "promised", "cancelled"]
    assert (world.level(S1).held, world.level(S1).on_hand) == (300, 300)


def test_the_same_sku_on_two_lines_is_held_and_handed_over_twice() -> None:
    world = picking(World(), lines=(("A", 2), ("A", 3)))
    held = world.level().held
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2), PickedLine(line=2, picked=3))))
    world.tell(m.StageOrder(store=S1, location="R1"))

    world.tell(BY_CODE)

    assert held == 5
    assert (world.level().on_hand, world.level().held) == (5, 0)


def test_lines_of_one_order_are_never_checked_each_alone() -> None:
    world = World({S1: {"A": 3}, S2: {}})

    world.place(lines=(("A", 2), ("A", 2)))

    assert world.order().state is LineState.CANCELLED
    assert world.level().held == 0


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_servers_time_zone_never_moves_the_stores_day(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    try:
        world = ready(World())
    finally:
        monkeypatch.undo()
        time.tzset()

    closings = world.order().work[0].closings
    assert world.of(OrderReady)[0].window_end_ms in closings
    assert world.of(OrderReady)[0].window_end_ms == [it for it in closings if it > world.now_ms][3]


def test_goods_leave_the_books_only_when_they_leave_the_store() -> None:
    world = picked(World())

    assert (world.level().on_hand, world.level().staged) == (10, 2)
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)
    assert (world.level().on_hand, world.level().staged) == (8, 0)
    assert len(world.sent(CollectStock)) == 1


def test_an_order_is_never_told_ready_after_it_ended() -> None:
    world = picked(World())
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER))

    told = world.tell(m.StageOrder(store=S1, location="R1"))

    assert [it.reason.value for it in told] == ["cancelled"]
    assert not world.of(OrderReady)
    assert len(world.of(OrderCancelled)) == 1
