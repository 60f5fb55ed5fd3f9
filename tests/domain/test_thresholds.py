"""A SKU that goes out of pickup stock, or comes back into it, is said once per crossing."""

from bopis.domain.inventory.events import ThresholdCrossed
from bopis.domain.inventory.messages import (
    CategoriseSkus,
    CategoryLine,
    CountLine,
    OrderLine,
    PickLine,
    PosSale,
    ReleaseStock,
    ReserveStock,
    SaleLine,
    SetStockRule,
    StockCounted,
    StockLine,
    StockPicked,
    StockReceived,
    StockTick,
)
from bopis.domain.values import HOUR_MS
from tests.domain.books import NOON_MS, Shop, at

OUT = ThresholdCrossed(sku="A", in_pickup_stock=False, available=0)


def back(available: int) -> ThresholdCrossed:
    return ThresholdCrossed(sku="A", in_pickup_stock=True, available=available)


def stocked(units: int) -> Shop:
    shop = Shop()
    shop.say(StockReceived(document="d", lines=(StockLine(sku="A", quantity=units),)))
    return shop


def sale(*quantities: int) -> PosSale:
    return PosSale(basket="b", lines=tuple(SaleLine("A", quantity) for quantity in quantities))


def reserve(units: int, hold: str = "h") -> ReserveStock:
    wanted = (OrderLine(line=1, sku="A", quantity=units),)
    return ReserveStock(hold=hold, order="o", lines=wanted, hold_until=at(NOON_MS + HOUR_MS))


def test_the_last_unit_sold_is_a_crossing_and_further_sales_are_none() -> None:
    shop = stocked(2)

    for _ in range(3):
        shop.say(sale(1))

    assert shop.crossed == [OUT]


def test_what_comes_back_is_said_once() -> None:
    shop = stocked(1)
    shop.say(sale(3))

    shop.say(StockReceived(document="d", lines=(StockLine(sku="A", quantity=2),)))
    shop.say(StockReceived(document="d", lines=(StockLine(sku="A", quantity=3),)))
    shop.say(StockReceived(document="d", lines=(StockLine(sku="A", quantity=1),)))

    assert shop.crossed == [OUT, back(3)]


def test_a_sku_that_comes_into_the_books_crosses_nothing() -> None:
    assert stocked(5).crossed == []
    shop = Shop()

    shop.say(sale(1, -4))

    assert shop.crossed == []


def test_a_basket_that_takes_and_brings_back_crosses_nothing() -> None:
    shop = stocked(1)

    shop.say(sale(1, -1))

    assert shop.crossed == []


def test_a_return_in_a_basket_may_bring_a_sku_back() -> None:
    shop = stocked(1)
    shop.say(sale(1))

    shop.say(sale(-2))

    assert shop.crossed == [OUT, back(2)]


def test_a_hold_on_the_last_units_is_a_crossing_and_so_is_its_end() -> None:
    for ending in (ReleaseStock(hold="h"), StockTick(at=at(NOON_MS + HOUR_MS))):
        shop = stocked(2)
        shop.say(reserve(2))
        shop.now_ms += HOUR_MS

        shop.say(ending, source="inventory" if isinstance(ending, StockTick) else "desk")

        assert shop.crossed == [OUT, back(2)]


def test_a_sale_of_the_last_unit_that_is_not_held_is_a_crossing() -> None:
    shop = stocked(3)
    shop.say(reserve(2))

    shop.say(sale(1))

    assert shop.crossed == [OUT]


def test_units_in_doubt_are_out_until_a_count_settles_them() -> None:
    shop = stocked(2)
    shop.say(reserve(1))
    shop.say(StockPicked(hold="h", lines=(PickLine(line=1, picked=0, missing=1),)))
    shop.say(sale(1))

    shop.say(StockCounted(lines=(CountLine(sku="A", counted=1),)))

    assert shop.crossed == [OUT, back(1)]


def test_what_rules_withhold_is_no_pickup_stock() -> None:
    shop = stocked(5)
    shop.say(SetStockRule(safety_stock=3))

    shop.say(sale(1))
    shop.say(sale(1))
    shop.say(sale(1))

    assert shop.crossed == [OUT]


def test_a_rule_that_is_raised_counts_for_the_next_sale() -> None:
    shop = stocked(5)
    shop.say(SetStockRule(safety_stock=1))
    shop.say(sale(1))

    shop.say(SetStockRule(safety_stock=3))
    shop.say(sale(1))

    assert shop.crossed == [OUT]


def test_a_rule_for_a_sku_moves_it_at_once() -> None:
    shop = stocked(5)

    shop.say(SetStockRule(sku="A", safety_stock=5))
    shop.say(SetStockRule(sku="A", safety_stock=4))

    assert shop.crossed == [OUT, back(1)]


def test_a_category_may_bring_its_rule_along() -> None:
    shop = stocked(5)
    shop.say(SetStockRule(category="toys", walk_in_reserve=9))

    shop.say(CategoriseSkus(lines=(CategoryLine(sku="A", category="toys"),)))

    assert shop.crossed == [OUT]
