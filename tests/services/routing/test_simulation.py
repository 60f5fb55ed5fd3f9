"""Past requests under other rules: what changes, what is kept, and what is not known."""

from datetime import UTC, datetime

import msgspec

from bopis.domain.message import Message
from bopis.domain.orders.events import OrderReady
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.sourcing.decision import Decision, RoutingOutcome
from bopis.domain.sourcing.ladder import decide
from bopis.domain.sourcing.rules import Ranker, Ranking, RuleSet
from bopis.domain.values import MINUTE_MS
from bopis.services.routing.history import PastDecision, read_past_decisions
from bopis.services.routing.rules_comparison import as_decided, not_repeatable, of_candidate, simulate
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.routing import SHADOW, ShadowDecided
from tests.cli.fakes import START_MS, FakeLog
from tests.domain.sourcing.stores import NOW_MS, request, store

NEAREST = RuleSet(name="nearest", version=2, rankers=(Ranking(by=Ranker.DISTANCE),))
BALANCED = RuleSet(name="balanced", version=5, rankers=(Ranking(by=Ranker.BALANCE),))
STORES = (
    store("A", distance_m=0),
    store("B", {"X": 2}, distance_m=1_000),
    store("C", {"X": 9}, distance_m=3_000),
)


def decided(order: str, rules: RuleSet = NEAREST, units: int = 2, **asked: bool) -> Decision:
    wanted = msgspec.structs.replace(request({"X": units}, **{"alternatives": True, **asked}), order=order)
    return decide(wanted, STORES, rules, NOW_MS)


def test_other_rules_move_orders_and_the_figures_say_at_what_price() -> None:
    past = [PastDecision(decision=decided(order), ready_ms={}) for order in ("ORDER001", "ORDER002")]

    then, other = as_decided(past), simulate(past, BALANCED)

    assert (then.rules, then.version, then.moved) == ("nearest", 2, 0)
    assert (then.metres_mean, other.metres_mean) == (1_000, 3_000)
    assert (then.drained, other.drained) == (2, 0)
    assert (then.fill, other.fill) == (1_000, 1_000)
    assert other.moved == 2


def test_units_that_nobody_could_serve_lower_the_fill() -> None:
    past = [
        PastDecision(decision=decided("ORDER001", units=3), ready_ms={}),
        PastDecision(decision=decided("ORDER002", units=10), ready_ms={}),
    ]

    then = as_decided(past)
    strict = simulate(past, msgspec.structs.replace(NEAREST, distance_metres_max=2_000))

    assert (then.routed, then.refused, then.fill) == (1, 1, 230)
    assert (strict.routed, strict.fill) == (0, 0)


def test_a_promise_is_judged_only_where_the_store_is_the_one_that_prepared_it() -> None:
    in_time, late = NOW_MS + 120 * MINUTE_MS, NOW_MS + 120 * MINUTE_MS + 1
    past = [
        PastDecision(decision=decided("ORDER001"), ready_ms={"B": in_time}),
        PastDecision(decision=decided("ORDER002"), ready_ms={"B": late}),
        PastDecision(decision=decided("ORDER003"), ready_ms={}),
    ]

    then, other = as_decided(past), simulate(past, BALANCED)

    assert (then.promise_kept, then.promises_known) == (500, 2)
    assert (other.promise_kept, other.promises_known) == (None, 0)


def test_a_decision_of_other_code_is_counted() -> None:
    made = decided("ORDER001")
    changed = msgspec.structs.replace(made, digest="00000000")

    assert not_repeatable([PastDecision(decision=made, ready_ms={}), PastDecision(decision=changed, ready_ms={})]) == 1


def test_the_past_is_read_from_the_log_first_answers_only() -> None:
    log = FakeLog("orders", "order-events", "routing-shadow")
    first, again, failed = decided("ORDER001"), decided("ORDER001", BALANCED), decided("ORDER002", units=50)
    candidate = decided("ORDER001", BALANCED)
    tell(log, "orders", ORDERS, OrderRouted(attempt=1, decision=first))
    tell(log, "orders", ORDERS, OrderRouted(attempt=1, decision=again))
    tell(log, "orders", ORDERS, RoutingFailed(attempt=1, decision=failed))
    log.publish("orders", "ORDER003", b'{"type":"bopis.order.routed.v1"}')
    stamp = Stamp(device="d", actor="", at_ms=NOW_MS + 5, recorded_at_ms=NOW_MS + 9)
    ready = OrderReady(stamp=stamp, store="B", lines=(1,), window_end_ms=0, hold_until_ms=0)
    tell(log, "order-events", ORDER_EVENTS, ready)
    told = ShadowDecided(attempt=1, acted=first.digest, decision=candidate)
    tell(log, "routing-shadow", SHADOW, told)

    past = read_past_decisions(log, START_MS)

    assert [it.decision for it in past] == [first, failed]
    assert past[0].ready_ms == {"B": NOW_MS + 5}
    assert past[0].candidate == candidate
    shadow = of_candidate(past)
    assert shadow is not None
    assert (shadow.rules, shadow.decisions, shadow.moved) == ("balanced", 1, 1)
    assert past[1].decision.answer.outcome is RoutingOutcome.REFUSED
    assert read_past_decisions(log, START_MS + 10**9) == []


def tell(log: FakeLog, topic: str, family: object, data: object) -> None:
    order = data.decision.order if hasattr(data, "decision") else "ORDER001"
    message = Message(id=f"m{log.now_ms}", source="t", time=datetime.now(UTC), subject=order, data=data)
    log.publish(topic, order, family.encode(message))  # type: ignore[attr-defined]  # any family
