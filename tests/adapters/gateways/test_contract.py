"""What every gateway has to do: the fake one over HTTP, Stripe against its double, payment in the store."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.registry import InStoreGateway
from bopis.adapters.gateways.stripe_gateway import StripeGateway
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, Operation
from bopis.ports import Gateway
from tests.adapters.gateways.calls import call, fake_pair
from tests.adapters.gateways.stripe_double import StripeDouble, running

APPROVED, VOIDED, FAILED = CallOutcome.APPROVED, CallOutcome.VOIDED, CallOutcome.FAILED
CAPTURE, VOID, REFUND, FIND, CLOSE = (
    Operation.CAPTURE,
    Operation.VOID,
    Operation.REFUND,
    Operation.FIND,
    Operation.CLOSE,
)


class Asked:
    """A gateway of a kind, and the calls to it."""

    def __init__(self, name: str, gateway: Gateway) -> None:
        self.name = name
        self.gateway = gateway

    async def __call__(self, *args: Any, **changes: Any) -> GatewayAnswer:
        return await self.gateway.call(call(*args, **changes))


@contextlib.asynccontextmanager
async def gateway_of(name: str) -> AsyncIterator[Gateway]:
    if name == "fake":
        async with fake_pair() as pair:
            yield pair.gateway
    elif name == "stripe":
        async with running((double := StripeDouble()).app()) as url:
            double.url = url
            stripe = StripeGateway(GatewayConfig(name=name, url=url, api_key="sk"))
            yield stripe
            await stripe.close()
    else:
        yield InStoreGateway(GatewayConfig(name=name))


@pytest.fixture(params=["fake", "stripe", "in_store"])
async def ask(request: pytest.FixtureRequest) -> AsyncIterator[Asked]:
    async with gateway_of(request.param) as gateway:
        yield Asked(request.param, gateway)


@pytest.fixture(params=["fake", "stripe"])
async def ask_provider(request: pytest.FixtureRequest) -> AsyncIterator[Asked]:
    """One that moves money."""
    async with gateway_of(request.param) as gateway:
        yield Asked(request.param, gateway)


async def test_an_approval_names_its_amount_and_a_reference(ask: Asked) -> None:
    answer = await ask()

    assert (answer.outcome, answer.amount, answer.currency) == (APPROVED, 1000, "EUR")
    assert answer.reference


async def test_a_repeat_is_answered_like_the_first_call(ask: Asked) -> None:
    first = await ask()

    assert await ask() == first


async def test_all_steps_of_a_payment(ask: Asked) -> None:
    reference = (await ask()).reference

    captured = await ask(CAPTURE, amount=700, reference=reference, final=True)
    captured_again = await ask(CAPTURE, amount=700, reference=reference, final=True)
    refunded = await ask(REFUND, amount=200, reference=reference)
    found = await ask(FIND, reference=reference)

    assert (captured.outcome, captured.amount, refunded.outcome, refunded.amount) == (APPROVED, 700, APPROVED, 200)
    assert captured_again == captured
    assert found.outcome is APPROVED
    assert ask.name == "in_store" or (found.amount, found.captured, found.refunded) == (1000, 700, 200)


@pytest.mark.parametrize("operation", [VOID, CLOSE])
@pytest.mark.parametrize("by_reference", [True, False])
async def test_what_is_released_stays_so(ask: Asked, operation: Operation, by_reference: bool) -> None:
    made = (await ask()).reference
    reference = made if by_reference else ""

    released = await ask(operation, reference=reference)
    again = await ask(operation, reference=reference, number=2)

    assert (released.outcome, released.amount, again.outcome) == (VOIDED, 1000, VOIDED)
    if ask.name != "in_store":
        assert again.code == "already_voided"
        assert (await ask(FIND, reference=made)).outcome is VOIDED
        assert (await ask(CAPTURE, reference=made)).outcome is FAILED


async def test_what_was_never_authorised_is_closed_all_the_same(ask: Asked) -> None:
    assert (await ask(CLOSE)).outcome is VOIDED


async def test_a_closed_key_authorises_nothing(ask_provider: Asked) -> None:
    await ask_provider(CLOSE)

    assert (await ask_provider()).outcome is VOIDED


async def test_a_reference_that_nobody_knows_is_gone(ask_provider: Asked) -> None:
    for operation in (FIND, CAPTURE, VOID, REFUND):
        assert (await ask_provider(operation, reference="no_such")).outcome is CallOutcome.GONE


async def test_more_than_there_is_fails_by_name(ask_provider: Asked) -> None:
    reference = (await ask_provider()).reference

    captured = await ask_provider(CAPTURE, amount=1001, reference=reference)
    refunded_early = await ask_provider(REFUND, amount=1, reference=reference)
    await ask_provider(CAPTURE, amount=600, reference=reference, number=2, final=True)
    refunded = await ask_provider(REFUND, amount=601, reference=reference, number=2)
    captured_twice = await ask_provider(CAPTURE, amount=1, reference=reference, number=3)
    voided = await ask_provider(VOID, reference=reference)

    answers = (captured, refunded_early, refunded, captured_twice, voided)
    assert [it.outcome for it in answers] == [FAILED] * 5
    assert all(it.code for it in answers)
    assert voided.code == "already_captured"


async def test_a_decline_has_a_class_and_stays_one(ask_provider: Asked) -> None:
    answer = await ask_provider(token="tok_never")

    assert (answer.outcome, answer.decline) == (CallOutcome.DECLINED, "never")
    assert (await ask_provider(token="tok_never")).decline == "never"
    assert (await ask_provider(FIND, reference=answer.reference)).outcome is CallOutcome.DECLINED


async def test_a_key_is_for_one_call_only(ask_provider: Asked) -> None:
    reference = (await ask_provider()).reference
    await ask_provider(CAPTURE, amount=600, reference=reference)

    authorised = await ask_provider(amount=900)
    captured = await ask_provider(CAPTURE, amount=601, reference=reference)

    assert (authorised.outcome, captured.outcome) == (CallOutcome.KEY_REUSED, CallOutcome.KEY_REUSED)


async def test_what_a_gateway_does_not_offer_is_unsupported(ask_provider: Asked) -> None:
    reference = (await ask_provider()).reference

    answer = await ask_provider(Operation.ADJUST, amount=1100, reference=reference)

    assert (answer.outcome, answer.code) == (CallOutcome.UNSUPPORTED, "adjust_not_offered")


async def test_the_list_has_every_authorisation_with_its_sums(ask_provider: Asked) -> None:
    reference = (await ask_provider(order="A")).reference
    await ask_provider(CAPTURE, order="A", amount=700, reference=reference, final=True)
    await ask_provider(REFUND, order="A", amount=200, reference=reference)
    await ask_provider(order="B")
    await ask_provider(order="C", token="tok_soft")

    page = await ask_provider.gateway.entries(0)

    shown = [(it.order, it.attempt, it.authorised, it.captured, it.refunded, it.open) for it in page.entries]
    assert shown == [("A", 1, 1000, 700, 200, 0), ("B", 1, 1000, 0, 0, 1000), ("C", 1, 0, 0, 0, 0)]
    assert [it.key for it in page.entries] == [f"{order}-1-authorise-1" for order in "ABC"]
    assert page.cursor is None


async def test_the_list_of_a_counter_is_empty() -> None:
    async with gateway_of("in_store") as gateway:
        assert await gateway.entries(0) == ((), None)


async def test_capabilities_are_told(ask: Asked) -> None:
    assert ask.gateway.capabilities.close
    assert ask.gateway.capabilities.key_life_s == 86_400
