"""A change of store: the new store holds the goods before the old one releases them, or nothing changes."""

from typing import Any

import pytest

from bopis.domain.inventory.messages import ReleaseStock, ReserveStock
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import (
    CommandRefused,
    MoveEnded,
    NoticeDue,
    OrderMoved,
    OrderPromised,
    RoutingRequested,
)
from bopis.domain.orders.limits import MOVE_ATTEMPTS_MAX
from bopis.domain.orders.lines import LinePart, WantedLine
from bopis.domain.orders.state import LineState as S
from bopis.domain.orders.vocabulary import Allows, Initiator, Milestone, MoveEnd, RejectReason
from bopis.domain.sourcing.decision import Answer, AssignedLine, Elimination, EliminationReason, RoutingOutcome, Rung
from bopis.domain.sourcing.request import Component, Request
from bopis.domain.values import MINUTE_MS
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, S2, World, assignment, number

TO_S2 = m.MoveOrder(store=S2, by=Initiator.CUSTOMER)


def eliminated(reason: EliminationReason) -> Any:
    """Routing that has a reason against the store."""

    def route(request: Request, now_ms: int) -> Answer:
        against = Elimination(store=request.store or "", reason=reason)
        return Answer(rung=Rung.REFUSE, outcome=RoutingOutcome.REFUSED, reason=reason, eliminated=(against,))

    return route


def asked(world: World) -> World:
    """The new store was asked and the inventory is away: everything else has happened."""
    world.stock_is_away = True
    world.tell(TO_S2)
    return world


def test_the_new_store_holds_the_goods_before_the_old_one_releases_them() -> None:
    world = recipes.promised(World())

    told = world.tell(TO_S2)

    holds = [it for it in world.stock_said if isinstance(it.data, ReserveStock | ReleaseStock)]
    assert [(type(it.data).__name__, it.subject) for it in holds] == [
        ("ReserveStock", S1),
        ("ReserveStock", S2),
        ("ReleaseStock", S1),
    ]
    assert [type(it).__name__ for it in told] == [
        "MoveRequested", "RoutingRequested", "RouteTaken", "MoveHoldRequested", "OrderMoved", "OrderPromised",
        "NoticeDue",
    ]  # fmt: skip
    assert (world.line().store, world.order().store, world.order().move) == (S2, S2, None)
    assert (world.level(S1).held, world.level(S2).held) == (0, 2)


def test_promise_and_notice_follow_to_the_new_store() -> None:
    world = recipes.accepted(World())
    world.now_ms += 5 * MINUTE_MS

    told = world.tell(TO_S2)

    promised = next(it for it in told if isinstance(it, OrderPromised))
    notice = next(it for it in told if isinstance(it, NoticeDue))
    old, new = world.order().at(S1), world.order().at(S2)
    assert (promised.store, notice.store, notice.milestone) == (S2, S2, Milestone.PROMISE_CHANGED)
    assert old is not None
    assert (old.accepted_ms, old.promised, old.accept_by_ms) == (0, False, 0)
    assert new is not None
    assert (new.promised, new.accepted_ms, new.ready_by_ms) == (True, 0, promised.ready_by_ms)


def test_the_old_store_has_no_work_of_it_any_more_and_the_new_one_hands_it_over() -> None:
    world = recipes.promised(World())
    world.tell(TO_S2)

    moved = world.tell(m.AcceptPick(store=S1))
    world.tell(m.AcceptPick(store=S2))
    world.tell(m.RecordPick(store=S2, lines=recipes.PICK_ALL.lines))
    world.tell(m.StageOrder(store=S2, location="R1"))
    world.tell(m.HandOver(store=S2, proof=recipes.BY_CODE.proof, presented="right-code"))

    assert [it.reason.value for it in moved] == ["moved"]
    assert world.line().state is S.HANDED_OVER
    assert (world.level(S1).on_hand, world.level(S2).on_hand) == (10, 8)


@pytest.mark.parametrize(
    ("stock", "routing", "reason"),
    [
        ({S1: {"A": 5}}, None, MoveEnd.NO_STOCK),
        ({S1: {"A": 5}, S2: {"A": 1}}, None, MoveEnd.NO_STOCK),
        (None, eliminated(EliminationReason.NOT_ENOUGH_STOCK), MoveEnd.NO_STOCK),
        (None, eliminated(EliminationReason.NO_CAPACITY), MoveEnd.STORE_UNAVAILABLE),
        (None, eliminated(EliminationReason.PICKUP_OFF), MoveEnd.STORE_UNAVAILABLE),
    ],
)
def test_nothing_is_lost_when_the_new_store_cannot_have_it(stock: Any, routing: Any, reason: MoveEnd) -> None:
    world = recipes.promised(World(stock))
    before, held = world.line(), world.level(S1).held
    world.routing = routing or world.routing

    told = world.tell(TO_S2)

    ended = next(it for it in told if isinstance(it, MoveEnded))
    assert (ended.reason, ended.store) == (reason, S2)
    assert (world.line(), world.level(S1).held, world.level(S2).held) == (before, held, 0)
    assert world.sent(ReleaseStock) == [] or ended.hold
    assert world.order().pending_move is None


