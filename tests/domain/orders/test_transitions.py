"""What each step of an order concludes, asks of stores, and tells the customer."""

import pytest

from bopis.domain.inventory.messages import Condition, CountLine, PosReturn, ReserveStock, StockCounted, StockPicked
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import (
    CaptureRequested,
    CommandRefused,
    LineShort,
    NoticeDue,
    OrderHandedOver,
    OrderPromised,
    OrderReady,
    PaymentRequested,
    RoutingRequested,
    TaskRaised,
)
from bopis.domain.orders.lines import PickedLine, ReturnedLine, WantedLine
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Allows, Consent, Document, Initiator, Milestone, Proof, ShortPolicy, TaskKind
from bopis.domain.sourcing.decision import Answer, AssignedLine, RoutingOutcome, Rung
from bopis.domain.sourcing.request import Component, Request
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.domain.books import at
from tests.domain.orders.recipes import BY_CODE, PICK_ALL, accepted, picked, picking, promised, ready, waiting
from tests.domain.orders.world import READY_MS, S1, S2, World, assignment, number, placement, to_first_free

KIT = WantedLine(
    line=1,
    sku="kit",
    quantity=2,
    components=(Component(sku="A", quantity=1), Component(sku="B", quantity=2)),
    unit_cents=500,
)


def in_two_stores(request: Request, now_ms: int) -> Answer:
    """The first unit of the line here, the rest there."""
    line = request.lines[0]
    halves = (
        assignment(request, S1, now_ms, lines=(AssignedLine(line=line.line, quantity=1),)),
        assignment(request, S2, now_ms, lines=(AssignedLine(line=line.line, quantity=line.quantity - 1),)),
    )
    return Answer(rung=Rung.SPLIT, outcome=RoutingOutcome.ROUTED, assignments=halves)


def milestones(world: World) -> list[str]:
    return [it.milestone.value for it in world.of(NoticeDue)]


def test_an_order_is_placed_routed_held_and_promised_in_one_go() -> None:
    world = World()

    world.place()

    assert (world.line().state, world.line().store, world.line().hold) == (LineState.PROMISED, S1, f"{number()}/1")
    assert world.of(OrderPromised)[0].ready_by_ms == world.now_ms + READY_MS
    assert world.sent(ReserveStock)[0].hold_until == at(world.now_ms + 10 * MINUTE_MS)
    assert milestones(world) == ["placed"]


def test_the_hold_of_a_promise_outlives_the_pickup_window_by_a_day() -> None:
    world = promised(World())

    hold = world.stores.rows[f"@hold|{S1}|{number()}/1"]

    work = world.order().work[0]
    closing = [it for it in work.closings if it > work.ready_by_ms][3]
    assert hold.until_ms == closing + DAY_MS  # type: ignore[union-attr]


def test_a_stored_method_holds_first_and_promises_when_it_is_authorised() -> None:
    world = promised(World(), methods=("card", "other"))
    state_before = world.line().state

    world.tell(m.PaymentDeclined(method="card"))
    world.tell(m.PaymentAuthorised(method="other"))

    assert (state_before, world.line().state) == (LineState.HELD, LineState.PROMISED)
    assert world.of(PaymentRequested)[0].amount.cents == 200


def test_every_conclusion_tells_who_on_what_and_both_clocks() -> None:
    world = promised(World())

    told = world.tell(m.AcceptPick(store=S1), time=at(world.now_ms - HOUR_MS), source="tablet-3", actor="lee")

    stamp = told[0].stamp
    assert (stamp.device, stamp.actor) == ("tablet-3", "lee")
    assert (stamp.at_ms, stamp.recorded_at_ms) == (world.now_ms - HOUR_MS, world.now_ms)


def test_a_clock_that_runs_ahead_does_not_move_what_happened_into_the_future() -> None:
    world = promised(World())

    told = world.tell(m.AcceptPick(store=S1), time=at(world.now_ms + HOUR_MS))

    assert told[0].stamp.at_ms == world.now_ms


def test_a_clock_more_than_a_day_ahead_is_parked() -> None:
    world = promised(World())

    told = world.tell(m.AcceptPick(store=S1), time=at(world.now_ms + 2 * DAY_MS))

    assert told == []
    assert "set the device's clock" in world.refuses[0]


def test_the_same_key_with_another_request_is_parked() -> None:
    world = promised(World())

    told = world.tell(placement(request="something else"))

    assert told == []
    assert "other content" in world.refuses[0]


