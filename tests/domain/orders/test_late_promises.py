"""A payment that takes long: the promise comes late, and its times move in the open time of the store."""

from typing import Any

import pytest
from msgspec.structs import replace

from bopis.domain.calendar.hours import Calendar
from bopis.domain.inventory.messages import ExtendHold, ReserveStock
from bopis.domain.inventory.rows import Hold, hold_key
from bopis.domain.orders import events as e
from bopis.domain.orders import messages as m
from bopis.domain.orders.vocabulary import Allows, Consent, Milestone, RejectReason, ShortPolicy
from bopis.domain.sourcing.decision import Answer, AssignedLine, RoutingOutcome, Rung
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import Request, Slot
from bopis.domain.sourcing.timing import DecisionContext, assignment, timing
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.domain.books import at
from tests.domain.orders.recipes import PICK_NONE
from tests.domain.orders.world import NOON_MS, RULES, S1, S2, Routing, World, nowhere, number, placement
from tests.domain.payments.bank import Bank
from tests.domain.payments.paid_world import PaidWorld

MIDNIGHT_MS = NOON_MS - 12 * HOUR_MS
ALL_DAY = ((8, 20),)
AS_ROUTED = ("14:00", "12:15", "12:30")
TOMORROW = ("1 10:00", "1 08:15", "1 08:30")
LUNCH = ((8, 12.5), (14, 20))
OWN_SECONDS = 480  # with the two minutes of an order, ten minutes for one line


def clock(text: str) -> int:
    """A time of day as epoch milliseconds; ``1 09:00`` is on the next day."""
    day, _, time = text.rpartition(" ")
    hour, minute, *second = (int(part) for part in time.split(":"))
    return MIDNIGHT_MS + int(day or 0) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + sum(second) * 1000


def open_daily(hours: tuple[tuple[float, float], ...], cutoff: float = 0, days: int = 20) -> Calendar:
    midnights = tuple(MIDNIGHT_MS + day * DAY_MS for day in range(-1, days))
    if hours == ((0, 24),):
        return Calendar(opens=((midnights[0], midnights[-1]),), days=midnights)
    opens = [(day + round(a * HOUR_MS), day + round(b * HOUR_MS)) for day in midnights[:-1] for a, b in hours]
    cutoffs = tuple(day + round(cutoff * HOUR_MS) for day in midnights[:-1]) if cutoff else ()
    return Calendar(opens=tuple(opens), days=midnights, cutoffs=cutoffs)


def sourced(calendar: Calendar = open_daily(ALL_DAY), capacity_minutes: int = 60) -> Routing:
    """A routing by which the first store, or else the second one, takes all lines, with the times of sourcing."""

    def routing(request: Request, now_ms: int) -> Answer:
        store = next(it for it in (S1, S2) if it not in {out.store for out in request.excluded})
        context = DecisionContext(now_ms, RULES)
        facts = StoreFacts(store=store, calendar=calendar, capacity_minutes=capacity_minutes, pick_seconds=OWN_SECONDS)
        when = timing(facts, request.slot, 1, context)
        assert when is not None
        lines = tuple(AssignedLine(line=it.line, quantity=it.quantity) for it in request.lines)
        found = (assignment(facts, lines, when, context),)
        return Answer(rung=Rung.CHOSEN, outcome=RoutingOutcome.ROUTED, assignments=found)

    return routing


def routed(calendar: Calendar = open_daily(ALL_DAY), capacity_minutes: int = 60) -> World:
    return World(routing=sourced(calendar, capacity_minutes))


def paid(world: World, when: str, **changes: Any) -> World:
    """An order of noon whose goods are held until its payment is decided."""
    world.tell(placement(methods=("card",), **changes), number())
    world.tell(m.PaymentPending(until_ms=clock(when) + DAY_MS))
    world.now_ms = clock(when)
    world.tell(m.PaymentAuthorised(method="card"))
    return world


