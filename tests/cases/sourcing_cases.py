"""Cases about choosing stores, decided by the ladder of sourcing."""

from typing import Any

from bopis.domain.sourcing.decision import Decision, RoutingOutcome
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.ladder import decide
from bopis.domain.sourcing.request import GeoPoint, Request
from bopis.domain.sourcing.rules import Ranker, Ranking, RuleSet
from bopis.services.routing.fact_gathering import geo_point, metres
from tests.cases.upstream import MAGENTO_EU, hold, shop, told, units
from tests.domain.sourcing.stores import NOW_MS, request, store

Answers = tuple[Any, Any]  # ours, theirs

BY_COST = RuleSet(rankers=(Ranking(by=Ranker.COST),))
HIGH_STOCK = RuleSet(rankers=(Ranking(by=Ranker.BALANCE),))
# Coordinates of the sources in the fixture that the cases name.
PICKUP_PLACES = {
    "eu-1": (48.9833, 2.6167),
    "eu-2": (43.5283, 5.4497),
    "eu-3": (47.8496, 12.067),
    "us-1": (38.7634, -95.84),
}


def source_selection(given: dict[str, Any], expect: Any) -> Answers:
    if "sources" in given:
        places = {name: position for position, name in enumerate(given["order_by_distance"])}
        stores = [_store(name, {"X": told}, cost=places[name]) for name, told in given["sources"].items()]
        asked = _anywhere({"X": given["qty"]})
        ours = {it: _deducted(decide(asked, stores, BY_COST, NOW_MS)).get(it, 0) for it in expect["deduct"]}
        return ours, {name: units(told) for name, told in expect["deduct"].items()}
    order = {name: position for position, name in enumerate(given["source_order"])}
    stores = [_store(name, dict(MAGENTO_EU[name]), cost=position) for name, position in order.items()]
    decision = decide(_anywhere(given["lines"]), stores, BY_COST, NOW_MS)
    theirs = {name: units(told) for name, told in expect["deduct"].items()}

    assert (decision.answer.outcome is RoutingOutcome.ROUTED) == expect["shippable"]

    if not expect["shippable"] and "SKU-1" in given["lines"]:
        _same_for_what_there_is(given, stores, theirs)
    return {f"{it}:SKU-1": taken for it, taken in _deducted(decision).items()}, theirs


def _same_for_what_there_is(given: dict[str, Any], stores: list[StoreFacts], theirs: dict[str, int]) -> None:
    """Asked for the line that can be served, as many units are given, and by no more stores."""
    decision = decide(_anywhere({"SKU-1": given["lines"]["SKU-1"]}), stores, BY_COST, NOW_MS)
    ours, wanted = _deducted(decision), [taken for taken in theirs.values() if taken]

    assert sum(ours.values()) == sum(wanted)
    assert len(ours) <= len(wanted)


def pickup_search(given: dict[str, Any], expect: Any) -> Answers:
    latitude, longitude = given["lat_lon"]
    here = geo_point(latitude, longitude)
    assert isinstance(here, GeoPoint)
    stores = [
        _store(name, {"X": 1}, pickup=name not in given["inactive"], distance_m=_metres(here, name))
        for name in given["candidates"]
    ]
    rules = RuleSet(rankers=(Ranking(by=Ranker.DISTANCE),), distance_metres_max=given["radius_km"] * 1000)
    decision = decide(_anywhere({"X": 1}), stores, rules, NOW_MS)
    ours = [it.store for it in decision.answer.scores]
    if given["sort"] == "desc":
        ours.reverse()
    return (sorted(ours), sorted(expect)) if given["sort"] is None else (ours, expect)


def _metres(here: GeoPoint, name: str) -> int:
    there = geo_point(*PICKUP_PLACES[name])
    assert there is not None
    return metres(here, there)


