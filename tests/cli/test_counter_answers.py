"""What the counter says and asks: parts of lines, codes, reasons, amounts, places, names, on a running installation."""

import json
from pathlib import Path

import pytest

from tests.cli.program import Installation
from tests.cli.test_orders import code_of, placed, until

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.fixture
def shop(bopis: Installation, store: str, tmp_path: Path) -> str:
    """A store with bananas and milk of its own; its name stands before each SKU."""
    file = tmp_path / "catalogue.ndjson"
    rows = [{"sku": f"{store}-BAN", "name": "Bananas"}, {"sku": f"{store}-MILK", "name": "Milk"}]
    file.write_text("".join(json.dumps(it) + "\n" for it in rows))
    assert bopis("catalogue", "import", str(file)).code == 0
    bopis.ask("stock", "receive", store, f"{store}-BAN=10", f"{store}-MILK=10")
    return store


def ready(bopis: Installation, order: str, *places: tuple[str, ...]) -> None:
    bopis.ask("pickup", "accept", order)
    bopis.ask("pickup", "pick", order)
    for place in places or (("A1",),):
        bopis.ask("pickup", "stage", order, *place)


def test_one_of_two_is_cancelled_and_the_other_handed_over_o2_35(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "MILK=2")
    ready(bopis, order)

    cancelled = bopis.ask("order", "cancel", order, "1=1", "--yes")
    given = bopis.ask("pickup", "hand-over", order, "--code", code_of(bopis, order)[0])
    too_many = bopis("order", "cancel", order, "1=0", "--yes")

    assert sum("put back" in step or "put Milk" in step for step in cancelled["next"]) == 1
    assert cancelled["state"] == "ready"
    assert given["state"] == "handed_over"
    assert (too_many.code, "LINE=NUMBER" in too_many.err) == (2, True)
    levels = {it["sku"]: it["terms"] for it in bopis.ask("stock", "show", shop)["levels"]}
    assert (levels[f"{shop}-MILK"]["on_hand"], levels[f"{shop}-MILK"]["held"]) == (9, 0)


def test_what_is_no_code_costs_no_try_o2_42(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "MILK=1")
    ready(bopis, order)

    for typed in ("", "abc", "12345", "1234567", "--", "²²²²²²"):
        refused = bopis("pickup", "hand-over", order, f"--code={typed}", "--json")
        assert (refused.code, refused.document["error"]["name"]) == (5, "CodeMisread"), typed

    assert bopis.ask("order", "show", order)["code_tries"] == 0


def test_digits_of_every_script_are_digits_o2_42(bopis: Installation, shop: str) -> None:
    for spelling in (FULL_WIDTH, ARABIC_INDIC, str.maketrans("", "")):
        order = placed(bopis, shop, "MILK=1")
        ready(bopis, order)
        code = code_of(bopis, order)[0].translate(spelling)

        given = bopis.ask("pickup", "hand-over", order, "--code", f" {code[:3]}–{code[3:]} ")

        assert given["state"] == "handed_over", spelling


def test_tries_are_counted_in_words(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "MILK=1")
    ready(bopis, order)
    wrong = "000000" if code_of(bopis, order)[0] != "000000" else "000001"

    told = [bopis("pickup", "hand-over", order, "--code", wrong).err for _ in range(5)]

    assert "(1 try left)" in told[3]
    assert "(locked now)" in told[4]


def test_an_order_that_nobody_can_serve_ends_with_the_numbers(bopis: Installation, shop: str) -> None:
    asked = bopis("order", "place", shop, f"{shop}-BAN=9999", "--wait")
    number = asked.out.split()[0]
    until(bopis, number, "cancelled")
    shown, why = bopis("order", "show", number).out, bopis("order", "why", number).out
    arrived = bopis("pickup", "arrive", number, "--store", shop)

    reason = f"{shop} has 10 of 9999 Bananas ({shop}-BAN); no store within 50 km has more"
    assert asked.code == 4
    assert reason in asked.out
    assert reason in shown
    assert reason in " ".join(why.split())
    assert arrived.code == 4
    assert "another store" not in arrived.err
    assert "cancelled by system" in arrived.err
    assert reason in arrived.err