def test_the_same_id_with_other_content_is_parked() -> None:
    world = promised(World())
    world.tell(m.AcceptPick(store=S1), id="same")

    told = world.tell(m.StartPicking(store=S1), id="same")

    assert told == []
    assert world.states() == {1: "accepted"}


@pytest.mark.parametrize("lines", [(("A", 1), ("A", 2))])
def test_a_line_number_may_stand_once(lines: object) -> None:
    world = World()
    twice = tuple(WantedLine(line=1, sku="A", quantity=1) for _ in range(2))

    told = world.place(lines=twice)

    assert [it.reason.value for it in told if isinstance(it, CommandRefused)] == ["repeated_line"]
    assert not world.orders.rows


def test_a_line_that_two_stores_serve_becomes_two_lines() -> None:
    world = World(routing=in_two_stores)

    world.place(lines=(("A", 3),))

    assert {it.line: (it.store, it.quantity, it.state.value) for it in world.order().lines} == {
        1: (S2, 2, "promised"),
        2: (S1, 1, "promised"),
    }
    assert milestones(world) == ["placed"]


def test_each_store_of_a_split_order_is_ready_and_handed_over_by_itself() -> None:
    world = World(routing=in_two_stores)
    world.place(lines=(("A", 3),))
    for store, line, units in ((S1, 2, 1), (S2, 1, 2)):
        world.tell(m.AcceptPick(store=store))
        world.tell(m.RecordPick(store=store, lines=(PickedLine(line=line, picked=units),)))
        world.tell(m.StageOrder(store=store, location="R1"))

        world.tell(m.HandOver(store=store, proof=Proof.CODE, presented="right-code"))

    assert world.states() == {1: "handed_over", 2: "handed_over"}
    assert (world.level(S1).on_hand, world.level(S2).on_hand) == (9, 8)
    assert world.order().code.used


def test_a_kit_is_held_picked_and_handed_over_as_its_components() -> None:
    world = accepted(World(), lines=(KIT,))
    found = (PickedLine(line=1, sku="A", picked=2), PickedLine(line=1, sku="B", picked=4))

    world.tell(m.RecordPick(store=S1, lines=found[:1]))
    after_the_first = world.line().state
    world.tell(m.RecordPick(store=S1, lines=found[1:]))
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)

    assert (after_the_first, world.line().state) == (LineState.PICKING, LineState.HANDED_OVER)
    assert [it.lines[0].quantity for it in world.sent(ReserveStock)] == [2]
    assert (world.level(sku="A").on_hand, world.level(sku="B").on_hand) == (8, 6)


def test_a_kit_that_lacks_a_component_is_short_as_a_whole_and_gives_the_rest_back() -> None:
    world = picking(World({S1: {"A": 5, "B": 5}}), lines=(KIT,))
    missing = (PickedLine(line=1, sku="A", picked=2), PickedLine(line=1, sku="B", picked=3, missing=1))

    world.tell(m.RecordPick(store=S1, lines=missing))

    assert world.states() == {1: "cancelled"}
    assert (world.level(sku="A").held, world.level(sku="B").held) == (0, 0)
    assert (world.level(sku="A").staged, world.level(sku="B").in_doubt) == (0, 1)
    assert [it.kind for it in world.of(TaskRaised)] == [TaskKind.COUNT, TaskKind.PUT_BACK, TaskKind.PUT_BACK][:2]


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        (ShortPolicy.RESOURCE, {1: "picked", 2: "promised"}),
        (ShortPolicy.SUBSTITUTE, {1: "picked", 2: "short"}),
        (ShortPolicy.PARTIAL, {1: "picked", 2: "cancelled"}),
        (ShortPolicy.CANCEL_LINE, {1: "cancelled", 2: "cancelled"}),
    ],
)
def test_units_that_are_missing_go_on_by_the_policy_of_the_order(policy: ShortPolicy, states: object) -> None:
    world = picking(World(), allows=Allows(on_short=policy))

    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=1),)))

    assert world.states() == states
    assert (world.of(LineShort)[0].missing, world.of(LineShort)[0].into) == (1, 2)
    assert world.level().in_doubt == 1


def test_all_or_nothing_ends_the_order_when_a_part_of_it_cannot_be_served() -> None:
    world = picking(World({S1: {"A": 9}}), allows=Allows(partial=False))

    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=1),)))

    assert world.states() == {1: "cancelled", 2: "cancelled"}
    assert world.level().held == 0


