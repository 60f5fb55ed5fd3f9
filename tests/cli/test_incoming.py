"""Goods on their way, at the keyboard of a running installation."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cli.program import Installation

SECONDS_MAX = 240.0
SOON = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
LATER = (datetime.now(UTC) + timedelta(days=5)).strftime("%Y-%m-%dT%H:%M")


def announced(bopis: Installation, store: str) -> Any:
    """The transfer to a store: the receiving side hears of it a moment after it was shipped."""
    give_up = time.monotonic() + SECONDS_MAX
    while not (found := bopis.ask("stock", "transfers", store)["transfers"]):
        assert time.monotonic() < give_up, "the transfer was never announced"
        time.sleep(0.1)
    return found[0]


def test_what_is_expected_is_told_for_later_and_never_for_now(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=2")
    told = bopis("stock", "expect", store, "PO-7", "4011=24", "--on", SOON)
    bopis.ask("stock", "expect", store, "PO-8", "4999=3", "--on", SOON)

    now = bopis.ask("stock", "show", store, "4011")
    later = bopis("stock", "show", store, "4011", "--on", LATER)
    found = bopis.ask("stock", "find", "4011", "--minimum", "26", "--on", LATER)
    fresh = bopis.ask("stock", "show", store, "4999", "--on", LATER)
    listed = bopis.ask("stock", "expected", store)

    assert f"PO-7 is expected in {store}" in told.out
    assert now["levels"][0]["atp"] == 2
    assert "26 available to promise, of which expected by then 24 with PO-7; 2 now" in later.out
    assert [it["atp"] for it in found["stores"] if it["store"] == store] == [26]
    assert [(it["atp_now"], it["available"]) for it in fresh["levels"]] == [(0, 3)]
    told_of = [(it["document"], it["quantity"], it["overdue"]) for it in listed["expected"]]
    assert sorted(told_of) == [("PO-7", 24, False), ("PO-8", 3, False)]


def test_a_receipt_ends_what_was_expected_and_tells_what_differs(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=1")
    bopis.ask("stock", "expect", store, "PO-7", "4011=24", "--on", SOON)

    received = bopis("stock", "receive", store, "4011=20", "--document", "PO-7")
    refused = bopis("stock", "expect", store, "PO-7", "--withdraw")

    assert "! the receipt of PO-7 differs: 4011 expected 24, received 20" in received.out
    assert (refused.code, "nothing is expected under 'PO-7'" in refused.err) == (4, True)
    assert bopis.ask("stock", "expected", store)["expected"] == []


def test_what_is_withdrawn_is_expected_no_longer(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=1")
    bopis.ask("stock", "expect", store, "PO-7", "4011=24", "--on", SOON)

    bopis.ask("stock", "expect", store, "PO-7", "--withdraw")

    assert bopis.ask("stock", "show", store, "4011", "--on", LATER)["levels"][0]["available"] == 1


def test_a_transfer_is_listed_on_its_way_and_when_it_came_short(bopis: Installation, store: str) -> None:
    other = f"{store}-b"
    bopis.ask("stock", "receive", store, "4011=24")
    bopis.ask("stock", "receive", other, "4011=1", "--new-store")
    named = ("--transfer", f"T-{store}")

    bopis.ask("stock", "transfer", store, other, "4011=5", *named, "--on", SOON)
    between = announced(bopis, other)
    later = bopis.ask("stock", "show", other, "4011", "--on", LATER)["levels"][0]
    bopis.ask("stock", "transfer", store, other, "4011=4", *named, "--arrived")
    after = bopis("stock", "transfers", store)

    assert (between["state"], between["lines"][0]["on_the_way"]) == ("on the way", 5)
    assert later["available"] == 6
    assert "short" in after.out
    assert f"T-{store}" in after.out


def test_a_sku_that_goes_out_of_pickup_stock_is_told(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=2")

    sold_out = bopis("stock", "adjust", store, "4011=-2", "--reason", "damage")

    assert "! 4011 is out of pickup stock" in sold_out.out
