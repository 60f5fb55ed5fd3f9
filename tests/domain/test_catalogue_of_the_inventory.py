"""Codes in messages are resolved by the catalogue that stands before them in the log."""

from typing import Any

import pytest

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle, KitComponent
from bopis.domain.inventory.events import TransferDispatched
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    CategoriseSkus,
    CategoryLine,
    Condition,
    CountLine,
    PosReturn,
    PosSale,
    ReturnLine,
    SaleLine,
    SetStockRule,
    StockAdjusted,
    StockCounted,
    StockExpected,
    StockLine,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Expected, Level, Store, expected_key, store_key
from bopis.domain.inventory.step import step
from bopis.domain.values import LINES_MAX, QUANTITY_MAX, ChangeLine
from bopis.wire.resolved import resolved_header, with_resolved
from bopis.wire.stock import STOCK
from tests.domain.books import NOON_MS, Shop, at

BEER = CataloguedArticle(sku="BEER", gtins=("05012345678900",))
SODA = CataloguedArticle(sku="soda", gtins=("00049000006346",))
SIX = CataloguedArticle(sku="SIX", gtins=("15012345678907",), components=(KitComponent(sku="BEER", quantity=6),))
HAMPER = CataloguedArticle(
    sku="HAMPER", components=(KitComponent(sku="BEER", quantity=2), KitComponent(sku="CHEESE", quantity=500))
)
ASSORTMENT = (BEER, SODA, SIX, HAMPER, CataloguedArticle(sku="CHEESE"), CataloguedArticle(sku="4006381333931"))


def shop(*articles: CataloguedArticle, beer: int = 24) -> Shop:
    made = Shop()
    change(made, 1, *(articles or ASSORTMENT))
    made.say(StockReceived(document="d", lines=(StockLine(sku="BEER", quantity=beer),)))
    return made


def change(made: Shop, following: int, *articles: CataloguedArticle, removed: tuple[str, ...] = ()) -> None:
    body = CatalogueChanged(partition=0, following=following, articles=articles, removed=removed)
    made.say(body, source="inventory", subject="-")


def sale(*lines: tuple[str, int]) -> PosSale:
    return PosSale(basket="b", lines=tuple(SaleLine(sku, quantity) for sku, quantity in lines))


def levels(made: Shop) -> dict[str, int]:
    return {key.split("|")[1]: row.on_hand for key, row in made.rows.rows.items() if isinstance(row, Level)}


@pytest.mark.parametrize("trace", [None, lambda *_: None], ids=["hot path", "traced"])
@pytest.mark.parametrize(
    ("code", "left"),
    [
        pytest.param("SIX", 0, id="o2-11 kit"),
        pytest.param("5012345678900", 20, id="o2-12 GTIN-13"),
        pytest.param(" BEER", 20, id="o2-12 blanks"),
        pytest.param("beer", 20, id="o2-12 case"),
        ("05012345678900", 20),
        ("(01)05012345678900", 20),
        ("BEER", 20),
        ("15012345678907", 0),  # the case's own GTIN
        (" six ", 0),
        ("HAMPER", 16),
    ],
)
def test_four_sold_under_any_code_leave_the_shelf_of_the_article(code: str, left: int, trace: Any) -> None:
    made = shop()

    made.say(sale((code, 4)), trace=trace)

    assert made.on_hand("BEER") == left
    assert set(levels(made)) <= {"BEER", "CHEESE"}


@pytest.mark.parametrize(
    ("body", "beer"),
    [
        (PosReturn(basket="b", lines=(ReturnLine(sku="SIX", quantity=1),)), 30),
        (PosReturn(basket="b", lines=(ReturnLine(sku="SIX", quantity=1, condition=Condition.DAMAGED),)), 24),
        (StockReceived(document="e", lines=(StockLine(sku="5012345678900", quantity=5),)), 29),
        (StockReceived(document="e", lines=(StockLine(sku="SIX", quantity=2),)), 36),
        (StockCounted(lines=(CountLine(sku="SIX", counted=2), CountLine(sku="BEER", counted=3))), 15),
        (StockCounted(lines=(CountLine(sku="SIX", counted=0),)), 24),
        (StockAdjusted(reason=AdjustmentReason.DAMAGE, lines=(ChangeLine(sku="six", change=-1),)), 18),
        (TransferReceived(transfer="T", from_store="S2", lines=(StockLine(sku="SIX", quantity=1),)), 30),
        (TransferShipped(transfer="T", to_store="S2", lines=(StockLine(sku="SIX", quantity=1),)), 18),
    ],
    ids=lambda it: type(it).__name__ if not isinstance(it, int) else "",
)
def test_every_report_moves_the_components_of_a_kit(body: Any, beer: int) -> None:
    made = shop()

    made.now_ms += 1
    made.say(body)

    assert made.on_hand("BEER") == beer
    assert "SIX" not in levels(made)


def test_o2_16_a_upc_e_is_the_article_of_its_upc_a() -> None:
    made = shop()

    made.say(sale(("04963406", 2)))

    assert levels(made)["soda"] == -2


def test_a_sku_that_is_a_gtin_is_found_in_every_form_of_it() -> None:
    made = shop()

    made.say(sale(("04006381333931", 1)))

    assert levels(made)["4006381333931"] == -1


def test_a_transfer_of_kits_is_announced_as_its_components() -> None:
    [dispatched] = shop().say(TransferShipped(transfer="T", to_store="S2", lines=(StockLine(sku="SIX", quantity=2),)))

    assert isinstance(dispatched, TransferDispatched)
    assert dispatched.lines == (StockLine(sku="BEER", quantity=12),)


