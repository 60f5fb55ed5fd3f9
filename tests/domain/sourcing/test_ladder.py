"""The ladder, rung by rung, and what eliminates a store."""

from typing import Any

import pytest
from msgspec.structs import replace

from bopis.domain.calendar.hours import Calendar
from bopis.domain.sourcing.decision import EliminationReason, RoutingOutcome, Rung, StockNeed
from bopis.domain.sourcing.facts import Incoming, QueuedWork, SkuFacts
from bopis.domain.sourcing.request import Component, Exclusion, GeoPoint, Request, RequestLine, Slot
from bopis.domain.sourcing.rules import Ranker, Ranking, RuleSet
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.domain.sourcing.stores import NOW_MS, TODAY_MS, eliminated, open_daily, request, route, served, store, terms

BY_DISTANCE = RuleSet(rankers=(Ranking(by=Ranker.DISTANCE),))


def test_the_chosen_store_serves_as_asked_although_another_is_nearer_and_has_more() -> None:
    decision = route(request({"X": 2}), store("A", {"X": 2}, distance_m=9_000), store("B", {"X": 90}, distance_m=1))

    assert decision.answer.rung is Rung.CHOSEN
    assert served(decision) == {"A": {1: 2}}


def test_two_lines_of_one_sku_are_counted_together() -> None:
    lines = (RequestLine(line=1, sku="X", quantity=2), RequestLine(line=2, sku="X", quantity=2))

    decision = route(Request(order="ORDER001", attempt=1, lines=lines, store="A"), store("A", {"X": 3}))

    assert decision.answer.outcome is RoutingOutcome.REFUSED
    assert decision.answer.eliminated[0].missing[0].wanted == 4


def test_a_kit_takes_its_components_also_when_a_line_shares_one() -> None:
    kit = RequestLine(
        line=1, sku="KIT", quantity=2, components=(Component(sku="X", quantity=2), Component(sku="Y", quantity=1))
    )
    lines = (kit, RequestLine(line=2, sku="X", quantity=1))
    asked = Request(order="ORDER001", attempt=1, lines=lines, store="A")

    enough, short = route(asked, store("A", {"X": 5, "Y": 2})), route(asked, store("A", {"X": 4, "Y": 2}))

    assert enough.answer.outcome is RoutingOutcome.ROUTED
    assert [(it.sku, it.wanted, it.available) for it in short.answer.eliminated[0].missing] == [("X", 5, 4)]


def test_an_alternative_is_offered_and_taken_only_if_the_order_allows_it() -> None:
    stores = (store("A"), store("B", {"X": 1}, distance_m=900), store("C", {"X": 1}, distance_m=300))

    offered = route(request({"X": 1}), *stores, rules=BY_DISTANCE)
    taken = route(request({"X": 1}, alternatives=True), *stores, rules=BY_DISTANCE)
    never = route(request({"X": 1}, offers=False), *stores, rules=BY_DISTANCE)

    assert offered.answer.outcome is RoutingOutcome.OFFERED
    assert [it.store for it in offered.answer.offers] == ["C", "B"]
    assert offered.answer.assignments == ()
    assert served(taken) == {"C": {1: 1}}
    assert (never.answer.outcome, never.answer.reason) == (RoutingOutcome.REFUSED, EliminationReason.NOT_ENOUGH_STOCK)


def test_without_a_chosen_store_the_best_one_serves() -> None:
    decision = route(
        request({"X": 1}, chosen=None),
        store("A", {"X": 1}, distance_m=5),
        store("B", {"X": 1}, distance_m=4),
        rules=BY_DISTANCE,
    )

    assert served(decision) == {"B": {1: 1}}


def test_a_split_takes_the_fewest_stores_and_all_it_can_from_the_chosen_one() -> None:
    decision = route(
        request({"X": 3, "Y": 1}, split=True),
        store("A", {"X": 2}),
        store("B", {"X": 1}, distance_m=10),
        store("C", {"Y": 1}, distance_m=20),
        store("D", {"X": 1, "Y": 1}, distance_m=90),
    )

    assert decision.answer.rung is Rung.SPLIT
    assert served(decision) == {"A": {1: 2}, "D": {1: 1, 2: 1}}