def test_a_substitute_is_offered_held_picked_and_handed_over_in_place_of_the_line() -> None:
    world = picking(World(), allows=Allows(on_short=ShortPolicy.SUBSTITUTE))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=2),)))
    world.tell(m.OfferSubstitute(line=1, sku="B", unit_cents=80))

    world.tell(m.AcceptSubstitute(line=1))
    joined = (world.line().state, world.line().sku, world.line().ordered_sku, world.line().unit_cents)
    world.tell(PICK_ALL)
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)

    assert joined == (LineState.PICKING, "B", "A", 80)
    assert (world.level(sku="A").on_hand, world.level(sku="B").on_hand) == (10, 8)
    assert "substitute_offered" in milestones(world)


def test_a_substitute_that_needs_no_word_is_taken_at_once() -> None:
    world = picking(World(), allows=Allows(on_short=ShortPolicy.SUBSTITUTE, substitutes=Consent.AUTOMATIC))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=2),)))

    world.tell(m.OfferSubstitute(line=1, sku="B"))

    assert (world.line().state, world.line().sku) == (LineState.PICKING, "B")


def test_a_store_is_not_ready_while_a_substitute_is_being_offered() -> None:
    world = picking(World(), allows=Allows(on_short=ShortPolicy.SUBSTITUTE))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=1),)))
    world.tell(m.OfferSubstitute(line=2, sku="B"))
    world.tell(m.StageOrder(store=S1, location="R1"))
    states_before = world.states()

    world.tell(m.RefuseSubstitute(line=2))

    assert states_before == {1: "staged", 2: "substitute_offered"}
    assert world.states() == {1: "ready", 2: "cancelled"}


def test_more_than_was_asked_for_is_never_picked() -> None:
    world = accepted(World())

    told = world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2, missing=1),)))

    assert [it.reason.value for it in told] == ["too_many_units"]
    assert not world.sent(StockPicked)


def test_a_short_pick_raises_a_count_task_that_the_next_count_closes() -> None:
    world = picking(World())
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=1),)))
    task = world.order().tasks[0]
    world.now_ms += 1

    world.tell_stock(S1, StockCounted(lines=(CountLine(sku="A", counted=7),)))

    assert (task.kind, task.sku, task.store) == (TaskKind.COUNT, "A", S1)
    assert world.order().tasks == ()
    assert [it.counted for _, it in world.events if type(it).__name__ == "TaskClosed"] == [8]


def test_goods_of_a_cancelled_order_are_put_back_and_the_task_is_done_once() -> None:
    world = picked(World())
    world.tell(m.CancelOrder(by=Initiator.STAFF))
    task = world.order().tasks[0]

    world.tell(m.ConfirmPutBack(task=task.task))
    again = world.tell(m.ConfirmPutBack(task=task.task))

    assert (task.kind, world.order().tasks) == (TaskKind.PUT_BACK, ())
    assert [it.reason.value for it in again] == ["unknown_task"]


def test_the_customer_who_is_there_before_it_is_ready_is_arrived_as_soon_as_it_is() -> None:
    world = picked(World())
    world.tell(m.CustomerArrived(store=S1, where="bay", spot="4"))  # type: ignore[arg-type]  # as it stands on the wire

    world.tell(m.StageOrder(store=S1, location="R1"))

    assert world.states() == {1: "arrived"}
    assert milestones(world) == ["placed", "arrival", "ready"]


def test_a_proxy_takes_some_lines_and_shows_a_document() -> None:
    world = accepted(World(), lines=(("A", 1), ("B", 1)))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1), PickedLine(line=2, picked=1))))
    world.tell(m.StageOrder(store=S1, location="R1"))
    shown = m.HandOver(
        store=S1, proof=Proof.IDENTITY, document=Document.PASSPORT, lines=(2,), to="sealed name", signature="s1"
    )

    world.tell(shown)

    given = world.of(OrderHandedOver)[0]
    assert world.states() == {1: "ready", 2: "handed_over"}
    assert (given.to, given.document, given.signature) == ("sealed name", Document.PASSPORT, "s1")


def test_an_identity_check_without_a_document_is_none() -> None:
    world = ready(World())

    told = world.tell(m.HandOver(store=S1, proof=Proof.IDENTITY))

    assert [it.reason.value for it in told] == ["no_document"]