def test_a_kit_is_expected_as_its_components() -> None:
    made = shop()

    made.say(StockExpected(document="e", lines=(StockLine(sku="SIX", quantity=2),), expected_at=at(NOON_MS + 9)))

    expected = made.rows.get(expected_key(made.store, "e"))
    assert isinstance(expected, Expected)
    assert expected.lines == {"BEER": 12}


def test_a_code_that_no_article_has_counts_under_itself() -> None:
    made = shop()

    made.say(sale(("7777", 1), ("bEEr ", 1), ("5012345678901", 2)))

    assert levels(made) == {"BEER": 23, "7777": -1, "5012345678901": -2}


def test_two_skus_that_differ_in_case_alone_are_not_guessed() -> None:
    made = shop(BEER, CataloguedArticle(sku="beer"))

    made.say(sale(("beer", 1), ("Beer", 2), ("BEER", 4)))

    assert levels(made) == {"BEER": 20, "beer": -1, "Beer": -2}


def test_of_two_articles_with_one_gtin_the_newer_has_it_until_it_is_removed() -> None:
    made = shop(BEER, CataloguedArticle(sku="ALE", gtins=BEER.gtins))
    made.say(sale(("5012345678900", 1)))

    change(made, 2, removed=("ALE",))
    made.say(sale(("5012345678900", 2)))

    assert levels(made) == {"BEER": 22, "ALE": -1}


def test_without_a_catalogue_every_code_is_taken_as_it_is() -> None:
    made = Shop()

    made.say(sale(("5012345678900", 1), (" BEER", 1)))

    assert levels(made) == {"5012345678900": -1, " BEER": -1}


def test_what_a_code_means_follows_from_the_messages_before_it() -> None:
    made = shop(CataloguedArticle(sku="BEER"), CataloguedArticle(sku="SIX"))
    made.say(sale(("SIX", 1)))
    change(made, 2, SIX)
    made.say(sale(("SIX", 1)))
    change(made, 3, removed=("SIX",))
    made.say(sale(("SIX", 1)))

    assert levels(made) == {"BEER": 18, "SIX": -2}


def test_a_catalogue_change_that_comes_again_changes_nothing() -> None:
    made = shop()
    change(made, 2, CataloguedArticle(sku="BEER", gtins=("00049000006346",)))
    rows = dict(made.rows.rows)

    change(made, 1, *ASSORTMENT)

    assert made.rows.rows == rows


def test_only_the_inventory_changes_the_catalogue() -> None:
    with pytest.raises(Rejected, match="not by 'till/3'"):
        Shop().say(CatalogueChanged(partition=0, following=1), source="till/3", subject="-")


def test_a_rule_by_a_gtin_is_the_rule_of_its_sku_and_a_kit_has_no_category() -> None:
    made = shop()

    made.say(SetStockRule(sku="5012345678900", safety_stock=2))
    made.say(
        CategoriseSkus(lines=(CategoryLine(sku="SIX", category="packs"), CategoryLine(sku="beer", category="drinks")))
    )

    store = made.rows.get(store_key(made.store))
    assert isinstance(store, Store)
    assert list(store.rules) == ["sku:BEER"]
    assert made.level("BEER").category == "drinks"
    assert "SIX" not in levels(made)


@pytest.mark.parametrize(
    "body",
    [
        sale(("HAMPER", QUANTITY_MAX)),
        StockReceived(document="e", lines=(StockLine(sku="HAMPER", quantity=QUANTITY_MAX),)),
        TransferShipped(
            transfer="T", to_store="S2", lines=tuple(StockLine(sku="HAMPER", quantity=1) for _ in range(LINES_MAX))
        ),
    ],
    ids=["sale", "receipt", "shipment"],
)
def test_kits_beyond_the_limits_are_rejected_before_anything_changes(body: Any) -> None:
    made = shop()
    rows = dict(made.rows.rows)

    with pytest.raises(Rejected):
        made.say(body)

    assert made.rows.rows == rows


def test_the_largest_sale_of_something_that_is_no_kit_counts() -> None:
    made = shop()

    made.say(sale(("CHEESE", QUANTITY_MAX)))

    assert made.on_hand("CHEESE") == -QUANTITY_MAX


@pytest.mark.parametrize("seq", [1, None], ids=["device", "person"])
def test_a_repeat_is_recognised_after_the_catalogue_has_changed(seq: int | None) -> None:
    made = Shop()
    header = {"id": "m1", "source": "desk"} if seq is None else {"id": "m1", "source": "till", "seq": seq}
    message = made.message(StockReceived(document="d", lines=(StockLine(sku="5012345678900", quantity=3),)), **header)
    made.hear(message)

    change(made, 1, *ASSORTMENT)
    made.hear(message)

    assert levels(made) == {"5012345678900": 3}


def test_a_repeat_of_a_moved_message_is_recognised_by_the_body_as_sent() -> None:
    made = Shop()
    body = StockReceived(document="d", lines=(StockLine(sku="5012345678900", quantity=3),))
    message = made.message(body, id="m1", source="till", seq=1)
    moved = with_resolved(message, [resolved_header({"5012345678900": BEER})])
    step(made.rows, moved, made.now_ms, STOCK.encode(message))

    made.hear(message)

    assert levels(made) == {"BEER": 3}
