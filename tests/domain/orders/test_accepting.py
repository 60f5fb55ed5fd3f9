"""Nobody accepts: the store is told again, and another one is asked only when its own time is over."""

from typing import Any

from bopis.domain.orders import events as e
from bopis.domain.orders.vocabulary import Allows, Consent, RejectReason
from bopis.domain.sourcing.decision import Answer, RoutingOutcome, Rung
from bopis.domain.values import HOUR_MS, MINUTE_MS
from tests.domain.orders.world import NOON_MS, S1, World, assignment, number, placement


def placed(**told: Any) -> World:
    def routing(request: Any, now_ms: int) -> Answer:
        barred = {it.store for it in request.excluded}
        store = next(it for it in (S1, "S2") if it not in barred)
        assigned = assignment(request, store, now_ms, **told)
        return Answer(rung=Rung.CHOSEN, outcome=RoutingOutcome.ROUTED, assignments=(assigned,))

    world = World(routing=routing)
    world.tell(placement(allows=Allows(alternatives=Consent.AUTOMATIC)), number())
    return world


def said(world: World, kind: type, at_ms: int) -> list[Any]:
    """What of a kind the timers say at an instant."""
    before = len(world.events)
    world.now_ms = at_ms
    world.tick()
    world.run()
    return [event for _, event in world.events[before:] if isinstance(event, kind)]


def test_a_store_that_closed_is_not_passed_over_in_the_night() -> None:
    morning_ms = NOON_MS + 20 * HOUR_MS
    world = placed(reroute_by_ms=morning_ms)

    [again] = said(world, e.AcceptOverdue, NOON_MS + 15 * MINUTE_MS)

    assert again.again_at_ms == morning_ms
    assert said(world, e.LinesRejected, morning_ms - 1) == []
    [rejected] = said(world, e.LinesRejected, morning_ms)
    assert rejected.reason is RejectReason.NOT_ACCEPTED


def test_an_assignment_of_before_is_asked_about_again_after_a_quarter_of_an_hour() -> None:
    world = placed()

    [again] = said(world, e.AcceptOverdue, NOON_MS + 15 * MINUTE_MS)

    assert again.again_at_ms == NOON_MS + 30 * MINUTE_MS
