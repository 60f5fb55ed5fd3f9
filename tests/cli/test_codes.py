"""Codes of tills and people on a running installation: one article under every form, one answer about a kit."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.publisher import LogPublisher
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.names import STOCK_TOPIC
from bopis.settings import load
from bopis.wire.stock import STOCK
from tests.cli.program import Installation
from tests.cli.test_orders import until

PATIENCE_SECONDS = 120.0
EMPTY = "000"


@pytest.fixture(scope="module")
def gtins(bopis: Installation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Articles with codes, for the whole file."""
    rows = [
        {"sku": "BEER", "name": "Beer", "gtins": "5012345678900"},
        {"sku": "SIX", "name": "Six-pack", "components": "BEER*6"},
        {"sku": "COLA", "name": "Cola", "gtins": "04963406"},
        {"sku": "BAN", "name": "Bananas", "unit": "g"},
    ]
    file = tmp_path_factory.mktemp("catalogue") / "catalogue.ndjson"
    file.write_text("".join(json.dumps(it) + "\n" for it in rows))
    assert bopis("catalogue", "import", str(file)).code == 0
    return {it["sku"]: it.get("gtins", "") for it in rows}


@pytest.fixture
def shop(bopis: Installation, store: str, gtins: dict[str, str]) -> str:
    """A store with 24 beers."""
    bopis.ask("stock", "receive", store, "BEER=24")
    return store


def sell(bopis: Installation, store: str, *lines: tuple[str, int], till: str = "") -> None:
    """A till's message, as any Kafka client sends it."""
    basket = PosSale(basket="b1", lines=tuple(SaleLine(sku, units) for sku, units in lines))
    source = till or f"till/{store}/{time.time_ns()}"
    message = Message(id=f"{source}/1", source=source, seq=1, time=datetime.now(UTC), subject=store, data=basket)
    with LogPublisher(bopis.ready["bootstrap"], load().topic_prefix) as publisher:
        publisher.publish(STOCK_TOPIC, store, STOCK.encode(message)).wait(10)


def eventually(ask: Callable[[], Any], expected: Any) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (found := ask()) != expected:
        assert time.monotonic() < give_up, found
        time.sleep(0.1)


def text_of(mail: Path) -> str:
    body = message_from_bytes(mail.read_bytes(), policy=default).get_body(("plain",))
    return "" if body is None else str(body.get_content())


def on_hand(bopis: Installation, store: str) -> dict[str, int]:
    return {it["sku"]: it["terms"]["on_hand"] for it in bopis.ask("stock", "show", store)["levels"]}


def test_o2_11_a_kit_sold_at_the_till_lowers_its_components(bopis: Installation, shop: str) -> None:
    sell(bopis, shop, ("SIX", 4))

    eventually(lambda: on_hand(bopis, shop), {"BEER": 0})
    assert bopis.ask("stock", "show", shop, "SIX")["kits"][0]["atp"] == 0
    assert shop not in {it["store"] for it in bopis.ask("stock", "find", "SIX")["stores"]}
    refused = bopis.ask("order", "place", shop, "SIX=4", "--alternatives", "never")
    until(bopis, refused["shown"], "cancelled")


@pytest.mark.parametrize(
    "words",
    [
        ("count", "SIX=4"),
        ("adjust", "SIX=-1", "--reason", "damage"),
        ("expect", "PO-1", "SIX=4", "--on", "2099-01-01"),
    ],
    ids=lambda it: f"o2-11 {it[0]}",
)
def test_a_kit_has_no_shelf_to_report_about(bopis: Installation, shop: str, words: tuple[str, ...]) -> None:
    refused = bopis("stock", words[0], shop, *words[1:])

    assert refused.code == 2
    assert "SIX is a kit and has no shelf of its own" in refused.err
    assert "BEER x" in refused.err


def test_o2_11_kits_received_are_components_received(bopis: Installation, shop: str) -> None:
    received = bopis.ask("stock", "receive", shop, "SIX=2")

    assert [(it["sku"], it["terms"]["on_hand"]) for it in received["levels"]] == [("BEER", 36)]


