"""Weighed goods have their unit, and articles their name, on every list; times are those of the store."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from bopis.cli.stock.event_text import event_sentence
from bopis.domain.inventory.events import ReceiptDifference, ReceiptDiscrepancyFound
from bopis.domain.orders.events import LineSplit
from bopis.domain.orders.state import Line
from bopis.domain.sourcing.unserved import Unserved, UnservedSku
from bopis.services.catalogue import Catalogue
from bopis.services.counter.event_text import EventText
from bopis.services.counter.refusal_text import unserved_text
from bopis.wire.catalogue import Article
from tests.cli.program import Installation
from tests.cli.test_orders import placed
from tests.services.checkout.test_event_text import example

SOON = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture
def deli(bopis: Installation, store: str, tmp_path: Path) -> str:
    """A store with ham by the gram, and eggs by the piece."""
    file = tmp_path / "catalogue.ndjson"
    rows = [
        {"sku": f"{store}-HAM", "name": "Ham, sliced", "unit": "g"},
        {"sku": f"{store}-EGG", "name": "Egg [free range]"},
    ]
    file.write_text("".join(json.dumps(it) + "\n" for it in rows))
    assert bopis("catalogue", "import", str(file)).code == 0
    bopis.ask("stock", "receive", store, f"{store}-HAM=2kg", f"{store}-EGG=10")
    return store


def test_an_order_has_units_on_every_list(bopis: Installation, deli: str) -> None:
    order = placed(bopis, deli, "HAM=300", "EGG=2", name="Ann Lee")

    listed = bopis("order", "list", "--store", deli).out
    found = bopis("pickup", "find", "ann lee", "--store", deli).out
    bopis.ask("pickup", "accept", order)
    picked = bopis("pickup", "pick", order, f"{deli}-HAM=0.3kg").out

    assert "2, 300 g" in listed
    assert "302" not in listed + found
    assert "2, 300 g" in found
    assert "300 g found" in picked


def test_what_no_line_needs_is_told_from_too_much(bopis: Installation, deli: str) -> None:
    order = placed(bopis, deli, "HAM=300", "EGG=2")
    bopis.ask("pickup", "accept", order)

    strange = bopis("pickup", "pick", order, "1=2")
    over = bopis("pickup", "pick", order, f"{deli}-HAM=350")

    assert (strange.code, "1 is not to be picked: write the SKU or GTIN of a line" in strange.err) == (4, True)
    assert (over.code, "50 g Ham, sliced would be left over" in over.err) == (4, True)


def test_a_refused_order_says_its_numbers_with_units(bopis: Installation, deli: str) -> None:
    refused = bopis("order", "place", deli, f"{deli}-HAM=7kg", "--wait")
    why = bopis("order", "why", refused.out.split()[0]).out

    assert refused.code == 4
    assert f"{deli} has 2000 g of 7000 g Ham, sliced ({deli}-HAM)" in refused.out
    assert f"has 2000 g of 7000 g Ham, sliced ({deli}-HAM)" in why


def test_names_and_units_of_stock_fit_eighty_columns(bopis: Installation, deli: str) -> None:
    bopis.ask("stock", "expect", deli, "PO-1", f"{deli}-HAM=500", "--on", SOON)

    shown, history, expected = (
        bopis(*words, COLUMNS="80").out
        for words in (
            ("stock", "show", deli),
            ("stock", "history", deli, f"{deli}-HAM"),
            ("stock", "expected", deli),
        )
    )
    adjusted = bopis("stock", "adjust", deli, f"{deli}-HAM=-3kg", "--reason", "theft")

    assert "Egg [free range]" in shown
    assert "2000 g" in shown
    assert "staleness" not in shown
    assert max(map(len, (shown + history + expected).splitlines())) <= 80
    assert f"{deli}-HAM (Ham, sliced) in {deli}" in history
    assert "500 g" in expected
    assert "has 2000 g on hand, -3000 g leaves -1000 g" in adjusted.err


def test_a_file_of_expected_goods_is_resolved_before_the_dry_run(
    bopis: Installation, deli: str, tmp_path: Path
) -> None:
    names, file = tmp_path / "gtin.ndjson", tmp_path / "po.csv"
    names.write_text(json.dumps({"sku": f"{deli}-EGG", "gtins": "96385074"}) + "\n")
    assert bopis("catalogue", "import", str(names)).code == 0
    bopis.ask("stock", "expect", deli, "PO-2", f"{deli}-EGG=6", "--on", SOON)
    file.write_text(f"sku,quantity\n96385074,6\n{deli.lower()}-ham,200\n")

    dry = bopis.ask("stock", "expect", deli, "PO-2", "--file", str(file), "--on", SOON, "--dry-run")
    bopis.ask("stock", "expect", deli, "PO-2", "--file", str(file), "--on", SOON)
    listed = bopis.ask("stock", "expected", deli)["expected"]

    assert {it["key"]: it["change"] for it in dry["changes"]} == {f"{deli}-EGG": "unchanged", f"{deli}-HAM": "new"}
    assert sorted((it["sku"], it["quantity"]) for it in listed) == [(f"{deli}-EGG", 6), (f"{deli}-HAM", 200)]


def test_times_of_notices_and_repeats_are_on_the_stores_clock(bopis: Installation, deli: str) -> None:
    order = placed(bopis, deli, "EGG=1", email="ann@example.org")
    bopis.ask("pickup", "accept", order)
    bopis.ask("pickup", "pick", order)
    bopis.ask("pickup", "stage", order, "A1")
    bopis.ask("stock", "receive", deli, f"{deli}-EGG=1", "--id", f"D-{deli}", "--document", "LS-1")

    repeated = bopis("stock", "receive", deli, f"{deli}-EGG=1", "--id", f"D-{deli}", "--document", "LS-1")
    again = bopis("stock", "receive", deli, f"{deli}-EGG=1", "--document", "LS-1")
    listed = bopis("notices", "list").out

    assert "CST" in repeated.out or "CDT" in repeated.out
    assert "CST" in again.err or "CDT" in again.err
    assert re.search(r":\d\dZ", listed) is None


def test_a_kit_is_named_as_one_where_its_shelf_is_asked_for(bopis: Installation, deli: str, tmp_path: Path) -> None:
    file = tmp_path / "kit.csv"
    file.write_text(f"sku,components\n{deli}-SET,{deli}-EGG*2\n")
    assert bopis("catalogue", "import", str(file)).code == 0
    bopis.ask("stock", "receive", deli, f"{deli}-EGG=1")

    for words in (("why", deli, f"{deli}-SET"), ("history", deli, f"{deli}-SET"), ("at", deli, f"{deli}-SET", "0m")):
        answer = bopis("stock", *words)
        assert answer.code == 2
        assert f"is a kit and has no shelf of its own; name its components: {deli}-EGG" in answer.err


def test_times_of_deliveries_are_told_on_the_stores_clock(bopis: Installation, deli: str) -> None:
    announced = bopis("stock", "expect", deli, "PO-3", f"{deli}-EGG=5", "--on", SOON)
    future = bopis("stock", "receive", deli, f"{deli}-EGG=1", "--time", "tomorrow")

    assert "+00:00" not in announced.out
    assert (future.code, "'tomorrow' is in the future (" in future.err, "+00:00" in future.err) == (5, True, False)


def test_numbers_in_conclusions_have_the_units_of_their_articles() -> None:
    catalogue = Catalogue()
    catalogue.apply("HAM", Article(sku="HAM", name="Ham", unit="g"))
    lacking = UnservedSku(sku="HAM", wanted=700, available=50, other="2", other_available=90)
    differing = ReceiptDifference(sku="HAM", expected=500, received=300)
    ham = Line(line=1, sku="HAM", quantity=300)
    split = example(LineSplit)

    refused = unserved_text(Unserved(store="1", skus=(lacking,)), catalogue)
    received = event_sentence(ReceiptDiscrepancyFound(document="PO-1", lines=(differing,)), {"HAM": "g"})
    parted = EventText(catalogue=catalogue, lines=[ham]).sentence(structs.replace(split, line=1, quantity=90))

    assert refused == "1 has 50 g of 700 g Ham (HAM); 2 has 90 g"
    assert "HAM expected 500 g, received 300 g" in received
    assert parted.startswith("90 g of line 1 become line")