def allocation(given: dict[str, Any], expect: Any) -> Answers:
    # The stocks' names run against their sizes, so that a name cannot decide.
    names = [f"stock-{9 - number}" for number in range(len(given["stock"]))]
    free = [
        have - reserved for have, reserved in zip(given["stock"], given.get("others_reserved", (0, 0)), strict=True)
    ]
    stores = [_store(name, {"X": told}) for name, told in zip(names, free, strict=True)]
    if "collection_point_stock" in given:
        point = _store("point", {"X": given["collection_point_stock"]})
        asked = request({"X": units(given["qty"])}, chosen="point", split=True)
        return _deducted(decide(asked, [*stores, point], HIGH_STOCK, NOW_MS)), {"point": units(given["qty"])}
    taken = _deducted(decide(_anywhere({"X": given["qty"]}), stores, HIGH_STOCK, NOW_MS))
    return [taken.get(name, 0) for name in names], [units(it) for it in expect]


def routing(given: dict[str, Any], expect: Any) -> Answers:
    if "pickup_at_A" in given:
        return _ships_beside_a_pickup(given)
    if "strategy" in given:
        stores = [_store(name, {"X": told}) for name, told in given["stock"].items()]
        taken = _deducted(decide(_anywhere({"X": given["qty"]}), stores, HIGH_STOCK, NOW_MS))
        return {name: taken.get(name, 0) for name in expect}, {name: units(told) for name, told in expect.items()}
    stores = [_store(name, dict(stock)) for name, stock in given["stock"].items()]
    taken = _deducted(decide(_anywhere(given["lines"]), stores, RuleSet(), NOW_MS))
    if "on_hand" in expect:
        return taken, {name: units(told) for name, told in expect["on_hand"].items()}
    ours = {"total_on_hand": sum(taken.values())}
    theirs = {"total_on_hand": units(expect["total_on_hand"])}
    if "locations" in expect:
        return {**ours, "locations": len(taken)}, {**theirs, "locations": expect["locations"]}
    return ours, theirs


def _ships_beside_a_pickup(given: dict[str, Any]) -> Answers:
    """What a pickup holds at A is not offered to another customer."""
    shops = {name: shop(name, {"X": told}) for name, told in given["stock"].items()}
    assert hold(shops["A"], "pickup", ("X", given["pickup_at_A"]))
    stores = [store(name, {"X": told(it, "X").atp}) for name, it in shops.items()]
    facts = next(it for it in stores if it.store == "A")
    all_of_a = decide(request({"X": facts.skus[0].atp}, chosen="A"), stores, RuleSet(), NOW_MS)
    one_more = decide(request({"X": facts.skus[0].atp + 1}, chosen="A"), stores, RuleSet(), NOW_MS)

    assert one_more.answer.outcome is not RoutingOutcome.ROUTED

    return _deducted(all_of_a), {"A": units(given["stock"]["A"] - given["pickup_at_A"])}


def rule_reducer(given: dict[str, Any], expect: Any) -> Answers:
    """Each rule of a case is one ranker that has these ranks; one that abstains knows nothing of any store."""
    rankers, facts = [], {name: {} for name in given["locations"]}
    for by, fact, ranks in zip(
        (Ranker.DISTANCE, Ranker.COST), ("distance_m", "cost"), given["ranks_per_rule"], strict=False
    ):
        rankers.append(Ranking(by=by))
        for name, rank in zip(given["locations"], ranks, strict=True):
            facts[name][fact] = rank
    stores = [_store(name, {"X": 1}, **told) for name, told in facts.items()]
    assigned = decide(_anywhere({"X": 1}), stores, RuleSet(rankers=tuple(rankers)), NOW_MS).answer.assignments
    return (assigned[0].store if assigned else None), expect


def _anywhere(lines: dict[str, Any]) -> Request:
    return request({sku: units(told) for sku, told in lines.items()}, chosen=None, split=True)


def _store(name: str, stock: dict[str, Any], **facts: Any) -> StoreFacts:
    return store(name, {sku: units(told) for sku, told in stock.items()}, **facts)


def _deducted(decision: Decision) -> dict[str, int]:
    """Units of each store, over all lines."""
    return {it.store: sum(line.quantity for line in it.lines) for it in decision.answer.assignments}