def times(world: World) -> tuple[int, int, int]:
    work = world.order().at(S1)
    assert work is not None
    assert work.promised
    return work.ready_by_ms, work.accept_by_ms, work.reroute_by_ms


def slot(begins: str) -> dict[str, Slot]:
    return {"slot": Slot(from_ms=clock(begins), to_ms=clock(begins) + HOUR_MS)}


@pytest.mark.parametrize(
    ("calendar", "when", "expected"),
    [
        pytest.param(open_daily(ALL_DAY), "12:00:50", AS_ROUTED, id="in time"),
        pytest.param(open_daily(ALL_DAY), "12:40", ("14:40", "12:55", "13:10"), id="within opening hours"),
        pytest.param(open_daily(((8, 13),)), "1 09:00", ("1 11:00", "1 09:15", "1 09:30"), id="over a closing"),
        pytest.param(open_daily(((8, 12.1),)), "1 07:00", TOMORROW, id="before the opening"),
        pytest.param(
            open_daily(((8, 12 + 1 / 120),)),
            "20:00",
            ("1 09:59:30", "1 08:14:30", "1 08:29:30"),
            id="half a minute",
        ),
        pytest.param(open_daily(LUNCH), "13:00", ("16:00", "14:15", "14:30"), id="in the lunch break"),
        pytest.param(open_daily(LUNCH), "14:10", ("16:10", "14:25", "14:40"), id="after the lunch break"),
        pytest.param(open_daily(LUNCH), "19:50", ("1 09:50", "1 08:05", "1 08:20"), id="shortly before closing"),
        pytest.param(open_daily(((14, 20),)), "13:59", ("16:00", "14:15", "14:30"), id="closed since routing"),
        pytest.param(open_daily(((0, 24),)), "18:00", ("20:00", "18:15", "18:30"), id="never closed"),
        pytest.param(open_daily(ALL_DAY, cutoff=16), "17:00", TOMORROW, id="after the cut-off"),
        pytest.param(open_daily(ALL_DAY, cutoff=11), "19:00", TOMORROW, id="begins tomorrow"),
        pytest.param(open_daily(ALL_DAY, cutoff=12.01), "12:00:50", AS_ROUTED, id="cut-off in between"),
        pytest.param(open_daily(ALL_DAY, days=3), "5 03:00", ("5 05:00", "5 03:15", "5 03:30"), id="calendar over"),
    ],
)
def test_times_move_by_the_open_time_between_routing_and_promise(
    calendar: Calendar, when: str, expected: tuple[str, str, str]
) -> None:
    world = paid(routed(calendar), when)

    assert times(world) == tuple(clock(it) for it in expected)


@pytest.mark.parametrize(
    ("begins", "when", "expected"),
    [
        pytest.param("18:00", "15:00", ("18:00", "15:15", "15:30"), id="far away"),
        pytest.param("15:00", "14:50", ("15:00", "15:00", "15:00"), id="just possible"),
        pytest.param("15:00", "14:55", ("15:05", "15:05", "15:05"), id="too near"),
        pytest.param("15:00", "15:30", ("15:40", "15:40", "15:40"), id="past"),
        pytest.param("15:00", "21:00", ("1 08:10", "1 08:10", "1 08:10"), id="past, and closed"),
    ],
)
def test_a_slot_moves_only_as_far_as_the_work_of_the_store_needs(
    begins: str, when: str, expected: tuple[str, str, str]
) -> None:
    world = paid(routed(), when, **slot(begins))

    assert times(world) == tuple(clock(it) for it in expected)


def test_the_work_before_a_slot_is_counted_in_the_open_minutes_of_the_store() -> None:
    world = paid(routed(capacity_minutes=30), "14:50", **slot("15:00"))

    assert times(world)[0] == clock("15:10")


