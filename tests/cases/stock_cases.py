"""Cases about stock and holds, decided by the inventory's own step."""

from typing import Any

from bopis.domain.inventory.availability import terms
from bopis.domain.inventory.events import HoldChanged, HoldEnd
from bopis.domain.inventory.messages import (
    AgentHeartbeat,
    CollectStock,
    PosSale,
    ReleaseStock,
    SaleLine,
    SetStockRule,
)
from bopis.domain.inventory.rows import Store
from bopis.domain.inventory.staleness import LastReport
from bopis.domain.values import DAY_MS
from tests.cases.upstream import hold, magento, shop, told, units
from tests.domain.books import Shop, at

Answers = tuple[Any, Any]  # ours, theirs


def salable(given: dict[str, Any], expect: Any) -> Answers:
    shops = magento(given["stock"])
    if given["reservations"]:
        # -5 and +1.5: five units are reserved and one and a half of them given back.
        assert hold(shops[0], "h", (given["sku"], "3.5"), (given["sku"], "1.5"))
        shops[0].say(ReleaseStock(hold="h", lines=(2,)))
    return sum(told(it, given["sku"]).atp for it in shops), units(expect)


def salable_qty(given: dict[str, Any], expect: Any) -> Answers:
    """A Magento stock is one pool; the threshold is what is never promised of it."""
    sku = given["sku"]
    on_hand = sum(told(it, sku).atp for it in magento(given["stock"]))
    pool = shop("pool", {sku: on_hand / 100} if on_hand else {})
    threshold = units(given.get("min_qty", 0))
    if threshold > 0:
        pool.say(SetStockRule(safety_stock=threshold))
    for number, reserved in enumerate(given.get("reservations", ())):
        hold(pool, f"other-{number}", (sku, str(reserved).lstrip("-")))
    if threshold < 0:
        # Below zero there is nothing to hold: more than is there was reserved before, and that was refused.
        return told(pool, sku).held > 0, expect
    return hold(pool, "h", (sku, given["qty"])), expect


def store_available(given: dict[str, Any], expect: Any) -> Answers:
    made = shop(given["store"], {given["sku"]: given["on_hand"]})
    for number, open_pickup in enumerate(given["open_pickups"]):
        assert hold(made, f"h{number}", (given["sku"], open_pickup))
    return told(made, given["sku"]).atp, units(expect)


def atp(given: dict[str, Any], expect: Any) -> Answers:
    if "avg_daily_sell_through" in given:
        return _fresh_and_silent(given), units(expect)
    made = shop("S", {"X": given["on_hand"]})
    if given["allocated"]:
        assert hold(made, "h", ("X", given["allocated"]))
    if given["threshold"] > 0:
        made.say(SetStockRule(safety_stock=units(given["threshold"])))
    return told(made, "X").atp, units(expect)


def _fresh_and_silent(given: dict[str, Any]) -> int:
    """What is promised while the store is heard; a day of silence withholds at least what it would have sold."""
    per_day = units(given["avg_daily_sell_through"])
    made = shop("S", {"X": given["available"] + given["avg_daily_sell_through"] * 7})
    for day in range(7):
        line = SaleLine(sku="X", quantity=per_day)
        made.say(PosSale(basket=f"b{day}", lines=(line,)), seq=day + 1, source="till")
    made.say(AgentHeartbeat(), seq=8, source="till")
    report = LastReport(made.now_ms)
    silent = terms(made.level("X"), "X", Store(), report, report.at_ms + DAY_MS)

    assert silent.atp <= units(given["available"] - given["avg_daily_sell_through"])

    return terms(made.level("X"), "X", Store(), report, report.at_ms).atp


