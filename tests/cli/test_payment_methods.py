"""Payment methods as they are typed with an order, how an order is paid in words, and hashes that stay."""

from typing import Any

import msgspec
import pytest

from bopis.adapters.gateways.policy import policy_of
from bopis.cli.app.errors import Usage
from bopis.cli.order.methods import read_method, read_methods
from bopis.domain.orders.messages import PaymentPlan
from bopis.domain.orders.state import Line, LineState, Order
from bopis.domain.orders.vocabulary import Allows, CustomerRef, PaymentState
from bopis.domain.payments.gateway import METHODS_MAX, MethodKind, PaymentMethod
from bopis.domain.payments.policy import ChallengePolicy, PaymentPolicy
from bopis.services.catalogue import RequestedLine
from bopis.services.checkout import Customer, OrderRequest, _canonical
from bopis.services.counter.refusal_text import payment_text, unpaid_text
from bopis.services.counter.store_times import StoreTimes
from bopis.services.errors import CardNumberInText
from bopis.settings import load

POLICY = PaymentPolicy()


@pytest.mark.parametrize(
    ("word", "kind", "token"),
    [
        ("tok_ok", MethodKind.CARD, "tok_ok"),
        ("card:tok_ok", MethodKind.CARD, "tok_ok"),
        ("wallet:w:1", MethodKind.WALLET, "w:1"),
        ("gift_card:gift_a_2000", MethodKind.GIFT_CARD, "gift_a_2000"),
        ("pay_in_store", MethodKind.PAY_IN_STORE, ""),
        ("other:tok", MethodKind.CARD, "other:tok"),
    ],
)
def test_a_method_is_its_kind_and_token(word: str, kind: MethodKind, token: str) -> None:
    assert read_method(word) == PaymentMethod(kind=kind, token=token)


@pytest.mark.parametrize("word", ["card:", "", "pay_in_store:5"])
def test_a_method_without_a_token_is_refused(word: str) -> None:
    with pytest.raises(Usage, match="no payment method"):
        read_method(word)


def test_a_card_number_is_refused_and_not_repeated() -> None:
    with pytest.raises(CardNumberInText) as caught:
        read_methods(["card:4242-4242-4242-4242"], False, "EUR", POLICY)

    assert "4242" not in str(caught.value)


def test_a_plan_keeps_the_order_of_the_methods_and_the_consent() -> None:
    plan = read_methods(["card:a", "b", "pay_in_store"], True, "EUR", POLICY)

    assert plan is not None
    assert [it.token for it in plan.methods] == ["a", "b", ""]
    assert plan.consent
    assert read_methods([], False, "", POLICY) is None


