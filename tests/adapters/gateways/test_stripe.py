"""Stripe's adapter against a double of the endpoints it uses."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.errors import GatewayMisconfigured, GatewayPackageMissing, GatewayUnavailable
from bopis.adapters.gateways.stripe_gateway import StripeGateway
from bopis.domain.payments.gateway import (
    CallInitiator,
    CallOutcome,
    Capabilities,
    GatewayAnswer,
    Operation,
)
from tests.adapters.gateways.calls import call
from tests.adapters.gateways.stripe_double import ENDS_S, NETWORK_ID, StripeDouble, running

DAY_MS = 86_400_000


class StripePair:
    """The double and the adapter that speaks to it."""

    def __init__(self, double: StripeDouble, gateway: StripeGateway) -> None:
        self.double = double
        self.gateway = gateway

    async def ask(self, *args: Any, **changes: Any) -> GatewayAnswer:
        return await self.gateway.call(call(*args, **changes))


@contextlib.asynccontextmanager
async def stripe_pair(timeout_s: float = 1.0, **changes: Any) -> AsyncIterator[StripePair]:
    double = StripeDouble()
    async with running(double.app()) as url:
        config = GatewayConfig(name="stripe", url=url, api_key="sk_test_1", timeout_s=timeout_s, **changes)
        gateway = StripeGateway(config)
        try:
            yield StripePair(double, gateway)
        finally:
            await gateway.close()


@pytest.fixture
async def pair() -> AsyncIterator[StripePair]:
    async with stripe_pair() as made:
        yield made


async def test_an_authorisation_is_created_then_confirmed(pair: StripePair) -> None:
    answer = await pair.ask(initiated_by=CallInitiator.MERCHANT, token="cus_1/pm_1")

    (_, created, params), (_, confirmed, confirmation) = pair.double.requests
    assert (created, confirmed) == ("/v1/payment_intents", "/v1/payment_intents/pi_1/confirm")
    assert params["metadata"] == {"order": "O-1", "attempt": "1", "key": "O-1-1-authorise-1"}
    assert (params["capture_method"], params["customer"], params["payment_method"]) == ("manual", "cus_1", "pm_1")
    assert confirmation["off_session"].lower() == "true"
    assert set(pair.double.keys) == {"O-1-1-authorise-1-create", "O-1-1-authorise-1-confirm"}
    assert (answer.outcome, answer.amount, answer.currency) == (CallOutcome.APPROVED, 1000, "EUR")
    assert (answer.reference, answer.ends_ms, answer.transaction) == ("pi_1", ENDS_S * 1000, NETWORK_ID)
    assert (answer.capture_max, answer.multicapture) == (1150, False)


@pytest.mark.parametrize(
    ("token", "decline", "wait_ms"),
    [
        ("tok_soft", "soft", 0),
        ("tok_hard", "hard", 0),
        ("tok_never", "never", 0),
        ("tok_data", "data", 0),
        ("tok_technical", "technical", 1_000),
        ("tok_authenticate", "authenticate", 0),
        ("tok_tomorrow", "soft", DAY_MS),
        ("tok_unheard_of", "soft", 0),
        ("tok_missing", "data", 0),
    ],
)
async def test_declines_have_classes(pair: StripePair, token: str, decline: str, wait_ms: int) -> None:
    answer = await pair.ask(token=token)
    found = await pair.ask(Operation.FIND, reference="pi_1")

    assert (answer.outcome, answer.decline, answer.wait_ms) == (CallOutcome.DECLINED, decline, wait_ms)
    assert answer.reference == "pi_1"
    assert token == "tok_missing" or (found.outcome, found.decline) == (CallOutcome.DECLINED, decline)


@pytest.mark.parametrize(
    ("token", "outcome", "amount"),
    [
        ("tok_challenge", "action_required", 1000),
        ("tok_review", "in_review", 1000),
        ("tok_partial_60", "approved", 600),
    ],
)
async def test_other_answers_to_an_authorisation(pair: StripePair, token: str, outcome: str, amount: int) -> None:
    answer = await pair.ask(token=token)

    assert (answer.outcome, answer.amount) == (outcome, amount)
    assert answer.link == ("https://bank.example/3ds" if token == "tok_challenge" else "")


async def test_a_confirmation_without_an_answer_is_found_by_its_id() -> None:
    async with stripe_pair(timeout_s=0.2) as pair:
        pair.double.delays["confirm"] = 1.0

        answer = await pair.ask()
        found = await pair.ask(Operation.FIND, reference=answer.reference)

    assert (answer.outcome, answer.reference, answer.cause) == (CallOutcome.UNKNOWN, "pi_1", "ReadTimeout")
    assert found.outcome is CallOutcome.APPROVED


async def test_a_creation_without_an_answer_has_done_nothing_and_its_repeat_makes_no_second_one() -> None:
    async with stripe_pair(timeout_s=0.2) as pair:
        pair.double.delays["payment_intents"] = 1.0
        answer = await pair.ask()
        pair.double.delays.clear()

        again = await pair.ask()

    assert (answer.outcome, again.outcome) == (CallOutcome.NOT_SENT, CallOutcome.APPROVED)
    assert list(pair.double.intents) == ["pi_1"]


@pytest.mark.parametrize("is_searchable", [True, False])
async def test_an_authorisation_without_an_id_is_found_by_its_key(pair: StripePair, is_searchable: bool) -> None:
    pair.double.is_searchable = is_searchable
    await pair.ask(order="it's \\ one")

    found = await pair.ask(Operation.FIND, order="it's \\ one")
    closed = await pair.ask(Operation.CLOSE, order="it's \\ one")

    assert (found.outcome, found.reference) == (CallOutcome.APPROVED, "pi_1")
    assert (closed.outcome, closed.amount) == (CallOutcome.VOIDED, 1000)
    assert list(pair.double.intents) == ["pi_1"]


async def test_what_no_search_shows_yet_is_unknown_and_not_gone(pair: StripePair) -> None:
    pair.double.is_searchable = False
    await pair.ask()

    by_other_amount = await pair.ask(Operation.FIND, amount=999)
    without_token = await pair.ask(Operation.CLOSE, token="")

    assert (by_other_amount.outcome, without_token.outcome) == (CallOutcome.UNKNOWN, CallOutcome.UNKNOWN)


async def test_a_close_fences_what_was_never_confirmed(pair: StripePair) -> None:
    closed = await pair.ask(Operation.CLOSE)
    too_late = await pair.ask()

    assert closed.outcome is CallOutcome.VOIDED
    assert too_late.outcome is CallOutcome.VOIDED
    assert [it["status"] for it in pair.double.intents.values()] == ["canceled"]


async def test_another_call_on_the_same_object_is_no_decline(pair: StripePair) -> None:
    await pair.ask()
    pair.double.locked.add("pi_1")

    answer = await pair.ask(Operation.CAPTURE, reference="pi_1")

    assert (answer.outcome, answer.code) == (CallOutcome.NOT_SENT, "lock_timeout")


@pytest.mark.parametrize(
    ("status", "outcome"), [(429, "not_sent"), (409, "not_sent"), (401, "not_sent"), (500, "unknown"), (503, "unknown")]
)
async def test_statuses_have_outcomes(pair: StripePair, status: int, outcome: str) -> None:
    await pair.ask()
    pair.double.failures["capture"] = status

    answer = await pair.ask(Operation.CAPTURE, reference="pi_1")

    assert answer.outcome == outcome
    assert status != 429 or answer.wait_ms == 2_000


async def test_a_key_with_other_parameters_is_named_so(pair: StripePair) -> None:
    await pair.ask()

    answer = await pair.ask(amount=900)

    assert answer.outcome is CallOutcome.KEY_REUSED


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [
        (1250, "EUR", "1250"),
        (1250, "JPY", "1250"),
        (500, "ISK", "50000"),
        (500, "UGX", "50000"),
        (18_600, "KWD", "18600"),
        (18_605, "KWD", None),
        (123_400, "MGA", "1234"),
        (123_450, "MGA", None),
        (10_000, "CLF", None),
        (100_000_000, "EUR", None),
        (10, "EUR", None),
    ],
)
async def test_amounts_are_sent_in_stripes_unit_or_not_at_all(
    pair: StripePair, amount: int, currency: str, sent: str | None
) -> None:
    """PAY-081, PAY-082"""
    answer = await pair.ask(amount=amount, currency=currency)

    if sent is None:
        assert (answer.outcome, answer.code) == (CallOutcome.UNSUPPORTED, "amount_not_payable_by_gateway")
        assert not pair.double.intents
    else:
        assert pair.double.requests[0][2]["amount"] == sent
        assert (answer.outcome, answer.amount) == (CallOutcome.APPROVED, amount)


async def test_a_refund_may_be_received_first(pair: StripePair) -> None:
    await pair.ask(token="tok_slow_refund")
    await pair.ask(Operation.CAPTURE, reference="pi_1")

    answer = await pair.ask(Operation.REFUND, reference="pi_1", amount=300)

    assert (answer.outcome, answer.amount, answer.currency) == (CallOutcome.ACCEPTED, 300, "EUR")
    assert pair.double.refunds[0]["metadata"]["key"] == "O-1-1-refund-1"


async def test_an_amount_is_raised_where_the_account_may_do_so() -> None:
    async with stripe_pair(capabilities=Capabilities(adjust=True, overcapture=True)) as pair:
        await pair.ask()

        raised = await pair.ask(Operation.ADJUST, reference="pi_1", amount=1200)

    card = pair.double.requests[0][2]["payment_method_options"]["card"]
    assert card == {"request_overcapture": "if_available"}
    assert (raised.outcome, raised.amount) == (CallOutcome.APPROVED, 1200)


async def test_the_list_is_read_to_its_end_and_told_oldest_first(pair: StripePair) -> None:
    await pair.ask(order="O-0")
    first = pair.double.intents["pi_1"]
    for number in range(1, 103):
        metadata = first["metadata"] | {"order": f"O-{number}"}
        copied = first | {"id": f"pi_{number}x", "created": first["created"] + number, "metadata": metadata}
        pair.double.intents[copied["id"]] = copied

    page = await pair.gateway.entries(0)

    assert [it.order for it in page.entries] == [f"O-{number}" for number in range(103)]
    assert page.cursor is None
    assert {(it.authorised, it.open, it.captured, it.attempt) for it in page.entries} == {(1000, 1000, 0, 1)}


async def test_a_list_that_cannot_be_had_is_an_error(pair: StripePair) -> None:
    pair.double.failures["payment_intents"] = 500

    with pytest.raises(GatewayUnavailable, match="stripe does not answer"):
        await pair.gateway.entries(0)


def test_stripe_needs_its_package_and_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GatewayMisconfigured, match="api_key"):
        StripeGateway(GatewayConfig(name="stripe"))

    monkeypatch.setitem(sys.modules, "stripe", None)
    with pytest.raises(GatewayPackageMissing, match=r"bopis\[stripe\]"):
        StripeGateway(GatewayConfig(name="stripe", api_key="sk"))
