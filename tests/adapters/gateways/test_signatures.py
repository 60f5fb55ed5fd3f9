"""Callbacks are taken by their signature: both schemes, compared with the providers' own libraries."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import pytest
import standardwebhooks
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.errors import GatewayMisconfigured
from bopis.adapters.gateways.fake import FakeGateway
from bopis.adapters.gateways.fake_callbacks import CallbackBody
from bopis.adapters.gateways.registry import InStoreGateway
from bopis.adapters.gateways.signatures import (
    callback_keys,
    signed_headers,
    standard_refusal,
    stripe_refusal,
    stripe_signature,
)
from bopis.adapters.gateways.stripe_events import StripeEvent, reports_in
from bopis.adapters.gateways.stripe_gateway import StripeGateway
from bopis.domain.payments.gateway import GatewayReport, ReportKind
from bopis.ports import Gateway
from tests.adapters.gateways.calls import OLD_SECRET, SECRET

NOW_S = 1_800_000_000
NOW_MS = NOW_S * 1000
STRANGERS = "whsec_" + base64.b64encode(b"z" * 24).decode()
REPORT = GatewayReport(order="O-1", attempt=1, kind=ReportKind.AUTHORISED, key="k", amount=5000, currency="EUR")
STRIPE_OBJECT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "requires_capture",
    "amount": 5000,
    "currency": "eur",
    "metadata": {"order": "O-1", "attempt": "1", "key": "k"},
}


@lru_cache
def gateway_of(name: str) -> Gateway:
    """A gateway that checks callbacks by a scheme; it keeps nothing between them."""
    if name == "standard":
        secrets = (SECRET, OLD_SECRET)
        return FakeGateway(GatewayConfig(name="fake", url="http://127.0.0.1:1", callback_secrets=secrets))
    return StripeGateway(GatewayConfig(name="stripe", api_key="sk", callback_secrets=(SECRET, OLD_SECRET)))


class Scheme:
    """One scheme: a gateway, and how its provider signs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gateway = gateway_of(name)
        if name == "standard":
            self.header = "webhook-signature"
            self.body = msgspec.json.encode(CallbackBody(type="payment.authorised", report=REPORT))
        else:
            self.header = "stripe-signature"
            kind = "payment_intent.amount_capturable_updated"
            self.body = json.dumps({"id": "evt_1", "type": kind, "data": {"object": STRIPE_OBJECT}}).encode()

    def headers(self, *secrets: str, age_s: int = 0) -> dict[str, str]:
        at_s = NOW_S - age_s
        if self.name == "standard":
            signed = [signed_headers(key, "evt_1", at_s, self.body) for key in callback_keys("fake", secrets)]
            return signed[0] | {self.header: " ".join(it[self.header] for it in signed)}
        values = [f"v1={stripe_signature(secret, at_s, self.body)}" for secret in secrets]
        return {self.header: ",".join([f"t={at_s}", *values])}