def test_lines_that_share_a_sku_take_each_unit_of_a_split_once() -> None:
    lines = (RequestLine(line=1, sku="X", quantity=3), RequestLine(line=2, sku="X", quantity=3))

    decision = route(
        replace(request({"X": 1}, split=True), lines=lines), store("A", {"X": 4}), store("B", {"X": 2}, distance_m=1)
    )

    assert served(decision) == {"A": {1: 3, 2: 1}, "B": {2: 2}}


def test_an_order_that_does_not_allow_a_split_is_not_split() -> None:
    decision = route(request({"X": 3}), store("A", {"X": 2}), store("B", {"X": 1}))

    assert decision.answer.outcome is RoutingOutcome.REFUSED


def test_a_kit_is_never_split_between_its_components() -> None:
    kit = RequestLine(
        line=1, sku="KIT", quantity=1, components=(Component(sku="X", quantity=1), Component(sku="Y", quantity=1))
    )
    asked = replace(request({"KIT": 1}, split=True), lines=(kit,))

    assert route(asked, store("A", {"X": 1}), store("B", {"Y": 1})).answer.outcome is RoutingOutcome.REFUSED


def test_an_order_may_wait_and_says_what_would_serve_it() -> None:
    decision = route(request({"X": 2}, wait=True), store("A", {"X": 1}), store("B"))

    assert (decision.answer.rung, decision.answer.outcome) == (Rung.WAIT, RoutingOutcome.WAITING)
    assert decision.answer.needs == (StockNeed(store="A", sku="X", quantity=2),)


def test_an_order_does_not_wait_where_stock_would_not_help() -> None:
    decision = route(request({"X": 2}, wait=True), store("A", {"X": 1}, pickup=False))

    assert (decision.answer.outcome, decision.answer.reason) == (RoutingOutcome.REFUSED, EliminationReason.PICKUP_OFF)


@pytest.mark.parametrize(
    ("facts", "asked", "reason"),
    [
        ({}, {"excluded": (Exclusion(store="A"),)}, "excluded"),
        ({"closed": True}, {}, "closed_for_good"),
        ({"pickup": False}, {}, "pickup_off"),
        ({"heard_ms": NOW_MS - 241 * MINUTE_MS}, {}, "data_too_old"),
        ({"calendar": open_daily(8, 8)}, {}, "not_open_in_time"),
        ({"capacity_minutes": 0}, {}, "no_capacity"),
        ({"work": (QueuedWork(due_ms=NOW_MS, minutes=481),)}, {}, "no_capacity"),
        ({}, {"excluded": (Exclusion(store="A", skus=("X",)),)}, "not_enough_stock"),
        ({}, {"slot": Slot(from_ms=NOW_MS, to_ms=NOW_MS + HOUR_MS)}, "not_open_in_time"),
    ],
)
def test_a_store_is_eliminated_by_name(facts: dict[str, Any], asked: dict[str, Any], reason: str) -> None:
    decision = route(request({"X": 1}, **asked), store("A", {"X": 9}, **facts))

    assert eliminated(decision) == {"A": reason}
    assert decision.answer.reason == EliminationReason(reason)


def test_a_store_on_the_edge_of_each_limit_is_not_eliminated() -> None:
    facts = {
        "heard_ms": NOW_MS - 240 * MINUTE_MS,
        "work": (QueuedWork(due_ms=NOW_MS, minutes=480),),
        "distance_m": 50_000,
    }

    decision = route(request({"X": 1}, chosen=None), store("A", {"X": 9}, **facts))

    assert decision.answer.outcome is RoutingOutcome.ROUTED


def test_a_far_store_is_no_alternative_but_may_be_chosen() -> None:
    far = store("A", {"X": 1}, distance_m=50_001)

    assert eliminated(route(request({"X": 1}, chosen="B"), far)) == {"A": "too_far", "B": "unknown_store"}
    assert route(request({"X": 1}, chosen="A"), far).answer.outcome is RoutingOutcome.ROUTED


def test_a_shelf_that_does_not_keep_its_word_can_be_filtered() -> None:
    doubtful = replace(store("A"), skus=(SkuFacts(sku="X", terms=terms(5), trust=500),))

    assert eliminated(route(request({"X": 1}), doubtful, rules=RuleSet(trust_permille_min=501))) == {
        "A": "trust_too_low"
    }