def atp_rules(given: dict[str, Any], expect: Any) -> Answers:
    """The first rule is about the SKU, the second, later one about the whole store."""
    first, last = given["rules"]
    made = shop("S", {"X": 100})
    made.say(SetStockRule(sku="X", safety_stock=units(first)))
    made.say(SetStockRule(safety_stock=units(last)))
    specific = told(made, "X").safety_stock
    made.say(SetStockRule(sku="X", safety_stock=units(last)))

    assert told(made, "X").safety_stock == units(last)  # about the same thing, the last word counts

    return specific, units(expect)


def reconcile(given: dict[str, Any], expect: Any) -> Answers:
    made = shop("S", {"X": given["on_hand"]})
    assert hold(made, "h", ("X", given["invoiced"]), ("X", given["ordered"] - given["invoiced"]))
    made.say(CollectStock(hold="h", lines=(1,)))
    [ended] = made.say(ReleaseStock(hold="h"))

    assert isinstance(ended, HoldChanged)
    assert ended.end is HoldEnd.RELEASED

    ours = {"salable": told(made, "X").atp, "compensation": sum(it.quantity for it in ended.lines)}
    return ours, {name: units(it) for name, it in expect.items()}


def holds(given: dict[str, Any], expect: Any) -> Answers:
    if "levels" in given:
        return _over_stores(given, expect)
    if "bought" in given:
        return _bought(given, expect)
    if "delete_line_reservations" in given:
        return _released_in_part(given, expect)
    made = shop("S", {"X": given.get("stocked", 0) or given["stock"][0]})
    if "change_to" in given:
        assert hold(made, "1", ("X", given["reserved"]))
        made.say(ReleaseStock(hold="1"))
        assert hold(made, "2", ("X", given["change_to"]))
        return {"reserved": made.level("X").held}, {"reserved": units(expect["reserved"])}
    if "confirm" in given:
        assert hold(made, "1", ("X", given["reserved"]))
        return hold(made, "2", ("X", given["confirm"])), expect
    granted = hold(made, "1", ("X", given.get("reserve", given.get("qty"))))
    return _granted(made, granted, expect)


def _granted(made: Shop, granted: bool, expect: Any) -> Answers:
    held, on_hand = made.level("X").held, made.on_hand("X")
    if isinstance(expect, str):
        return (granted, held), (False, 0)
    if "on_hand" in expect:
        return ([held], [on_hand]), ([units(expect["reserved"][0])], [units(expect["on_hand"][0])])
    return held, units(expect["reserved"])


def _over_stores(given: dict[str, Any], expect: Any) -> Answers:
    shops = {name: shop(name, {"X": stocked}) for name, stocked in given["levels"].items()}
    for name, reserved in given["reserved"].items():
        assert hold(shops[name], "h", ("X", reserved))
    asked = [shops[name] for name in given["ask"]]
    ours = {"available": sum(told(it, "X").atp for it in asked), "reserved": sum(it.level("X").held for it in asked)}
    return {name: ours[name] for name in expect}, {name: units(it) for name, it in expect.items()}


def _released_in_part(given: dict[str, Any], expect: Any) -> Answers:
    made = shop("S", {"X": given["reserved_total"]})
    assert hold(made, "h", ("X", 2), ("X", 2), ("X", 2))
    made.say(ReleaseStock(hold="h", lines=(1, 2)))
    scarce = shop("T", {"X": 2})

    assert not hold(scarce, "h", ("X", 2), ("X", 2), ("X", 2))  # lines of one request are checked together

    return {"reserved": made.level("X").held}, {"reserved": units(expect["reserved"])}


def _bought(given: dict[str, Any], expect: Any) -> Answers:
    """Payment moves nothing on the shelf; the hand-over does."""
    made = shop("S", {"X": given["on_hand"]})
    assert hold(made, "h", ("X", given["bought"]))
    paid = {"on_hand": made.on_hand("X"), "on_hold": made.level("X").held}
    made.say(CollectStock(hold="h"), time=at(made.now_ms))
    theirs = {name: units(it) for name, it in expect.items()}

    assert {"on_hand": made.on_hand("X"), "on_hold": made.level("X").held} == theirs

    return paid, theirs