def test_only_what_leaves_the_store_is_captured() -> None:
    world = promised(World(), lines=(("A", 1), ("B", 3)), methods=("card",))
    world.tell(m.PaymentAuthorised(method="card"))
    world.tell(m.AcceptPick(store=S1))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1), PickedLine(line=2, picked=3))))
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER, lines=(1,)))

    world.tell(BY_CODE)

    assert [it.amount.cents for it in world.of(CaptureRequested)] == [300]
    assert world.order().voided


@pytest.mark.parametrize(("hours", "refusal"), [(1, "too_early"), (24 * 30, "too_late"), (24 * 10, None)])
def test_a_window_is_extended_within_limits(hours: int, refusal: str | None) -> None:
    world = ready(World())
    until_ms = world.now_ms + hours * HOUR_MS

    told = world.tell(m.ExtendPickup(store=S1, until=at(until_ms)))

    assert [it.reason.value for it in told if isinstance(it, CommandRefused)] == ([refusal] if refusal else [])
    assert (world.order().work[0].window_end_ms == until_ms) is (refusal is None)


def test_an_extended_window_reminds_anew() -> None:
    world = ready(World())
    end_ms = world.of(OrderReady)[0].window_end_ms
    world.wait(end_ms - world.now_ms - HOUR_MS)
    world.tell(m.ExtendPickup(store=S1, until=at(end_ms + 2 * DAY_MS)))

    world.wait(DAY_MS + HOUR_MS)

    assert [it.version for it in world.of(NoticeDue) if it.milestone is Milestone.REMINDER] == [1, 2]


@pytest.mark.parametrize("condition", list(Condition))
def test_goods_come_back_to_any_store_in_any_condition_and_never_more_than_left(condition: Condition) -> None:
    world = ready(World())
    world.tell(BY_CODE)
    one = m.ReturnInStore(store=S2, lines=(ReturnedLine(line=1, quantity=1, condition=condition),))

    world.tell(one)
    states_between = world.states()
    world.tell(one)
    told = world.tell(one)

    assert (states_between, world.states()) == ({1: "handed_over"}, {1: "returned"})
    assert [it.reason.value for it in told] == ["too_many_units"]
    level = world.level(S2)
    kept = {"sellable": level.on_hand - 10, "damaged": level.damaged, "quarantine": level.quarantined}
    assert kept == {it.value: 2 * (it is condition) for it in Condition}
    assert len(world.sent(PosReturn)) == 2


def test_what_waits_for_stock_is_asked_for_again_also_where_it_was_refused() -> None:
    world = waiting(World({S1: {"A": 1}, S2: {"A": 1}}))
    world.routing = to_first_free

    world.tell(m.StockAppeared(store=S1, skus=("A",)))

    requests = [it.request.excluded for it in world.of(RoutingRequested)]
    assert requests[1] == ()
    assert len(requests) == 4


def test_the_promise_changes_when_another_store_takes_over_and_the_customer_hears_it() -> None:
    world = promised(World())
    world.routing = lambda request, now_ms: Answer(
        rung=Rung.ALTERNATIVE,
        outcome=RoutingOutcome.ROUTED,
        assignments=(assignment(request, S2, now_ms, ready_by_ms=now_ms + 9 * HOUR_MS),),
    )

    world.tell(m.RejectPick(store=S1, reason="too_busy"))  # type: ignore[arg-type]  # as it stands on the wire

    changed = world.of(NoticeDue)[-1]
    assert (changed.milestone, changed.store) == (Milestone.PROMISE_CHANGED, S2)
    assert changed.ready_by_ms == world.now_ms + 9 * HOUR_MS


def test_all_units_that_part_go_on_as_a_line_of_their_own() -> None:
    world = picking(World(), lines=(("A", 5),))

    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2, missing=3),)))

    assert {it.line: (it.quantity, it.parent) for it in world.order().lines} == {1: (2, 0), 2: (3, 1)}


def test_a_short_kit_is_asked_for_elsewhere_only_after_its_other_components_are_given_back() -> None:
    world = picking(World(), lines=(KIT,))

    told = world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, sku="B", picked=3, missing=1),)))

    kinds = [type(it).__name__ for it in told]
    assert kinds.index("LineShort") < kinds.index("LinesFreed") < kinds.index("RoutingRequested")
    assert (world.line().state, world.line().store) == (LineState.PROMISED, S2)


def test_one_reminder_is_sent_for_two_that_were_slept_over() -> None:
    world = ready(World())
    world.wait(world.of(OrderReady)[0].window_end_ms - world.now_ms - HOUR_MS)

    world.wait(MINUTE_MS)

    assert milestones(world).count("reminder") == 1