@pytest.mark.parametrize(
    ("words", "currency", "problem"),
    [
        (["a"], "", "--currency"),
        (["pay_in_store", "a"], "EUR", "last method"),
        (["a"] * (METHODS_MAX + 1), "EUR", "at most"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(words: list[str], currency: str, problem: str) -> None:
    with pytest.raises(Usage, match=problem):
        read_methods(words, False, currency, POLICY)


def test_consent_without_methods_is_refused() -> None:
    with pytest.raises(Usage, match="--method"):
        read_methods([], True, "EUR", POLICY)


def test_the_policy_is_that_of_the_settings() -> None:
    policy = policy_of(load(payment_hold_cap_minutes=90, payment_challenge="ask"))

    assert (policy.hold_cap_s, policy.challenge) == (5_400, ChallengePolicy.ASK)
    assert policy_of(load()) == POLICY


def test_every_part_of_the_policy_has_a_setting_of_its_own() -> None:
    changed = {
        "payment_unknown_seconds": 31,
        "payment_hold_cap_minutes": 61,
        "payment_review_hours": 25,
        "payment_challenge": "ask",
        "payment_challenge_minutes": 16,
        "payment_exhausted_minutes": 31,
        "payment_technical_seconds": 21,
        "payment_outage_seconds": 61,
        "payment_renew_hours": 13,
        "payment_ready_within_hours": 25,
        "payment_partial": "give_back",
        "payment_refund_share": "last_first",
    }
    touched = []
    for name, value in changed.items():
        policy = policy_of(load(**{name: value}))
        touched += [it for it in policy.__struct_fields__ if getattr(policy, it) != getattr(POLICY, it)]

    assert sorted(touched) == sorted(POLICY.__struct_fields__)


# The hash of a request


def request(**changes: Any) -> OrderRequest:
    lines = (RequestedLine(code="A", quantity=2),)
    return OrderRequest(**{"store": "S1", "lines": lines, "customer": Customer(id="c1"), **changes})


def test_a_request_without_a_plan_has_the_text_that_it_always_had() -> None:
    text = _canonical(request(methods=("tok",), currency="EUR"), ())

    (content, lines) = msgspec.json.decode(text)
    assert lines == []
    assert list(content) == [
        "store",
        "lines",
        "customer",
        "slot",
        "place",
        "allows",
        "methods",
        "currency",
        "note",
    ]


def test_what_it_is_paid_with_is_part_of_a_request() -> None:
    plans = [
        None,
        PaymentPlan(methods=(PaymentMethod(token="a"),)),
        PaymentPlan(methods=(PaymentMethod(token="b"),)),
        PaymentPlan(methods=(PaymentMethod(token="a"),), consent=True),
        PaymentPlan(methods=(PaymentMethod(token="a"), PaymentMethod(token="b"))),
    ]

    assert len({_canonical(request(payment=plan), ()) for plan in plans}) == len(plans)


# How an order is paid, in words


def order(state: PaymentState, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order": "7K3M9QX2",
        "key": "k",
        "request": "r",
        "customer": CustomerRef(id="c"),
        "store": "S1",
        "allows": Allows(),
        "placed_ms": 1,
        "payment": state,
        "lines": (Line(line=1, sku="A", quantity=2, unit_cents=1000, state=LineState.READY, store="S1"),),
        "methods": ("tok",),
        "currency": "EUR",
    }
    return Order(**{**fields, **changes})


@pytest.mark.parametrize(
    ("state", "changes", "said"),
    [
        (PaymentState.AUTHORISED, {}, "authorised"),
        (PaymentState.AUTHORISED, {"covered_until_ms": 1_800_000_000_000}, "authorised until Fri 15 Jan 08:00"),
        (PaymentState.AUTHORISING, {}, "being authorised"),
        (PaymentState.LAPSED, {}, "authorisation lapsed: another one is asked for"),
        (PaymentState.PAY_IN_STORE, {"at_counter_cents": 1250}, "to pay in the store: 12.50 EUR"),
        (PaymentState.PAY_IN_STORE, {}, "paid in the store"),
        (PaymentState.PAY_IN_STORE, {"methods": ()}, "to pay in the store: 20.00 EUR"),
        (PaymentState.EXHAUSTED, {}, "no method paid"),
    ],
)
def test_an_order_says_how_it_is_paid(state: PaymentState, changes: dict[str, Any], said: str) -> None:
    assert payment_text(order(state, **changes), StoreTimes()) == said


def test_every_state_of_payment_has_its_words() -> None:
    for state in PaymentState:
        assert payment_text(order(state), StoreTimes())


@pytest.mark.parametrize(
    ("state", "changes", "parts"),
    [
        (
            PaymentState.PAY_IN_STORE,
            {"covered_cents": 800},
            ("8.00 EUR of 20.00 EUR are paid for", "12.00 EUR are missing"),
        ),
        (PaymentState.LAPSED, {"covered_cents": 2000}, ("0.00 EUR of 20.00 EUR", "--amount 20.00")),
        (PaymentState.AUTHORISING, {}, ("not decided yet", "bopis payments show 7K3M-9QX2")),
    ],
)
def test_what_is_not_paid_says_what_the_associate_can_do(
    state: PaymentState, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    said = unpaid_text(order(state, **changes))

    for part in parts:
        assert part in said


def test_an_order_that_is_paid_at_the_till_as_a_whole_lacks_nothing() -> None:
    assert unpaid_text(order(PaymentState.PAY_IN_STORE, methods=())) == ""
