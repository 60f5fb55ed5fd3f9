"""Two things that meet: whichever the log has first wins, and the other one is told so by name."""

from bopis.domain.inventory.messages import (
    CollectStock,
    ExtendHold,
    PosSale,
    ReleaseStock,
    SaleLine,
    StockAdjusted,
    StockPicked,
)
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import (
    ArrivalRecorded,
    BooksCorrected,
    CommandRefused,
    CoverLost,
    LineShort,
    NoticeDue,
    OrderExpired,
    OrderReady,
    PickRestated,
    ReadyWithdrawn,
)
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Allows, Consent, Initiator, Milestone, RejectReason, ShortPolicy
from bopis.domain.sourcing.decision import Answer, AssignedLine, RoutingOutcome, Rung
from bopis.domain.sourcing.request import Request
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from bopis.wire.orders import ORDERS
from bopis.wire.stock import STOCK
from tests.domain.orders.recipes import BY_CODE, accepted, picked, picking, placed, promised, ready, rejected
from tests.domain.orders.world import S1, S2, World, assignment, nowhere, number, to_first_free

CANCEL = m.CancelOrder(by=Initiator.CUSTOMER)
PARTIAL = Allows(on_short=ShortPolicy.PARTIAL)
LAST_TWO = {S1: {"A": 2}, S2: {"A": 5}}


def reasons(told: list[object]) -> list[str]:
    return [it.reason.value for it in told if isinstance(it, CommandRefused)]


def sold(world: World, units: int = 1) -> None:
    world.tell_stock(S1, PosSale(basket="b", lines=(SaleLine("A", units),)))


def test_a_cancellation_before_the_hand_over_keeps_the_goods_in_the_store() -> None:
    world = ready(World())

    first, second = world.tell(CANCEL), world.tell(BY_CODE)

    assert (reasons(first), reasons(second)) == ([], ["cancelled"])
    assert (world.level().on_hand, world.level().held, world.level().staged) == (10, 0, 0)


def test_a_cancellation_after_the_hand_over_is_refused() -> None:
    world = ready(World())

    first, second = world.tell(BY_CODE), world.tell(CANCEL)

    assert (reasons(first), reasons(second)) == ([], ["handed_over"])
    assert (world.level().on_hand, world.level().held) == (8, 0)


def test_an_arrival_before_the_window_ends_keeps_the_goods_while_the_customer_stands_there() -> None:
    world = ready(World())
    end_ms = world.of(OrderReady)[0].window_end_ms
    world.now_ms = end_ms - MINUTE_MS
    world.tell(m.CustomerArrived(store=S1))

    world.wait(2 * MINUTE_MS)

    assert world.states() == {1: "arrived"}
    assert world.of(ArrivalRecorded)[0].window_end_ms == end_ms - MINUTE_MS + HOUR_MS
    world.wait(HOUR_MS)
    assert world.states() == {1: "expired"}


def test_an_arrival_after_the_window_ended_is_told_so() -> None:
    world = ready(World())
    world.wait(world.of(OrderReady)[0].window_end_ms - world.now_ms)

    told = world.tell(m.CustomerArrived(store=S1))

    assert reasons(told) == ["expired"]
    assert (world.level().held, world.level().staged, len(world.of(OrderExpired))) == (0, 0, 1)


def test_a_till_takes_units_that_were_not_picked_and_the_line_goes_on_by_policy() -> None:
    world = accepted(World(LAST_TWO))

    sold(world)

    assert {it.line: (it.state.value, it.store, it.quantity) for it in world.order().lines} == {
        1: ("accepted", S1, 1),
        2: ("promised", S2, 1),
    }
    assert world.of(LineShort)[0].cause.value == "till"
    assert [it.milestone for it in world.of(NoticeDue)] == [Milestone.PLACED, Milestone.PROMISE_CHANGED]


def test_a_till_never_takes_units_that_were_picked() -> None:
    world = picked(World(LAST_TWO))

    sold(world)

    assert world.states() == {1: "picked"}
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)
    assert world.level().on_hand == -1


def test_a_pick_that_crosses_a_till_sale_keeps_the_goods_and_the_books_follow() -> None:
    world = picking(World(LAST_TWO))
    world.stock_is_away = True
    sold(world)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2),)))

    world.stock_comes_back()
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)

    assert (len(world.of(CoverLost)), len(world.of(PickRestated)), world.of(LineShort)) == (1, 1, [])
    assert [it.lines[0].picked for it in world.sent(StockPicked)] == [2, 1]
    assert [it.lines[0].change for it in world.sent(StockAdjusted)] == [-1]
    assert (world.level().on_hand, world.level().held, world.level().staged) == (-1, 0, 0)