def test_a_rejected_line_is_named_and_what_was_not_found_is_counted_o2_41(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=2", "MILK=1")
    bopis.ask("pickup", "accept", order)

    rejected = bopis("pickup", "reject", order, "1", "--reason", "not_found")
    tasks = [it for it in bopis.ask("pickup", "queue", shop)["work"] if it["step"] == "count"]

    assert f"line 1 leaves store {shop}: not found, by staff" in rejected.out
    assert [it["sku"] for it in tasks] == [f"{shop}-BAN"]
    levels = {it["sku"]: it["terms"] for it in bopis.ask("stock", "show", shop)["levels"]}
    assert levels[f"{shop}-BAN"]["in_doubt"] == 2


def test_goods_in_two_places_are_both_named_everywhere(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=2", "MILK=1", "BAN=1")
    ready(bopis, order, ("A1", "1", "2"), ("A2", "3"))
    bopis.ask("pickup", "arrive", order, "--where", "bay", "--spot", "7")

    [entry] = bopis.ask("pickup", "queue", shop)["work"]
    # Wide enough that no cell is wrapped.
    printed = [bopis("board", shop, "--once", COLUMNS="160").out, bopis("pickup", "queue", shop, COLUMNS="160").out]
    printed += [bopis("order", "show", order).out, bopis("pickup", "print", "packing-slip", order).out]

    assert (entry["location"], entry["where"], entry["spot"]) == ("A1, A2 (line 3)", "bay", "7")
    assert all("A1, A2 (line 3)" in " ".join(it.split()) for it in printed), printed
    assert all("bay 7" in it for it in printed[:2])
    assert "waiting 0 min" in printed[1]


def test_amounts_are_shown_wherever_somebody_pays(bopis: Installation, shop: str) -> None:
    lines = (f"{shop}-BAN=2@4.99", f"{shop}-MILK=1@2.42")
    told = bopis.ask("order", "place", shop, *lines, "--currency", "usd", "--alternatives", "never")
    order = str(told["shown"])
    until(bopis, order, "promised")
    ready(bopis, order)

    [entry] = bopis.ask("pickup", "queue", shop)["work"]
    printed = [bopis("order", "show", order).out, bopis("pickup", "queue", shop).out]
    printed.append(bopis("pickup", "print", "packing-slip", order).out)
    given = bopis("pickup", "hand-over", order, "2", "--code", code_of(bopis, order)[0])

    assert (entry["to_pay_cents"], entry["currency"]) == (1240, "USD")
    assert all("12.40 USD" in it for it in printed), printed
    assert "Take 2.42 USD" in given.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["BAN=1@1.999", "--currency", "USD"], "2 digits"),
        (["BAN=1@1.5", "--currency", "JPY"], "no digits"),
        (["BAN=1@1.50"], "--currency"),
        (["BAN=1@1.50", "--currency", "XQQ"], "No currency"),
        (["BAN=1", "--slot", "2031-01-01T12:00/10:00"], "ends before it begins"),
        (["BAN=1", "--slot", "2020-01-01T10:00/12:00"], "has passed"),
        (["BAN=1", "--slot", "tomorrow"], "FROM/TO"),
        ([f"S{number}=1" for number in range(201)], "at most 200 lines, and these are 201"),
    ],
    ids=["fraction", "yen", "no_currency", "unknown_currency", "slot_backwards", "slot_past", "slot_form", "o2-59"],
)
def test_orders_that_cannot_be_read_are_refused_by_a_sentence(
    bopis: Installation, shop: str, words: list[str], said: str
) -> None:
    refused = bopis("order", "place", shop, *words)

    assert (refused.code, said in refused.err) == (2, True), refused.err