def test_a_promise_in_time_names_no_deadlines_and_a_late_one_does() -> None:
    [in_time] = paid(routed(), "12:01").of(e.OrderPromised)
    [late] = paid(routed(), "12:02").of(e.OrderPromised)

    assert (in_time.accept_by_ms, in_time.reroute_by_ms) == (None, None)
    assert (late.accept_by_ms, late.reroute_by_ms) == (clock("12:17"), clock("12:32"))


def test_a_store_has_its_whole_time_to_accept_from_a_late_promise_on() -> None:
    world = paid(routed(), "17:00", allows=Allows(alternatives=Consent.AUTOMATIC))

    def fired(when: str) -> list[type]:
        return [type(it) for it in world.wait(clock(when) - world.now_ms)]

    assert e.AcceptOverdue not in fired("17:14")
    assert e.AcceptOverdue in fired("17:15")
    assert e.LinesRejected not in fired("17:29")
    assert e.LinesRejected in fired("17:30")
    assert world.of(e.LinesRejected)[0].reason is RejectReason.NOT_ACCEPTED


def test_the_store_that_takes_over_has_times_of_its_own() -> None:
    world = paid(routed(), "17:00", allows=Allows(alternatives=Consent.AUTOMATIC))
    world.wait(15 * MINUTE_MS)
    world.wait(15 * MINUTE_MS)

    work = world.order().at(S2)

    assert work is not None
    assert (work.ready_by_ms, work.accept_by_ms) == (clock("19:30"), clock("17:45"))


def test_work_of_an_earlier_version_keeps_the_times_of_routing() -> None:
    world = paid(World(), "18:00")

    [promised] = world.of(e.OrderPromised)

    assert (promised.ready_by_ms, promised.accept_by_ms, promised.reroute_by_ms) == (clock("14:00"), None, None)
    assert times(world) == (clock("14:00"), clock("12:15"), 0)


def test_the_customer_is_told_the_late_promise_once() -> None:
    world = paid(routed(), "16:00")

    told = world.of(e.NoticeDue)

    assert [(it.milestone, it.ready_by_ms) for it in told] == [(Milestone.PLACED, clock("18:00"))]


def test_the_hold_lasts_a_day_beyond_the_window_of_the_late_promise() -> None:
    [in_time] = paid(routed(), "12:00:50").of(e.OrderPromised)
    [late] = paid(routed(), "19:00").of(e.OrderPromised)  # ready by nine on the next day

    assert in_time.hold_until_ms == clock("3 20:00") + DAY_MS
    assert late.hold_until_ms == clock("4 20:00") + DAY_MS


@pytest.mark.parametrize(("when", "told"), [("12:00:50", None), ("16:00", "18:00")])
def test_the_inventory_hears_of_a_later_promise(when: str, told: str | None) -> None:
    world = paid(routed(), when)

    extended = world.sent(ExtendHold)[-1]
    hold = world.stores.rows[hold_key(S1, extended.hold)]

    assert world.sent(ReserveStock)[0].promised_for == at(clock("14:00"))
    assert extended.promised_for == (None if told is None else at(clock(told)))
    assert isinstance(hold, Hold)
    assert hold.promised_ms == clock(told or "14:00")


def test_an_offer_that_is_answered_late_counts_from_the_answer() -> None:
    def offering(request: Request, now_ms: int) -> Answer:
        return Answer(
            rung=Rung.ALTERNATIVE, outcome=RoutingOutcome.OFFERED, offers=sourced()(request, now_ms).assignments
        )

    world = World(routing=offering)
    world.place()
    world.now_ms = clock("15:00")

    world.tell(m.AcceptAlternative(attempt=1, store=S1))

    assert times(world) == (clock("17:00"), clock("15:15"), clock("15:30"))