def test_as_soon_as_possible_is_promised_in_open_minutes() -> None:
    shop = store("A", {"X": 1}, calendar=open_daily(8, 11))

    decision = route(request({"X": 1}), shop)

    [assigned] = decision.answer.assignments
    assert assigned.ready_by_ms == TODAY_MS + DAY_MS + 9 * HOUR_MS  # an hour today, an hour tomorrow
    assert assigned.accept_by_ms == NOW_MS + 15 * MINUTE_MS
    assert assigned.closings[:2] == (TODAY_MS + 11 * HOUR_MS, TODAY_MS + DAY_MS + 11 * HOUR_MS)


def test_an_assignment_tells_when_its_work_begins_how_long_it_takes_and_when_the_store_is_open() -> None:
    shop = store("A", {"X": 1}, calendar=open_daily(12, 18), capacity_minutes=30)

    [assigned] = route(request({"X": 1}), shop, rules=RuleSet(closings_told=2)).answer.assignments

    assert assigned.schedule is not None
    assert assigned.schedule.begins_ms == TODAY_MS + 12 * HOUR_MS
    assert (assigned.work_minutes, assigned.schedule.own_minutes) == (3, 6)
    assert assigned.schedule.calendar == Calendar(
        opens=tuple((TODAY_MS + 12 * HOUR_MS + day, TODAY_MS + 18 * HOUR_MS + day) for day in (0, DAY_MS)),
        days=(TODAY_MS, TODAY_MS + DAY_MS, TODAY_MS + 2 * DAY_MS),
    )


def test_a_store_is_asked_twice_in_its_own_open_minutes_before_another_one_is() -> None:
    shop = store("A", {"X": 1}, calendar=open_daily(8, 11))
    rules = RuleSet(accept_minutes=45, reroute_minutes=75, promise_minutes=180)

    [assigned] = route(request({"X": 1}), shop, rules=rules).answer.assignments

    assert assigned.accept_by_ms == NOW_MS + 45 * MINUTE_MS
    assert assigned.reroute_by_ms == TODAY_MS + DAY_MS + 8 * HOUR_MS + 15 * MINUTE_MS  # it closes at 11


@pytest.mark.parametrize(("queued", "capacity", "minutes"), [(100, 60, 120), (200, 60, 203), (400, 120, 202)])
def test_a_queue_longer_than_the_promise_moves_it(queued: int, capacity: int, minutes: int) -> None:
    shop = store("A", {"X": 1}, work=(QueuedWork(due_ms=NOW_MS, minutes=queued),), capacity_minutes=capacity)

    [assigned] = route(request({"X": 1}), shop).answer.assignments

    assert assigned.work_minutes == 3
    assert assigned.ready_by_ms == NOW_MS + minutes * MINUTE_MS


@pytest.mark.parametrize(("queued", "outcome"), [(57, RoutingOutcome.ROUTED), (58, RoutingOutcome.REFUSED)])
def test_a_slot_has_a_capacity_in_work_minutes(queued: int, outcome: RoutingOutcome) -> None:
    slot = Slot(from_ms=NOW_MS + HOUR_MS, to_ms=NOW_MS + 2 * HOUR_MS)
    shop = store(
        "A", {"X": 1}, work=(QueuedWork(due_ms=slot.from_ms, minutes=queued), QueuedWork(due_ms=slot.to_ms, minutes=99))
    )

    decision = route(request({"X": 1}, slot=slot), shop)

    assert decision.answer.outcome is outcome  # an hour's 60 minutes, three of them for this order
    if outcome is RoutingOutcome.ROUTED:
        assert decision.answer.assignments[0].ready_by_ms == slot.from_ms


def test_a_slot_in_which_the_store_is_closed_is_not_promised() -> None:
    slot = Slot(from_ms=TODAY_MS + 21 * HOUR_MS, to_ms=TODAY_MS + 22 * HOUR_MS)

    decision = route(request({"X": 1}, slot=slot), store("A", {"X": 1}, calendar=open_daily(8, 20)))

    assert eliminated(decision) == {"A": "not_open_in_time"}


def test_stock_on_its_way_counts_for_a_later_promise_and_never_for_todays() -> None:
    coming = SkuFacts(sku="X", terms=terms(1), incoming=(Incoming(at_ms=NOW_MS + DAY_MS, quantity=1),))
    shop = replace(store("A"), skus=(coming,))

    today, later = route(request({"X": 2}), shop), route(request({"X": 2}, later=True), shop)

    assert today.answer.outcome is RoutingOutcome.REFUSED
    assert (later.answer.rung, later.answer.outcome) == (Rung.LATER, RoutingOutcome.WAITING)
    [assigned] = later.answer.assignments
    assert assigned.stock_from_ms == NOW_MS + DAY_MS
    assert assigned.ready_by_ms == NOW_MS + DAY_MS + 120 * MINUTE_MS


