"""Card numbers in free text are found however they are written; numbers of goods and parcels are not taken for any."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.message import Message
from bopis.domain.orders.messages import OfferSubstitute, StageOrder
from bopis.domain.payments.card_numbers import has_card_number, is_card_number
from bopis.domain.payments.gateway import PaymentMethod
from bopis.domain.payments.messages import AddMethod, RecordPaidInStore, RetryPayment
from bopis.services.channels import PAYMENT_REQUESTS
from bopis.services.errors import CardNumberInText
from bopis.services.exchange import Author, Exchange
from bopis.wire.errors import CardNumberFound
from bopis.wire.orders import ORDERS
from bopis.wire.payments import PAYMENTS
from tests.cli.fakes import FakeLog

CARDS = {
    "Visa": "4242424242424242",
    "Mastercard": "5555555555554444",
    "Mastercard 2": "2223003122003222",
    "American Express": "378282246310005",
    "Discover": "6011111111111117",
    "JCB": "3530111333300000",
}
BARCODES = 1_000


def checked(body: str) -> str:
    """Digits with the check digit of GS1."""
    total = sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(body)))
    return f"{body}{-total % 10}"


def sent(data: object) -> bytes:
    message = Message(id="m1", source="desk", time=datetime(2026, 12, 1, tzinfo=UTC), subject="N6PV7K3M", data=data)
    return (PAYMENTS if type(data) in PAYMENTS.bodies.values() else ORDERS).encode(message)


@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("form", ["{0}", "please use {0}!", "{1}", "{2}", "N6PV, {1} 12/27", "x{0}y"])
def test_a_card_number_is_found_however_it_is_written(number: str, form: str) -> None:
    groups = [number[at : at + 4] for at in range(0, len(number), 4)]

    assert has_card_number(form.format(number, " ".join(groups), "-".join(groups)))


def test_digits_of_other_scripts_and_wide_gaps_hide_nothing() -> None:
    arabic = "".join(chr(0x660 + int(digit)) for digit in CARDS["Visa"])

    assert has_card_number(arabic)
    assert has_card_number("4242\u00a04242\u00a04242\u20134242")


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",
        "4242 4242 4242 42",
        "4222222222222",
        "42424242424242424242",
        "490154203237518",
        "1234567890123456",
        "call +49 30 9876543 or +1 270 555 0100",
        "parcel 340123450000000017",
        "(00) 3 4012345 000000001 7",
    ],
)
def test_other_numbers_pass(text: str) -> None:
    assert not has_card_number(text)


def test_a_thousand_barcodes_of_each_kind_pass() -> None:
    chance = random.Random(88)

    for length in (13, 14, 18):
        for _ in range(BARCODES):
            code = checked("".join(str(chance.randrange(10)) for _ in range(length - 1)))
            assert not has_card_number(code), code


@given(st.text(alphabet="0123456789 -", min_size=1, max_size=60))
def test_nothing_shorter_or_longer_than_a_card_number_is_one(text: str) -> None:
    digits = "".join(it for it in text if it.isdigit())

    assert not is_card_number(digits) or len(digits) in (15, 16)
    if len(digits) < 15:
        assert not has_card_number(text)


def test_pay_088_a_card_number_in_a_note_is_refused_and_never_repeated() -> None:
    for text in ("please use 4242 4242 4242 4242", "5555-5555-5555-4444"):
        for data in (RetryPayment(reason=text), StageOrder(store="S1", location=text)):
            with pytest.raises(CardNumberFound) as caught:
                sent(data)
            assert not any(digit in str(caught.value) for digit in "0123456789")

    assert sent(OfferSubstitute(line=1, sku="4006381333924"))
    assert sent(RetryPayment(reason="parcel 340123450000000017"))


def test_fields_that_identify_something_are_not_looked_at() -> None:
    visa = CARDS["Visa"]

    assert sent(OfferSubstitute(line=1, sku=visa))
    assert sent(RecordPaidInStore(amount=1, receipt=visa))


def test_a_token_that_is_a_card_number_is_refused() -> None:
    with pytest.raises(CardNumberFound, match="token of method contains a card number"):
        sent(AddMethod(method=PaymentMethod(token=CARDS["Visa"])))


def test_the_desk_says_so_in_words() -> None:
    log = FakeLog("payments", "payment-events", "payment-state", "dead-letters")
    exchange = Exchange(PAYMENT_REQUESTS, log, log, "bopis.")
    kim = Author("desk", "kim", lambda: datetime(2026, 12, 1, tzinfo=UTC), lambda: "m1")

    with pytest.raises(CardNumberInText) as caught:
        exchange.compose(kim, "N6PV7K3M", RetryPayment(reason=CARDS["Visa"]))

    assert str(caught.value).startswith("Not sent: reason contains a card number")
    assert "4242" not in str(caught.value)