def test_a_store_that_is_switched_off_gives_unstaged_work_away_and_keeps_what_is_staged() -> None:
    world = ready(World())
    world.place(2)

    for n in (1, 2):
        world.tell(m.StoreWithdrawn(store=S1), number(n))

    assert (world.states(1), world.states(2)) == ({1: "ready"}, {1: "promised"})
    assert (world.line(n=1).store, world.line(n=2).store) == (S1, S2)


def test_a_store_that_closes_gives_ready_goods_away_too_and_the_customer_is_told() -> None:
    world = ready(World())

    world.tell(m.StoreWithdrawn(store=S1, closing=True))

    assert (world.line().state, world.line().store) == (LineState.PROMISED, S2)
    assert len(world.of(ReadyWithdrawn)) == 1
    told = [it.milestone for it in world.of(NoticeDue)]
    assert told == [Milestone.PLACED, Milestone.READY, Milestone.NOT_READY, Milestone.PROMISE_CHANGED]


def test_who_stands_at_the_counter_of_a_closing_store_is_served() -> None:
    world = ready(World())
    world.tell(m.CustomerArrived(store=S1))

    world.tell(m.StoreWithdrawn(store=S1, closing=True))
    world.tell(BY_CODE)

    assert world.states() == {1: "handed_over"}


def test_nothing_hangs_when_a_closing_store_has_no_alternative() -> None:
    world = ready(World())
    world.routing = nowhere

    world.tell(m.StoreWithdrawn(store=S1, closing=True))

    assert world.states() == {1: "cancelled"}
    assert (world.level().held, world.level().staged) == (0, 0)


def test_goods_that_leave_after_their_hold_had_ended_are_booked_out_as_a_correction() -> None:
    world = ready(World())
    hold = world.line().hold
    world.stock_is_away = True
    world.to_stock.append(STOCK.encode(world.message(ReleaseStock(hold=hold), S1)))
    world.tell(BY_CODE)

    world.stock_comes_back()

    assert len(world.of(BooksCorrected)) == 1
    assert (world.level().on_hand, world.level().held, world.level().staged) == (8, 0, 0)


def test_a_hold_that_ends_under_staged_goods_is_known_before_they_are_handed_over() -> None:
    world = ready(World())
    world.tell_stock(S1, ReleaseStock(hold=world.line().hold))

    world.tell(BY_CODE)

    assert not world.sent(CollectStock)
    assert (world.level().on_hand, world.level().held) == (8, 0)


def test_a_hold_that_ends_before_the_pick_is_asked_for_again() -> None:
    world = promised(World())
    world.tell_stock(S1, ReleaseStock(hold=world.line().hold))

    assert (world.line().state, world.line().hold) == (LineState.PROMISED, f"{number()}/2")
    assert world.level().held == 2


def test_a_cancellation_while_the_hold_is_being_asked_for_leaves_no_hold() -> None:
    world = placed(World())
    world.tell(CANCEL)

    world.stock_comes_back()

    assert (world.order().state, world.level().held) == (LineState.CANCELLED, 0)
    assert not world.order().holds


def test_a_cancellation_while_routing_thinks_ends_the_question() -> None:
    world = rejected(World())
    world.tell(CANCEL)

    world.stock_comes_back()

    assert (world.order().state, world.order().pending_routes) == (LineState.CANCELLED, ())
    assert (world.level(S1).held, world.level(S2).held) == (0, 0)


def test_the_next_store_is_asked_only_after_the_first_has_given_the_hold_back() -> None:
    world = rejected(World())
    asked_before = world.order().attempt

    world.stock_comes_back()

    assert (asked_before, world.order().attempt) == (1, 2)
    assert (world.level(S1).held, world.level(S2).held) == (0, 2)


def test_the_second_answer_to_an_attempt_says_nothing() -> None:
    world = promised(World())
    requested = next(it for _, it in world.events if type(it).__name__ == "RoutingRequested")
    late = ORDERS.decode(world.routed(requested))  # type: ignore[arg-type]

    told = world.tell(late.data, id="late", source="routing-2")

    assert told == []
    assert world.level().held == 2


def test_a_payment_that_comes_too_late_finds_the_order_cancelled() -> None:
    world = promised(World(), methods=("card",))

    world.wait(10 * MINUTE_MS)
    world.tell(m.PaymentAuthorised(method="card"))

    assert (world.order().state, world.level().held) == (LineState.CANCELLED, 0)


def test_an_inventory_that_was_away_for_hours_still_holds_what_was_asked() -> None:
    world = placed(World())
    world.now_ms += 5 * HOUR_MS

    world.stock_comes_back()

    assert world.order().state is LineState.PROMISED
    assert world.level().held == 2