@pytest.mark.parametrize(("hours", "rung"), [(30, Rung.LATER), (20, Rung.REFUSE)])
def test_a_slot_after_the_goods_arrive_is_sourced_from_them_without_a_later_promise(hours: int, rung: Rung) -> None:
    coming = SkuFacts(sku="X", terms=terms(0), incoming=(Incoming(at_ms=NOW_MS + DAY_MS, quantity=2),))
    slot = Slot(from_ms=NOW_MS + hours * HOUR_MS, to_ms=NOW_MS + (hours + 2) * HOUR_MS)

    decision = route(request({"X": 2}, slot=slot), replace(store("A"), skus=(coming,)))

    assert decision.answer.rung is rung
    assert [it.ready_by_ms for it in decision.answer.assignments] == [slot.from_ms] * (rung is Rung.LATER)


def test_a_slot_beyond_the_limit_of_later_promises_is_the_customers_own_wish() -> None:
    coming = SkuFacts(sku="X", terms=terms(0), incoming=(Incoming(at_ms=NOW_MS + 9 * DAY_MS, quantity=1),))
    slot = Slot(from_ms=NOW_MS + 10 * DAY_MS, to_ms=NOW_MS + 10 * DAY_MS + HOUR_MS)

    assert route(request({"X": 1}, slot=slot), replace(store("A"), skus=(coming,))).answer.rung is Rung.LATER


def test_what_comes_first_fills_what_the_books_are_short_of() -> None:
    owed = SkuFacts(sku="X", terms=terms(0, held=2), incoming=(Incoming(at_ms=NOW_MS + DAY_MS, quantity=3),))

    assert route(request({"X": 1}, later=True), replace(store("A"), skus=(owed,))).answer.rung is Rung.LATER
    assert route(request({"X": 2}, later=True), replace(store("A"), skus=(owed,))).answer.rung is Rung.REFUSE


def test_a_transfer_serves_the_chosen_store_later_when_the_rules_know_how_long_it_takes() -> None:
    stores = (store("A", {"X": 1}), store("B", {"X": 5}, distance_m=1))

    decision = route(request({"X": 2}, later=True), *stores, rules=RuleSet(transfer_hours=24))

    [assigned] = decision.answer.assignments
    assert (assigned.store, assigned.stock_from_ms) == ("A", NOW_MS + DAY_MS)
    assert [(it.from_store, it.sku, it.quantity) for it in assigned.transfers] == [("B", "X", 1)]
    assert route(request({"X": 2}, later=True), *stores).answer.outcome is RoutingOutcome.OFFERED


def test_a_later_promise_has_its_limit() -> None:
    coming = SkuFacts(sku="X", terms=terms(0), incoming=(Incoming(at_ms=NOW_MS + 7 * DAY_MS, quantity=1),))

    decision = route(request({"X": 1}, later=True), replace(store("A"), skus=(coming,)))

    assert decision.answer.rung is Rung.REFUSE


@pytest.mark.parametrize("allowed", [{"alternatives": True}, {}, {"split": True}, {"later": True}])
def test_o2_09_a_store_whose_place_is_not_known_is_no_alternative(allowed: dict[str, bool]) -> None:
    here, tokyo = store("A", {"X": 24}, distance_m=0), store("B", {"X": 99})

    decision = route(request({"X": 50}, **allowed), here, tokyo, rules=RuleSet(transfer_hours=24))

    assert (decision.answer.outcome, decision.answer.offers) == (RoutingOutcome.REFUSED, ())
    assert eliminated(decision) == {"A": "not_enough_stock", "B": "place_unknown"}
    assert decision.answer.reason is EliminationReason.NOT_ENOUGH_STOCK


def test_the_customers_own_choice_needs_no_place() -> None:
    chosen = route(request({"X": 1}, chosen="B"), store("B", {"X": 1}))
    unchosen = route(request({"X": 1}, chosen=None), store("B", {"X": 1}))
    near = route(request({"X": 1}, chosen=None, place=GeoPoint(latitude_e6=0, longitude_e6=0)), store("B", {"X": 1}))

    assert served(chosen) == served(unchosen) == {"B": {1: 1}}
    assert eliminated(near) == {"B": "place_unknown"}