@pytest.fixture(params=["standard", "stripe"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return Scheme(request.param)


def test_a_callback_of_a_stranger_is_read_and_left_to_the_listener(scheme: Scheme) -> None:
    """PAY-010"""
    answer = scheme.gateway.callback(scheme.headers(SECRET), scheme.body, NOW_MS)

    assert (answer.status, answer.event, answer.refusal) == (200, "evt_1", "")
    assert [(it.order, it.attempt, it.kind, it.amount, it.key) for it in answer.reports] == [
        ("O-1", 1, ReportKind.AUTHORISED, 5000, "k")
    ]


def test_a_wrong_signature_is_refused_before_the_body_is_read(scheme: Scheme) -> None:
    """PAY-011"""
    headers = scheme.headers(STRANGERS)

    of_a_stranger = scheme.gateway.callback(headers, scheme.body, NOW_MS)
    unreadable = scheme.gateway.callback(headers, b"{", NOW_MS)
    changed = scheme.gateway.callback(scheme.headers(SECRET), scheme.body.replace(b"5000", b"5001"), NOW_MS)

    assert {(it.status, it.refusal, tuple(it.reports)) for it in (of_a_stranger, unreadable, changed)} == {
        (400, "bad_signature", ())
    }


@pytest.mark.parametrize(
    ("age_s", "refusal"),
    [(301, "too_old"), (300, ""), (299, ""), (0, ""), (-300, ""), (-301, "from_the_future")],
)
def test_a_signature_may_be_five_minutes_off(scheme: Scheme, age_s: int, refusal: str) -> None:
    """PAY-012"""
    answer = scheme.gateway.callback(scheme.headers(SECRET, age_s=age_s), scheme.body, NOW_MS)

    assert (answer.refusal, answer.status) == (refusal, 400 if refusal else 200)


@pytest.mark.parametrize("secrets", [(SECRET, OLD_SECRET), (OLD_SECRET,), (STRANGERS, SECRET)])
def test_pay_013_two_secrets_hold_while_they_change(scheme: Scheme, secrets: tuple[str, ...]) -> None:
    """PAY-013"""
    assert scheme.gateway.callback(scheme.headers(*secrets), scheme.body, NOW_MS).status == 200


GARBAGE = [
    "",
    "v1",
    "garbage v1,AA==",
    "v1,",
    "v1=,t=",
    "t=1",
    "t=x,v1=y",
    "t=٣,v1=٣",
    "v1,é",
    "=,=,",
    "t=" + "9" * 5000,
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_in_the_header_is_a_bad_signature(scheme: Scheme, garbage: str) -> None:
    """PAY-013"""
    answer = scheme.gateway.callback(scheme.headers(SECRET) | {scheme.header: garbage}, scheme.body, NOW_MS)

    assert (answer.status, answer.refusal) == (400, "bad_signature")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1}', b"\xff", b"[" * 100_000, b'{"type": "payment.x"}'])
def test_a_signed_body_that_cannot_be_read_is_refused(scheme: Scheme, body: bytes) -> None:
    scheme.body = body

    answer = scheme.gateway.callback(scheme.headers(SECRET), body, NOW_MS)

    # A Standard Webhooks document without a type we know is of no interest.
    is_of_no_interest = scheme.name == "standard" and body in (b"{}", b'{"id": 1}')
    assert (answer.status, answer.refusal) == ((200, "") if is_of_no_interest else (400, "unreadable"))
    assert not answer.reports


def test_an_event_of_a_kind_that_is_of_no_interest_is_taken(scheme: Scheme) -> None:
    scheme.body = b'{"id": "evt_1", "type": "customer.created", "data": {"object": {}}}'

    assert scheme.gateway.callback(scheme.headers(SECRET), scheme.body, NOW_MS) == (200, "evt_1", (), "")


def test_names_of_headers_may_have_any_case(scheme: Scheme) -> None:
    headers = {name.title(): value for name, value in scheme.headers(SECRET).items()}

    assert scheme.gateway.callback(headers, scheme.body, NOW_MS).status == 200


@settings(max_examples=40, deadline=None)
@given(st.text(), st.text(), st.text(), st.binary())
def test_no_header_makes_the_check_raise(event: str, stamp: str, signed: str, body: bytes) -> None:
    headers = {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": signed, "stripe-signature": signed}

    assert standard_refusal(headers, body, callback_keys("fake", [SECRET]), NOW_MS) == "bad_signature"
    assert stripe_refusal(headers, body, [SECRET], NOW_MS) == "bad_signature"


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_stripes_library_signs_what_we_accept(text: str) -> None:
    header = stripe.WebhookSignature.generate_signature_header(text, SECRET, NOW_S)

    assert stripe_refusal({"Stripe-Signature": header}, text.encode(), [SECRET], NOW_MS) == ""


def test_the_library_of_standard_webhooks_signs_what_we_accept() -> None:
    body = '{"a": "ü"}'
    signed = standardwebhooks.Webhook(SECRET).sign("evt_1", datetime.fromtimestamp(NOW_S, UTC), body)
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(NOW_S), "webhook-signature": signed}

    assert standard_refusal(headers, body.encode(), callback_keys("fake", [SECRET]), NOW_MS) == ""


@pytest.mark.parametrize("secret", ["", "x", "whsec_", "whsec_AA==", "whsec_???"])
def test_secrets_that_are_none_are_refused_at_the_start(secret: str) -> None:
    with pytest.raises(GatewayMisconfigured, match="The gateway fake cannot be used"):
        callback_keys("fake", [secret])


def test_a_counter_sends_no_callbacks() -> None:
    assert InStoreGateway(GatewayConfig(name="in_store")).callback({}, b"", NOW_MS).status == 404


def intent(**changes: Any) -> dict[str, Any]:
    return STRIPE_OBJECT | changes


REFUND = {
    "object": "refund",
    "amount": 700,
    "currency": "eur",
    "status": "succeeded",
    "payment_intent": "pi_1",
    "metadata": {"order": "O-1", "attempt": "1", "key": "r"},
}


@pytest.mark.parametrize(
    ("kind", "thing", "report", "key", "amount"),
    [
        ("payment_intent.amount_capturable_updated", intent(), "authorised", "k", 5000),
        ("payment_intent.payment_failed", intent(status="requires_payment_method"), "declined", "k", 5000),
        ("payment_intent.requires_action", intent(status="requires_action"), "action_required", "k", 5000),
        ("payment_intent.canceled", intent(status="canceled", cancellation_reason="abandoned"), "voided", "k", 5000),
        ("payment_intent.canceled", intent(status="canceled", cancellation_reason="automatic"), "ended", "k", 5000),
        (
            "payment_intent.succeeded",
            intent(status="succeeded", amount_received=4000, metadata={"order": "O-1", "attempt": "1", "step": "c"}),
            "captured",
            "c",
            4000,
        ),
        ("charge.expired", intent(object="charge", payment_intent="pi_1"), "ended", "k", None),
        ("refund.created", REFUND, "refunded", "r", 700),
        ("refund.updated", REFUND, "refunded", "r", 700),
        ("refund.failed", REFUND | {"status": "failed"}, "refund_failed", "r", 700),
        ("review.opened", {"payment_intent": "pi_1", "reason": "rule"}, "review_opened", "", None),
        ("review.closed", {"payment_intent": "pi_1", "closed_reason": "approved"}, "review_approved", "", None),
        ("review.closed", {"payment_intent": "pi_1", "reason": "refunded_as_fraud"}, "review_rejected", "", None),
        ("review.closed", {"payment_intent": "pi_1", "closed_reason": "canceled"}, None, "", None),
        ("refund.created", REFUND | {"status": "pending"}, None, "", None),
        ("charge.captured", intent(), None, "", None),
        ("charge.refunded", intent(), None, "", None),
        ("payment_intent.amount_capturable_updated", intent(metadata={}), None, "", None),
        ("payment_intent.amount_capturable_updated", intent(metadata={"order": "O", "attempt": "x"}), None, "", None),
    ],
)
def test_stripes_events_are_reports(
    kind: str, thing: dict[str, Any], report: str | None, key: str, amount: int | None
) -> None:
    found = reports_in(StripeEvent(id="evt_1", type=kind, data={"object": thing}))

    assert [(it.kind, it.key, it.amount) for it in found] == ([] if report is None else [(report, key, amount)])
    assert report is None or found[0].reference == "pi_1"