def test_orders_that_were_away_over_the_checkout_hold_hold_again() -> None:
    world = World()
    world.to_orders.clear()
    world.stock_is_away = True
    world.place()
    while world.to_stock:
        world.deliver_stock(world.to_stock.popleft())
    answer = world.to_orders.popleft()
    world.now_ms += HOUR_MS  # the orders processor is away, the inventory is not: the hold runs out
    world.stock_is_away = False
    world.to_orders.clear()
    world.to_orders.append(answer)
    world.tick()

    assert world.order().state is LineState.PROMISED
    assert world.level().held == 2
    assert world.sent(ExtendHold)


def test_a_code_is_void_after_five_tries_and_an_identity_check_still_helps() -> None:
    world = ready(World())
    wrong = m.HandOver(store=S1, proof=BY_CODE.proof, presented="wrong")

    told = [reasons(world.tell(wrong))[0] for _ in range(5)]
    locked = reasons(world.tell(BY_CODE))

    assert (told, locked) == (["wrong_code"] * 5, ["code_locked"])
    assert world.states() == {1: "ready"}
    world.tell(m.ReissueCode(version=2, code_hash="right-code", token_hash=""))
    world.tell(BY_CODE)
    assert world.states() == {1: "handed_over"}


def test_nobody_accepts_then_staff_hear_it_then_another_store_is_asked() -> None:
    world = promised(World())

    world.wait(15 * MINUTE_MS)
    store_after_the_first = world.line().store
    world.wait(15 * MINUTE_MS)

    assert (store_after_the_first, world.line().store) == (S1, S2)


def test_nobody_accepts_and_the_customer_wants_no_other_store() -> None:
    world = promised(World(), allows=Allows(alternatives=Consent.NEVER))

    for _ in range(5):
        world.wait(15 * MINUTE_MS)

    assert world.order().state is LineState.CANCELLED
    assert world.level().held == 0


def test_a_rejected_line_never_goes_back_to_the_store_that_rejected_it() -> None:
    world = promised(World({S1: {"A": 9}}))
    world.routing = to_first_free

    world.tell(m.RejectPick(store=S1, reason=RejectReason.NOT_FOUND))

    assert world.order().state is LineState.CANCELLED
    assert world.level().held == 0


def test_a_short_substitute_gives_up_only_its_line() -> None:
    world = picking(World({S1: {"A": 9, "B": 1}}), allows=Allows(on_short=ShortPolicy.SUBSTITUTE))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=2),)))
    world.tell(m.OfferSubstitute(line=1, sku="B"))

    world.tell(m.AcceptSubstitute(line=1))

    assert world.states() == {1: "cancelled"}
    assert world.level(sku="B").held == 0


def test_five_days_without_any_service_end_once() -> None:
    world = ready(World())

    world.wait(5 * DAY_MS)
    world.wait(5 * DAY_MS)

    assert len(world.of(OrderExpired)) == 1
    assert (world.level().held, world.level().on_hand) == (0, 10)


def offered_twice(request: Request, now_ms: int) -> Answer:
    """Each line by itself: the second is offered elsewhere at once, the first when its store has said no."""
    first, last = request.lines[0], request.lines[-1]
    lines = (AssignedLine(line=last.line, quantity=last.quantity),)
    offers = (assignment(request, S2, now_ms, lines=lines),)
    assigned = (AssignedLine(line=first.line, quantity=first.quantity),)
    stores = (assignment(request, S1, now_ms, lines=assigned),) if first is not last else ()
    return Answer(rung=Rung.ALTERNATIVE, outcome=RoutingOutcome.OFFERED, assignments=stores, offers=offers)


def test_two_offers_that_lapse_at_once_end_an_order_of_all_or_nothing_once() -> None:
    world = World({S1: {}, S2: {"A": 5}}, offered_twice)
    world.place(lines=(("A", 1), ("B", 1)), allows=Allows(partial=False))
    assert [it.lines for it in world.order().offers] == [(2,), (1,)]

    world.wait(5 * HOUR_MS)

    assert world.states() == {1: "cancelled", 2: "cancelled"}


def test_a_store_withdrawn_before_it_granted_a_hold_gets_no_promise() -> None:
    world = placed(World())
    world.routing = to_first_free

    world.tell(m.StoreWithdrawn(store=S1))
    world.stock_is_away = False
    world.run()

    assert (world.line().state, world.line().store) == (LineState.PROMISED, S2)
    assert (world.level().held, world.level(S2).held) == (0, 2)


def test_a_store_withdrawn_before_it_refused_a_hold_is_left_as_well() -> None:
    world = World({S1: {"A": 1}, S2: {"A": 5}})
    placed(world)
    world.routing = to_first_free

    world.tell(m.StoreWithdrawn(store=S1))
    world.stock_is_away = False
    world.run()

    assert (world.line().state, world.line().store) == (LineState.PROMISED, S2)
    assert world.level(S2).held == 2
