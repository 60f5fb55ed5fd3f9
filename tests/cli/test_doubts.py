"""What is more likely a slip is asked about before it is booked, and a repeat is answered as one."""

import pytest

from tests.cli.program import Installation


def on_hand(bopis: Installation, store: str, sku: str) -> int:
    return int(bopis.ask("stock", "show", store, sku)["levels"][0]["terms"]["on_hand"])


def test_o2_58_a_repeat_under_its_id_is_answered_as_already_taken(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=3", "--id", f"DEL-77-{store}")

    again = bopis("stock", "receive", store, "4011=3", "--id", f"DEL-77-{store}")
    other = bopis("stock", "receive", store, "4011=4", "--id", f"DEL-77-{store}")

    assert (again.code, "Already taken" in again.out) == (0, True)
    assert (other.code, "used before with other content" in other.err) == (4, True)
    assert on_hand(bopis, store, "4011") == 3


def test_o2_58_a_delivery_note_that_was_received_before_is_asked_about(bopis: Installation, store: str) -> None:
    bopis.ask("stock", "receive", store, "4011=3", "--document", "LS-9")

    again = bopis("stock", "receive", store, "4011=3", "--document", "LS-9")
    booked = on_hand(bopis, store, "4011")
    confirmed = bopis("stock", "receive", store, "4011=3", "--document", "LS-9", "--yes")

    assert (again.code, "LS-9 was received in store" in again.err) == (2, True)
    assert (booked, confirmed.code, on_hand(bopis, store, "4011")) == (3, 0, 6)


@pytest.mark.parametrize("words", [("adjust", "--reason", "theft"), ("transfer",)], ids=["adjust", "transfer"])
def test_o2_52_below_zero_is_asked_about(bopis: Installation, store: str, words: tuple[str, ...]) -> None:
    bopis.ask("stock", "receive", store, "MILK=3")
    other = f"{store}-b"
    bopis.ask("stock", "receive", other, "MILK=1", "--new-store")
    command = (
        ("stock", "adjust", store, "MILK=-100", *words[1:])
        if words[0] == "adjust"
        else ("stock", "transfer", store, other, "MILK=100")
    )

    asked = bopis(*command)
    booked = on_hand(bopis, store, "MILK")
    confirmed = bopis(*command, "--yes")

    assert (asked.code, "MILK has 3 on hand, -100 leaves -97" in asked.err) == (2, True)
    assert (booked, confirmed.code, on_hand(bopis, store, "MILK")) == (3, 0, -97)


def test_o2_52_arrivals_that_nobody_announced_are_asked_about(bopis: Installation, store: str) -> None:
    to, third = f"{store}-b", f"{store}-c"
    bopis.ask("stock", "receive", store, "OAT=30")
    for other in (to, third):
        bopis.ask("stock", "receive", other, "OAT=1", "--new-store")
    number = f"T-101-{store}"
    bopis.ask("stock", "transfer", store, to, "OAT=10", "--transfer", number)

    mistyped = bopis("stock", "transfer", store, to, "OAT=10", "--transfer", "T-1O1", "--arrived")
    wrong_store = bopis("stock", "transfer", store, third, "OAT=10", "--transfer", number, "--arrived")
    diverted = bopis("stock", "transfer", store, third, "OAT=10", "--transfer", number, "--arrived", "--yes")

    assert (mistyped.code, f"on their way there: {number}" in mistyped.err) == (2, True)
    assert (wrong_store.code, f"on its way from {store} to store {to}, not to" in wrong_store.err) == (2, True)
    assert (diverted.code, on_hand(bopis, third, "OAT"), on_hand(bopis, to, "OAT")) == (0, 11, 1)
    [ended] = bopis.ask("stock", "transfers", to)["transfers"]
    assert [line["on_the_way"] for line in ended["lines"]] == [0]


def test_o2_52_more_than_announced_is_said_and_a_line_that_nobody_announced_is_not_short(
    bopis: Installation, store: str
) -> None:
    to = f"{store}-b"
    bopis.ask("stock", "receive", store, "OAT=30")
    bopis.ask("stock", "receive", to, "OAT=1", "--new-store")
    partly, mixed = f"T-100-{store}", f"T-102-{store}"
    bopis.ask("stock", "transfer", store, to, "OAT=10", "--transfer", partly)
    bopis.ask("stock", "transfer", store, to, "OAT=1", "--transfer", mixed)

    bopis.ask("stock", "transfer", store, to, "OAT=7", "--transfer", partly, "--arrived", "--partly")
    over = bopis("stock", "transfer", store, to, "OAT=5", "--transfer", partly, "--arrived")
    bopis.ask("stock", "transfer", store, to, "MILK=1", "--transfer", mixed, "--arrived")

    assert "OAT shipped 10, received 12" in over.out
    found = {it["transfer"]: it["lines"] for it in bopis.ask("stock", "transfers", to)["transfers"]}
    assert [(line["sku"], line["state"]) for line in found[mixed]] == [("MILK", "not announced"), ("OAT", "short")]
    assert [line["state"] for line in found[partly]] == ["more than announced"]