def joined(world: World, when: str, ready_ms: int = 0) -> World:
    """A line that waited for stock is routed, and its hold requested, in a store that has the other line since 12:40.

    The other line is routed for ``ready_ms``, or else as usual.
    """
    of_store = world.routing

    def first_line(request: Request, now_ms: int) -> Answer:
        found = of_store(request, now_ms)
        taken = tuple(it for it in found.assignments[0].lines if it.line == 1)
        if not taken:
            return nowhere(request, now_ms)
        only = replace(found.assignments[0], lines=taken, ready_by_ms=ready_ms or found.assignments[0].ready_by_ms)
        return Answer(rung=Rung.SPLIT, outcome=RoutingOutcome.ROUTED, assignments=(only,))

    world.routing = first_line
    paid(world, "12:40", lines=(("A", 2), ("B", 1)), allows=Allows(wait_hours=48))
    assert world.states() == {1: "promised", 2: "waiting"}
    world.routing = of_store
    world.now_ms = clock(when)
    world.stock_is_away = True
    world.tell(m.StockAppeared(store=S1, skus=("B",)))
    return world


def test_a_second_hold_in_time_does_not_move_the_promise_again() -> None:
    world = joined(routed(), "12:41")
    world.stock_comes_back()

    assert world.states() == {1: "promised", 2: "promised"}
    assert times(world) == (clock("14:41"), clock("12:56"), clock("13:11"))


def test_a_second_hold_that_is_late_moves_the_times_by_its_own_delay_only() -> None:
    world = joined(routed(), "12:41")
    world.now_ms = clock("12:51")
    world.stock_comes_back()

    assert times(world) == (clock("14:51"), clock("13:06"), clock("13:21"))
    assert [it.ready_by_ms for it in world.of(e.OrderPromised)] == [clock("14:40"), clock("14:51")]


def test_a_second_hold_that_is_late_moves_no_promise_that_is_later_still() -> None:
    world = joined(routed(), "12:41", ready_ms=clock("17:00"))
    world.now_ms = clock("12:51")
    world.stock_comes_back()

    assert [it.ready_by_ms for it in world.of(e.OrderPromised)] == [clock("17:40"), clock("17:40")]


def test_accepted_work_gets_no_new_deadline_from_a_late_second_hold() -> None:
    world = joined(routed(), "12:41")
    world.tell(m.AcceptPick(store=S1))
    before = times(world)
    world.now_ms = clock("13:41")
    world.stock_comes_back()

    assert times(world) == (clock("15:41"), *before[1:])
    assert world.of(e.OrderPromised)[-1].accept_by_ms is None


def test_a_store_that_was_reminded_keeps_the_deadline_that_it_was_told() -> None:
    world = joined(routed(), "12:41")
    world.wait(15 * MINUTE_MS)
    [reminded] = world.of(e.AcceptOverdue)
    world.stock_comes_back()

    assert times(world)[1] == reminded.again_at_ms == clock("13:11")


def test_the_hold_of_a_substitute_does_not_move_a_late_promise() -> None:
    world = paid(routed(), "13:00", allows=Allows(on_short=ShortPolicy.SUBSTITUTE))
    world.tell(m.AcceptPick(store=S1))
    world.tell(m.StartPicking(store=S1))
    world.tell(PICK_NONE)
    world.tell(m.OfferSubstitute(line=1, sku="B"))
    world.now_ms = clock("14:30")
    world.tell(m.AcceptSubstitute(line=1))

    assert [it.ready_by_ms for it in world.of(e.OrderPromised)] == [clock("15:00"), clock("15:00")]


def test_a_payment_in_review_promises_what_the_store_can_keep() -> None:
    world = PaidWorld(Bank(), routing=sourced())
    world.buy(["review"])
    world.answer_calls()
    while world.now_ms < clock("12:40"):
        world.settle(MINUTE_MS)
    assert not world.of(e.OrderPromised)

    world.deliver_reports()

    assert times(world) == (clock("14:40"), clock("12:55"), clock("13:10"))
    assert world.payment.ready_ms == clock("14:40")
    assert not [it for it in world.wait(14 * MINUTE_MS) if isinstance(it, e.AcceptOverdue)]
