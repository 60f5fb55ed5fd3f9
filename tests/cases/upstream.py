"""The cases, the scale of their decimals, and the pools of stock that they speak of.

Quantities here are whole numbers in the SKU's smallest unit. Cases with decimals (5.5, 0.17) are counted in
hundredths, so that nothing is rounded; expectations are scaled with them.
"""

import json
from decimal import Decimal
from typing import Any

from bopis.domain.inventory.availability import terms
from bopis.domain.inventory.events import StockReserved
from bopis.domain.inventory.messages import OrderLine, ReserveStock, SetStockRule, StockLine, StockReceived
from bopis.domain.inventory.rows import Store, Terms, store_key
from bopis.domain.values import DAY_MS
from tests.domain.books import Shop, at
from tests.house.reading import ROOT

FILE = ROOT / "../shared/cases/upstream_cases.json"
PAGE = ROOT / "docs/decisions/0011-upstream-cases.md"
SCALE = 100

# On hand per SKU and source in the fixture `magento-eu-us`: what its sources have in the status "in stock".
# The remaining units (eu-3: 10 of SKU-1, eu-2: 6 of SKU-3) are out of stock by status; eu-disabled takes no orders.
MAGENTO_EU = {"eu-1": {"SKU-1": "5.5"}, "eu-2": {"SKU-1": "3"}, "eu-3": {}}
MAGENTO = {10: MAGENTO_EU, 30: {**MAGENTO_EU, "us-1": {"SKU-2": "5"}}}
WITHHELD = {"eu-3": {"SKU-1": "10"}, "eu-2": {"SKU-3": "6"}}


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Every case with its name, group and number within it; none when the file is not here."""
    if not FILE.exists():
        return []
    named, numbers = [], {}
    for case in json.loads(FILE.read_text(encoding="utf-8"))["cases"]:
        numbers[case["group"]] = numbers.get(case["group"], 0) + 1
        named.append((f"{case['group']} {numbers[case['group']]}", case))
    return named


def units(told: Any) -> int:
    """A quantity of a case in hundredths, exactly."""
    scaled = Decimal(str(told)) * SCALE
    assert scaled == int(scaled), f"{told} is not a whole number of hundredths"
    return int(scaled)


def shop(name: str, stock: dict[str, Any], withheld: dict[str, Any] | None = None) -> Shop:
    """A store whose inventory received this stock; what is withheld is there and never promised."""
    made = Shop(name)
    for sku, told in {**stock, **(withheld or {})}.items():
        made.say(StockReceived(document=f"{name}/{sku}", lines=(StockLine(sku=sku, quantity=units(told)),)))
        if sku in (withheld or {}):
            made.say(SetStockRule(sku=sku, safety_stock=units(told)))
    return made


def magento(stock: int) -> list[Shop]:
    """The sources of a Magento stock, one store each."""
    return [shop(name, dict(it), WITHHELD.get(name)) for name, it in MAGENTO[stock].items()]


def hold(at_shop: Shop, name: str, *lines: tuple[str, Any]) -> bool:
    """Whether the store holds all of these lines."""
    wanted = tuple(OrderLine(line=number, sku=sku, quantity=units(told)) for number, (sku, told) in enumerate(lines, 1))
    until = at(at_shop.now_ms + DAY_MS)
    events = at_shop.say(ReserveStock(hold=name, order=f"order-{name}", lines=wanted, hold_until=until))
    return isinstance(events[0], StockReserved)


def told(at_shop: Shop, sku: str) -> Terms:
    """What the store may promise of a SKU, term by term."""
    policy = at_shop.rows.get(store_key(at_shop.store))
    return terms(at_shop.level(sku), sku, policy if isinstance(policy, Store) else Store(), None, at_shop.now_ms)


def listed() -> dict[str, Any]:
    """The cases that the page of decisions names as decided otherwise, with our answers; each has its reason."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            name, ours, theirs, reason = (it.strip() for it in line.strip("|").split("|"))
            assert theirs, name
            assert reason, name
            found[name.strip("`")] = json.loads(ours.strip("`"))
    return found
