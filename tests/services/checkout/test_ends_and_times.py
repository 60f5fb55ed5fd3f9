"""How orders ended and when, as staff read it: with the stock that was missing, on the clock of each store."""

from zoneinfo import ZoneInfo

import pytest

from bopis.domain.orders import messages as m
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import EndReason, Initiator, RejectReason
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.unserved import Unserved, unserved
from bopis.services.counter.event_text import EventText
from bopis.services.counter.refusal_text import ended_text, tries_text, unserved_text
from bopis.services.counter.store_times import StoreTimes
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, S2, World, nowhere
from tests.domain.sourcing.stores import request, route, store

CENTRAL, EASTERN = ZoneInfo("America/Chicago"), ZoneInfo("America/New_York")
NOON_MS = 1_797_876_000_000  # 2026-12-21 18:00 UTC, noon in Chicago


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ((), "A has 24 of 9999 X; no store within 50 km has more"),
        ((store("B", {"X": 3}, distance_m=2_000),), "A has 24 of 9999 X; no store within 50 km has more"),
        ((store("B", {"X": 30}, distance_m=2_400),), "A has 24 of 9999 X; B has 30, 2.4 km"),
        ((store("B", {"X": 10_000}, distance_m=94_000),), "A has 24 of 9999 X; B has 10000, 94 km: too far"),
        ((store("B", {"X": 10_000}, pickup=False),), "A has 24 of 9999 X; no store within 50 km has more"),
    ],
    ids=["alone", "less", "more", "too_far", "pickup_off"],
)
def test_an_order_that_no_store_can_serve_is_explained_with_numbers(others: tuple[object, ...], said: str) -> None:
    decision = route(request({"X": 9_999}), store("A", {"X": 24}, distance_m=0), *others)  # type: ignore[arg-type]

    assert unserved_text(unserved(decision)) == said


def test_a_store_that_takes_no_pickups_is_named_with_its_reason() -> None:
    decision = route(request({"X": 1}), store("A", {"X": 5}, pickup=False), rules=RuleSet(distance_metres_max=0))

    assert unserved_text(unserved(decision)) == "A: pickup off; no other store"


def test_a_cancellation_carries_what_was_missing_and_the_order_keeps_it() -> None:
    world = World(routing=nowhere)
    world.place()

    [cancelled] = [it for _, it in world.events if type(it).__name__ == "OrderCancelled"]

    assert isinstance(cancelled.unserved, Unserved)
    assert world.order().unserved == cancelled.unserved
    said = EventText().sentence(cancelled)
    assert f"{S1} has 0 of 2 A" in said
    assert f"{S1} has 0 of 2 A" in ended_text(world.order(), StoreTimes())


def test_an_end_tells_when_by_whom_and_of_which_lines() -> None:
    world = recipes.ready(World())
    world.tell(m.CancelOrder(by=Initiator.STAFF, reason=EndReason.STORE_WISH))
    order = world.order()

    said = ended_text(order, StoreTimes({S1: CENTRAL}, S1))

    at = StoreTimes({S1: CENTRAL}, S1).instant(order.line(1).ended_ms)  # type: ignore[union-attr]
    assert said == f"cancelled by staff {at} (store wish)"


def test_what_was_handed_over_has_no_such_end() -> None:
    assert ended_text(recipes.handed_over(World()).order(), StoreTimes()) == ""


@pytest.mark.parametrize(("left", "said"), [(4, "4 tries left"), (1, "1 try left"), (0, "locked now")])
def test_tries_are_told_in_words(left: int, said: str) -> None:
    assert tries_text(left) == said


def test_each_time_is_on_the_clock_of_its_store_and_named_where_two_meet() -> None:
    zones = {S1: CENTRAL, S2: EASTERN}
    alone, both = StoreTimes(zones, S1, (S1,)), StoreTimes(zones, S1, (S1, S2))

    assert alone.instant(NOON_MS) == "Mon 21 Dec 12:00"
    assert both.instant(NOON_MS) == "Mon 21 Dec 12:00 CST"
    assert both.instant(NOON_MS, S2) == "Mon 21 Dec 13:00 EST"


def test_a_rerouted_order_tells_the_time_of_the_store_that_has_it() -> None:
    world = recipes.accepted(World())
    world.tell(m.RejectPick(store=S1, reason=RejectReason.TOO_BUSY))
    order: Order = world.order()

    times = StoreTimes({S1: CENTRAL, S2: EASTERN}, S1).about(order)

    assert times.instant(NOON_MS, order.lines[0].store).endswith("13:00 EST")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(12 * 60, "the end of Mon 21 Dec"), (12 * 60 - 1, "the end of Mon 21 Dec"), (60, "Mon 21 Dec 13:00")],
)
def test_a_window_that_ends_with_the_day_names_the_day(minutes: int, said: str) -> None:
    assert StoreTimes({S1: CENTRAL}, S1).until(NOON_MS + minutes * 60_000) == said
