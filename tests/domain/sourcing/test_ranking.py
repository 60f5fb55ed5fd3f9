"""Rankers: what each prefers, ties, abstention, and the last word of the store's id."""

from typing import Any

import pytest
from msgspec.structs import replace

from bopis.domain.sourcing.facts import QueuedWork, SkuFacts
from bopis.domain.sourcing.ranking import order_key
from bopis.domain.sourcing.rules import Ranker, Ranking, RuleSet
from tests.domain.sourcing.stores import NOW_MS, request, route, served, store, terms


@pytest.mark.parametrize(
    ("by", "better", "worse"),
    [
        (Ranker.DISTANCE, {"distance_m": 999}, {"distance_m": 1_000}),
        (Ranker.DISTANCE, {"distance_m": 9_999}, {}),
        (Ranker.READY_TIME, {}, {"work": (QueuedWork(due_ms=NOW_MS, minutes=121),)}),
        (Ranker.CAPACITY, {"capacity_minutes": 120}, {"capacity_minutes": 60}),
        (Ranker.COST, {"cost": 3}, {"cost": 4}),
        (Ranker.COST, {"cost": 900}, {}),
        (Ranker.BALANCE, {"stock": 9}, {"stock": 8}),
        (Ranker.TRUST, {"trust": 1_000}, {"trust": 900}),
    ],
)
def test_a_ranker_prefers_the_better_store_whatever_its_id(
    by: Ranker, better: dict[str, Any], worse: dict[str, Any]
) -> None:
    rules = RuleSet(rankers=(Ranking(by=by),))

    for good, bad in (("B", "C"), ("C", "B")):
        decision = route(request({"X": 1}, chosen=None), _store(good, better), _store(bad, worse), rules=rules)

        assert served(decision) == {good: {1: 1}}


def _store(name: str, facts: dict[str, Any]) -> Any:
    facts = dict(facts)
    units, trust = facts.pop("stock", 5), facts.pop("trust", None)
    return replace(store(name, **facts), skus=(SkuFacts(sku="X", terms=terms(units), trust=trust),))


def test_what_lies_within_one_step_is_a_tie_for_the_next_ranker() -> None:
    near, cheap = store("B", {"X": 1}, distance_m=4_100, cost=9), store("C", {"X": 1}, distance_m=5_900, cost=1)

    coarse = RuleSet(rankers=(Ranking(by=Ranker.DISTANCE, step=2_000), Ranking(by=Ranker.COST)))
    fine = RuleSet(rankers=(Ranking(by=Ranker.DISTANCE, step=1_000), Ranking(by=Ranker.COST)))

    assert served(route(request({"X": 1}, chosen=None), near, cheap, rules=coarse)) == {"C": {1: 1}}
    assert served(route(request({"X": 1}, chosen=None), near, cheap, rules=fine)) == {"B": {1: 1}}


def test_the_last_tie_is_broken_by_the_stores_id() -> None:
    stores = [store(name, {"X": 1}) for name in ("S2", "S10", "S1")]

    decision = route(request({"X": 1}, chosen=None), *stores, rules=RuleSet(rankers=()))

    assert served(decision) == {"S1": {1: 1}}


def test_a_store_that_abstains_stands_behind_one_that_has_a_rank() -> None:
    assert order_key((None, 1), "A") > order_key((7, 9), "B")


def test_every_score_stands_in_the_decision() -> None:
    stores = store("A", {"X": 3}, distance_m=4_000, cost=2), store("B", {"X": 1})

    decision = route(request({"X": 1}, chosen=None), *stores)

    scores = {it.store: dict(zip(decision.answer.ranked_by, it.ranks, strict=True)) for it in decision.answer.scores}

    assert scores["A"] == {
        Ranker.FEWEST_STORES: 0,
        Ranker.DISTANCE: 2,
        Ranker.READY_TIME: 8,
        Ranker.TRUST: None,
        Ranker.BALANCE: -2,
        Ranker.CAPACITY: -4,
        Ranker.COST: 2,
    }
    assert scores["B"][Ranker.DISTANCE] is None