def test_a_part_of_the_goods_is_not_enough() -> None:
    def partly(request: Request, now_ms: int) -> Answer:
        one = (AssignedLine(line=1, quantity=1),)
        assigned = (assignment(request, S2, now_ms, lines=one),)
        return Answer(rung=Rung.SPLIT, outcome=RoutingOutcome.ROUTED, assignments=assigned)

    world = recipes.promised(World())
    world.routing = partly

    world.tell(TO_S2)

    assert [it.reason for it in world.of(MoveEnded)] == [MoveEnd.NO_STOCK]
    assert world.line().store == S1


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        ((m.AcceptPick(store=S1), m.StartPicking(store=S1)), MoveEnd.TOO_LATE),
        ((m.CancelOrder(by=Initiator.CUSTOMER),), MoveEnd.ORDER_CHANGED),
        ((m.CancelOrder(by=Initiator.CUSTOMER, parts=(LinePart(line=1, quantity=1),)),), MoveEnd.ORDER_CHANGED),
        ((m.RejectPick(store=S1, reason=RejectReason.TOO_BUSY),), MoveEnd.ORDER_CHANGED),
        ((m.StoreWithdrawn(store=S2),), MoveEnd.STORE_UNAVAILABLE),
        ((m.MoveOrder(store="S3", by=Initiator.STAFF),), MoveEnd.REPLACED),
    ],
    ids=["picking", "cancelled", "part cancelled", "rejected", "store withdrawn", "another store"],
)
def test_what_happens_meanwhile_comes_first_and_the_new_hold_is_released(meanwhile: Any, reason: MoveEnd) -> None:
    world = asked(recipes.promised(World()))

    for said in meanwhile:
        world.tell(said)
    world.stock_comes_back()

    assert next(it.reason for it in world.of(MoveEnded)) is reason
    assert world.of(OrderMoved) == []
    live = sum(line.quantity for line in world.order().live if line.store == S2)
    assert world.level(S2).held == live


def test_an_accepted_order_still_moves_while_the_new_store_is_asked() -> None:
    world = asked(recipes.promised(World()))

    world.tell(m.AcceptPick(store=S1))
    world.stock_comes_back()

    assert (world.line().store, world.line().state) == (S2, S.PROMISED)


def test_a_payment_that_is_decided_meanwhile_is_kept() -> None:
    world = asked(recipes.held(World()))

    world.tell(m.PaymentAuthorised(method="card"))
    world.stock_comes_back()

    assert (world.line().store, world.line().state) == (S2, S.PROMISED)
    assert world.level(S1).held == 0


def test_an_order_that_lost_its_payment_is_not_moved() -> None:
    world = recipes.held(World())
    world.tell(m.PaymentAuthorised(method="card"))
    world.tell(m.PaymentLapsed(cents=0))

    told = world.tell(TO_S2)

    assert [(type(it), it.reason.value) for it in told] == [(CommandRefused, "unpaid")]


def test_a_payment_that_lapses_meanwhile_ends_the_change() -> None:
    world = recipes.held(World())
    world.tell(m.PaymentAuthorised(method="card"))
    asked(world).tell(m.PaymentLapsed(cents=0))
    world.stock_comes_back()

    assert [it.reason for it in world.of(MoveEnded)] == [MoveEnd.ORDER_CHANGED]
    assert (world.line().store, world.level(S1).held, world.level(S2).held) == (S1, 2, 0)


def test_all_open_lines_move_together_and_a_kit_with_its_components() -> None:
    kit = WantedLine(
        line=2, sku="kit", quantity=1, components=(Component(sku="A", quantity=1), Component(sku="B", quantity=2))
    )
    world = recipes.promised(World(), lines=(("A", 2), kit))

    world.tell(TO_S2)

    assert {line.store for line in world.order().live} == {S2}
    assert [(world.level(it, sku).held) for it in (S1, S2) for sku in ("A", "B")] == [0, 0, 3, 2]


def test_an_order_that_is_fulfilled_whole_or_not_at_all_is_promised_there() -> None:
    world = recipes.promised(World(), allows=Allows(partial=False), lines=(("A", 1), ("B", 1)))

    world.tell(TO_S2)

    assert set(world.states().values()) == {"promised"}


def test_the_store_that_has_it_and_the_one_that_is_asked_are_refused() -> None:
    world = recipes.promised(World())

    here = world.tell(m.MoveOrder(store=S1, by=Initiator.CUSTOMER))
    again = asked(world).tell(TO_S2)

    assert [it.reason.value for it in (*here, *again)] == ["same_store", "same_store"]


def test_the_store_is_changed_a_limited_number_of_times_and_routing_keeps_its_attempts() -> None:
    world = recipes.promised(World())

    told = [world.tell(m.MoveOrder(store=(S2, S1)[n % 2], by=Initiator.CUSTOMER)) for n in range(MOVE_ATTEMPTS_MAX)]
    refused = [it.reason.value for it in told[-1] if isinstance(it, CommandRefused)]
    rejected = world.tell(m.RejectPick(store=world.line().store, reason=RejectReason.TOO_BUSY))

    assert refused == ["too_many_moves"]
    assert any(isinstance(it, RoutingRequested) for it in rejected)
    assert world.line().state is S.PROMISED


def test_a_late_answer_of_routing_or_of_the_inventory_changes_nothing() -> None:
    world = recipes.promised(World())
    late: list[Any] = []
    world.ask_routing = late.append  # type: ignore[method-assign]  # the answer is given below
    world.tell(TO_S2)
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER))

    world.to_orders.append(world.routed(late[0]))
    world.run()

    assert world.line().state is S.CANCELLED
    assert (world.level(S1).held, world.level(S2).held) == (0, 0)


def test_a_repeat_changes_nothing() -> None:
    world = recipes.promised(World())
    world.tell(TO_S2, number(), id="move-1")
    before = world.order()

    again = world.tell(TO_S2, number(), id="move-1")

    assert (again, world.order()) == ([], before)
