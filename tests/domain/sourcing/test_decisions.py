"""What holds of every decision, whatever is asked and whatever is known."""

import random

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bopis.domain.sourcing.decision import Decision, RoutingOutcome
from bopis.domain.sourcing.facts import Incoming, QueuedWork, SkuFacts, StoreFacts
from bopis.domain.sourcing.ladder import decide, replay
from bopis.domain.sourcing.request import Allowances, Component, Exclusion, GeoPoint, Request, RequestLine, Slot
from bopis.domain.sourcing.rules import Ranker, Ranking, RuleSet
from bopis.domain.sourcing.stock import wanted_units
from bopis.domain.values import DAY_MS, HOUR_MS
from tests.domain.sourcing.stores import NOW_MS, open_daily, terms

NAMES = ("A", "B", "C", "D", "E")
SKUS = ("X", "Y", "Z")
CALENDARS = (open_daily(), open_daily(8, 20), open_daily(9, 11), open_daily(8, 8))
ECONOMICAL = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
units = st.integers(0, 6)
some = st.integers(1, 4)


@st.composite
def sku_facts(draw: st.DrawFn, sku: str) -> SkuFacts:
    return SkuFacts(
        sku=sku,
        terms=terms(draw(units), held=draw(st.integers(0, 2)), safety_stock=draw(st.integers(0, 1))),
        incoming=tuple(
            Incoming(at_ms=NOW_MS + hours * HOUR_MS, quantity=quantity)
            for hours, quantity in draw(st.lists(st.tuples(st.integers(1, 200), some), max_size=2))
        ),
        trust=draw(st.none() | st.integers(0, 1_000)),
    )


@st.composite
def store_facts(draw: st.DrawFn, name: str) -> StoreFacts:
    return StoreFacts(
        store=name,
        calendar=draw(st.sampled_from(CALENDARS)),
        skus=tuple(draw(sku_facts(sku)) for sku in SKUS if draw(st.booleans())),
        pickup=draw(st.integers(0, 9)) > 0,
        closed=draw(st.integers(0, 9)) == 0,
        heard_ms=draw(st.none() | st.integers(NOW_MS - DAY_MS, NOW_MS)),
        distance_m=draw(st.none() | st.integers(0, 60_000)),
        cost=draw(st.none() | some),
        capacity_minutes=draw(st.sampled_from((0, 30, 60, 240))),
        work=tuple(QueuedWork(due_ms=NOW_MS + HOUR_MS * it, minutes=20 * it) for it in draw(st.sets(some, max_size=2))),
    )


@st.composite
def requests(draw: st.DrawFn) -> Request:
    lines = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        kit = draw(st.lists(st.sampled_from(SKUS), max_size=2, unique=True))
        components = tuple(Component(sku=sku, quantity=draw(st.integers(1, 2))) for sku in kit)
        sku = "KIT" if components else draw(st.sampled_from(SKUS))
        lines.append(RequestLine(line=number, sku=sku, quantity=draw(some), components=components))
    return Request(
        order="ORDER001",
        attempt=draw(some),
        lines=tuple(lines),
        store=draw(st.none() | st.sampled_from(NAMES)),
        slot=draw(st.none() | st.just(Slot(from_ms=NOW_MS + 3 * HOUR_MS, to_ms=NOW_MS + 5 * HOUR_MS))),
        place=draw(st.none() | st.just(GeoPoint(latitude_e6=1, longitude_e6=2))),
        allows=draw(st.builds(Allowances, **dict.fromkeys(Allowances.__struct_fields__, st.booleans()))),
        excluded=draw(st.just(()) | st.just((Exclusion(store="A", skus=("X",)), Exclusion(store="B")))),
    )


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    by = draw(st.lists(st.sampled_from(list(Ranker)), unique=True))
    return RuleSet(
        rankers=tuple(Ranking(by=it, step=draw(st.integers(1, 5_000))) for it in by),
        transfer_hours=draw(st.sampled_from((0, 24))),
        trust_permille_min=draw(st.sampled_from((0, 300))),
        data_age_minutes_max=draw(st.sampled_from((0, 240))),
        distance_metres_max=draw(st.sampled_from((0, 50_000))),
        split_stores_max=draw(st.integers(1, 3)),
    )


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    names = draw(st.sets(st.sampled_from(NAMES)))
    facts = [draw(store_facts(name)) for name in sorted(names)]
    return decide(draw(requests()), facts, draw(rule_sets()), NOW_MS)


@ECONOMICAL
@given(decision=decisions(), seed=st.integers(0, 2**32))
def test_the_order_in_which_stores_are_told_never_matters(decision: Decision, seed: int) -> None:
    shuffled = list(decision.facts)
    random.Random(seed).shuffle(shuffled)

    assert decide(decision.request, shuffled, decision.rules, NOW_MS) == decision


@ECONOMICAL
@given(decision=decisions())
def test_a_decision_replays_bit_for_bit_from_what_was_written_down(decision: Decision) -> None:
    written = msgspec.json.encode(decision)

    again = replay(msgspec.json.decode(written, type=Decision))

    assert again == decision
    assert msgspec.json.encode(again) == written


@ECONOMICAL
@given(decision=decisions())
def test_an_eliminated_store_never_serves_alone_and_one_that_is_out_never_at_all(decision: Decision) -> None:
    answer = decision.answer
    out = {it.store: it.reason.value for it in answer.eliminated}
    used = [it.store for it in (*answer.assignments, *answer.offers)]

    assert all(out.get(it, "not_enough_stock") == "not_enough_stock" for it in used)
    if answer.outcome in (RoutingOutcome.ROUTED, RoutingOutcome.OFFERED) and len(answer.assignments) < 2:
        assert not set(out) & set(used)


@ECONOMICAL
@given(decision=decisions())
def test_every_store_is_either_scored_or_told_why_not(decision: Decision) -> None:
    scored = {it.store for it in decision.answer.scores}
    told = {it.store for it in decision.answer.eliminated}

    assert scored | told >= {it.store for it in decision.facts}


@ECONOMICAL
@given(decision=decisions())
def test_what_is_assigned_is_what_was_asked_and_no_store_gives_more_than_it_may(decision: Decision) -> None:
    if decision.answer.outcome is not RoutingOutcome.ROUTED:
        return
    lines = {it.line: it for it in decision.request.lines}
    given_units = dict.fromkeys(lines, 0)
    for assigned in decision.answer.assignments:
        parts = [msgspec.structs.replace(lines[it.line], quantity=it.quantity) for it in assigned.lines]
        atp = {it.sku: it.atp for it in next(s for s in decision.facts if s.store == assigned.store).skus}
        for it in assigned.lines:
            given_units[it.line] += it.quantity

        assert all(atp.get(sku, 0) >= wanted for sku, wanted in wanted_units(parts).items())

    assert given_units == {number: it.quantity for number, it in lines.items()}


@ECONOMICAL
@given(decision=decisions())
def test_a_promise_lies_in_open_time_and_is_accepted_before_it_is_kept(decision: Decision) -> None:
    for it in (*decision.answer.assignments, *decision.answer.offers):
        facts = next(store for store in decision.facts if store.store == it.store)

        assert it.accept_by_ms <= it.ready_by_ms
        assert any(opens <= it.ready_by_ms <= closes for opens, closes in facts.calendar.opens)


@ECONOMICAL
@given(decision=decisions())
def test_other_inputs_have_another_digest(decision: Decision) -> None:
    other = decide(decision.request, decision.facts, decision.rules, NOW_MS + 1)

    assert other.digest != decision.digest