def test_o2_12_every_code_of_an_article_is_counted_as_it_and_unknown_ones_are_listed(
    bopis: Installation, shop: str
) -> None:
    till = f"till/{shop}/1"
    sell(bopis, shop, ("5012345678900", 2), (" BEER", 1), ("beer", 1), ("7777", 3), till=till)
    received = bopis.ask("stock", "receive", shop, "5012345678900=5")

    assert [(it["sku"], it["terms"]["on_hand"]) for it in received["levels"]] == [("BEER", 25)]
    assert on_hand(bopis, shop) == {"BEER": 25, "7777": -3}
    [found] = [it for it in bopis.ask("stock", "unknown")["codes"] if it["store"] == shop]
    assert (found["code"], found["source"], found["messages"], found["units"]) == ("7777", till, 1, -3)
    assert bopis.ask("status")["unknown"]["codes"] >= 1
    assert "in no catalogue" in bopis("doctor").out
    assert "in no catalogue" in bopis("status").out


def test_o2_12_a_store_that_was_never_imported_is_listed_with_the_one_that_is_meant(
    bopis: Installation, shop: str
) -> None:
    sell(bopis, EMPTY + shop, ("BEER", 1))

    def stores() -> set[str]:
        return {it["store"] for it in bopis.ask("stock", "unknown")["stores"]}

    eventually(lambda: EMPTY + shop in stores(), True)
    assert f"meant is {shop}?" in " ".join(bopis("stock", "unknown").out.split())


def test_o2_16_a_upc_e_in_the_file_and_from_the_scanner_is_one_article(bopis: Installation, shop: str) -> None:
    sell(bopis, shop, ("049000006346", 1), ("04963406", 1))

    eventually(lambda: on_hand(bopis, shop), {"BEER": 24, "COLA": -2})
    assert bopis.ask("stock", "receive", shop, "04963406=10")["levels"][0]["sku"] == "COLA"


def test_o2_33_weights_are_understood_and_decimals_refused_by_a_sentence(bopis: Installation, shop: str) -> None:
    received = bopis("stock", "receive", shop, "BAN=0.5kg", "BAN=0,25 kg".replace(" ", ""), "BAN=250")

    assert received.code == 0
    assert f"BAN (Bananas) in {shop}: 1000 g available to promise = 1000 g on hand" in received.out
    for words in (("stock", "receive", shop, "BAN=2,5"), ("order", "place", shop, "BAN=0.5")):
        refused = bopis(*words)
        assert refused.code == 2
        assert "whole units only; count grams, for example 500 or 0.5kg" in refused.err
    assert "whole units only; count pieces" in bopis("stock", "receive", shop, "BEER=0.5").err


def test_o2_32_a_weight_has_its_unit_on_every_surface(bopis: Installation, shop: str) -> None:
    bopis.ask("stock", "receive", shop, "BAN=5000")
    order = bopis.ask("order", "place", shop, "BAN=0.3kg", "--email", "anna@example.org")["shown"]
    until(bopis, order, "promised")

    surfaces = {"accept": bopis("pickup", "accept", order), "list": bopis("pickup", "print", "pick-list", order)}
    surfaces |= {name: bopis("order", name, order) for name in ("show", "why")}
    surfaces["queue"] = bopis("pickup", "queue", shop)
    bopis.ask("pickup", "pick", order)
    surfaces["slip"] = bopis("pickup", "print", "packing-slip", order)
    outbox = bopis.home / "outbox"

    for name, answer in surfaces.items():
        words = answer.out + answer.err
        assert "300 g" in words, f"{name}: {words}"
        assert "300 x" not in words, f"{name}: {words}"
        assert "300 unit" not in words, f"{name}: {words}"
    eventually(lambda: any("300 g Bananas" in text_of(it) for it in outbox.glob("*/*.eml")), True)