def test_a_slot_is_in_the_zone_of_the_store(bopis: Installation, shop: str) -> None:
    told = bopis.ask("order", "place", shop, f"{shop}-BAN=1", "--slot", "2030-07-01T10:00/12:00")

    found = bopis.ask("order", "show", told["shown"])

    # Ten in the morning in Chicago, in summer.
    assert found["slot_from_ms"] == 1_909_148_400_000
    assert found["slot_to_ms"] - found["slot_from_ms"] == 2 * 3_600_000


@pytest.mark.parametrize("text", ["anna ex", "EXAMPLÉ", "Exâmple Anna", "anna@", "(270) 555-0100", "+1 270 555 0100"])
def test_an_order_is_found_by_whoever_stands_at_the_counter(bopis: Installation, shop: str, text: str) -> None:
    contact = {"name": "Anna Example", "email": "anna@example.org", "phone": "+1 270 555 0100"}
    order = placed(bopis, shop, "BAN=1", **contact)
    placed(bopis, shop, "BAN=1", name="Ben Other")

    found = bopis.ask("pickup", "find", text, "--store", shop)
    missed = bopis("pickup", "find", "zoe", "--store", shop)

    assert [it["shown"] for it in found["orders"]] == [order]
    assert missed.code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("board", "9999"),
        ("pickup", "queue", "9999"),
        ("pickup", "walk", "9999"),
        ("pickup", "scan", "9999"),
        ("pickup", "not-collected", "9999"),
        ("pickup", "find", "anna", "--store", "9999"),
        ("order", "list", "--store", "9999"),
        ("order", "place", "9999", "4011=1"),
        ("stock", "show", "9999"),
    ],
    ids=" ".join,
)
def test_a_store_that_does_not_exist_is_refused(bopis: Installation, shop: str, words: tuple[str, ...]) -> None:
    assert bopis(*words).code == 3


def test_the_store_of_the_environment_counts_for_every_command(
    bopis: Installation, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOPIS_STORE", shop)

    queue = bopis.ask("pickup", "queue")
    told = bopis.ask("order", "place", f"{shop}-BAN=1")
    history = bopis.ask("stock", "why", f"{shop}-BAN")

    assert queue["store"] == shop
    assert told["shown"]
    assert history


def test_an_adjustment_below_zero_is_asked_about(bopis: Installation, shop: str) -> None:
    words = ("stock", "adjust", shop, f"{shop}-MILK=-500", "--reason", "theft")

    unasked = bopis(*words, "--no-input")
    done = bopis(*words, "--yes")

    assert (unasked.code, "leaves -490" in unasked.err) == (2, True)
    assert done.code == 0


def test_pickup_is_switched_off_for_new_orders_and_asked_about_for_open_ones(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=1")

    off = bopis("stores", "policy", shop, "--pickup", "off")
    kept = bopis.ask("order", "show", order)["state"]
    new = bopis("order", "place", shop, f"{shop}-BAN=1", "--alternatives", "never", "--wait")
    unasked = bopis("stores", "policy", shop, "--pickup", "off", "--also-open", "--no-input")
    bopis("stores", "policy", shop, "--pickup", "off", "--also-open", "--yes")
    until(bopis, order, "cancelled")

    assert "1 open order will still be finished here" in off.err
    assert kept == "promised"
    assert (new.code, "pickup off" in new.out) == (4, True)
    assert unasked.code == 2


def test_every_put_back_is_reported_and_work_to_accept_is_named(bopis: Installation, shop: str) -> None:
    order = placed(bopis, shop, "BAN=1", "MILK=1")
    ready(bopis, order)
    bopis.ask("order", "cancel", order, "--yes")
    waiting = placed(bopis, shop, "BAN=1")

    done = bopis.ask("pickup", "put-back", order)
    walk = bopis("pickup", "walk", shop)

    assert len(done["events"]) == 2
    assert f"1 order waits to be accepted: {waiting}" in walk.err
