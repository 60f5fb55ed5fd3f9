"""The runner's choice of a gateway, and the messages that carry answers."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from bopis.domain.message import Message
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import (
    CallOutcome,
    Capabilities,
    GatewayAnswer,
    GatewayCall,
    MethodKind,
    Operation,
)
from bopis.domain.payments.messages import CallAnswered
from bopis.services.payments.lanes import LaneLimits, Verdict
from bopis.services.payments.runner import PaymentRunner, answer_message, answer_record, log_facts
from bopis.services.payments.waiting import Place, WaitingCall
from bopis.wire.errors import WireError
from bopis.wire.payments import PAYMENT_CALLS, PAYMENTS
from tests.services.payments.requests import APPROVED, NOW_MS, request

PLACE = Place(("calls", 0), 7)


class Scripted:
    """A gateway that answers one thing."""

    def __init__(self, answer: GatewayAnswer | Exception = APPROVED) -> None:
        self.answer = answer
        self.calls: list[GatewayCall] = []
        self.capabilities = Capabilities(key_life_s=3_600)

    async def call(self, call: GatewayCall) -> GatewayAnswer:
        self.calls.append(call)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def close(self) -> None: ...


class Book:
    """Gateways by name."""

    def __init__(self, **gateways: Scripted) -> None:
        self.gateways = gateways
        self.names = tuple(gateways)

    def named(self, name: str) -> Scripted:
        return self.gateways[name]

    async def close(self) -> None: ...


def runner(default: str = "fake", **gateways: Scripted) -> PaymentRunner:
    book = Book(in_store=Scripted(), **gateways)
    return PaymentRunner(book, default, LaneLimits())  # type: ignore[arg-type]  # of a gateway only what is called


def recorded(requested: CallRequested) -> bytes:
    message = Message(id="m-1", source="payments", time=datetime.now(UTC), subject=requested.call.order, data=requested)
    return PAYMENT_CALLS.encode(message)


def waiting(requested: CallRequested | None = None) -> WaitingCall:
    return WaitingCall(requested or request("A"), "fake", PLACE, perhaps_sent=False)


@pytest.mark.parametrize(
    ("gateway", "kind", "lane"),
    [
        ("", MethodKind.CARD, "fake"),
        ("other", MethodKind.CARD, "other"),
        ("", MethodKind.PAY_IN_STORE, "in_store"),
    ],
)
def test_a_call_goes_to_the_gateway_of_its_method(gateway: str, kind: MethodKind, lane: str) -> None:
    made = request("A")
    made = msgspec.structs.replace(made, call=msgspec.structs.replace(made.call, gateway=gateway, kind=kind))
    payments = runner(fake=Scripted(), other=Scripted())

    verdict = payments.take(recorded(made), PLACE, NOW_MS, perhaps_sent=False)

    assert verdict is None
    assert [it.gateway for it in payments.lanes.take(NOW_MS).calls] == [lane]


@pytest.mark.parametrize(
    ("default", "gateway", "words"),
    [
        ("", "", "set payment_gateway"),
        ("", "fake", "set payment_gateway_url"),
        ("", "stripe", "set stripe_key_file"),
        ("", "adyen", "there are in_store"),
    ],
)
def test_a_gateway_that_is_not_set_up_is_answered_with_the_setting_to_set(
    default: str, gateway: str, words: str
) -> None:
    """Above all a card is never "approved" by the gateway for payment in the store."""
    verdict = runner(default).take(recorded(request("A", gateway=gateway)), PLACE, NOW_MS, perhaps_sent=False)

    assert verdict is not None
    assert (verdict.answer.outcome, verdict.answer.code) == (CallOutcome.UNSUPPORTED, "no_gateway")
    assert words in verdict.answer.cause


def test_a_record_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(WireError):
        runner().take(b"{}", PLACE, NOW_MS, perhaps_sent=False)


def test_keys_live_as_long_as_the_gateway_says() -> None:
    payments = runner(fake=Scripted())
    old = request("A", request=2, first_ms=NOW_MS - 3_600_000)

    payments.take(recorded(old), PLACE, NOW_MS, perhaps_sent=False)

    assert [it.answer.code for it in payments.lanes.take(NOW_MS).verdicts] == ["key_expired"]


async def test_an_adapter_that_breaks_leaves_its_call_unknown_without_its_text() -> None:
    payments = runner(fake=Scripted(ValueError("tok_secret is bad")))

    answer = await payments.call(waiting())

    assert (answer.outcome, answer.code) == (CallOutcome.UNKNOWN, "adapter_broken")
    assert "tok_secret" not in answer.cause


async def test_a_call_is_made_with_the_frozen_parameters() -> None:
    gateway = Scripted()
    made = request("A", Operation.CAPTURE)

    answer = await runner(fake=gateway).call(waiting(made))

    assert gateway.calls == [made.call]
    assert answer == APPROVED


def test_an_answer_is_a_message_to_the_payment_of_its_order() -> None:
    message = PAYMENTS.decode(answer_record(Verdict(waiting(request("A", request=3)), APPROVED), NOW_MS))

    assert (message.source, message.subject, message.correlation) == ("payment-runner", "A", "A")
    assert message.id.startswith("A-1-authorise-1/3/")
    assert message.data == CallAnswered(
        key="A-1-authorise-1", attempt=1, operation=Operation.AUTHORISE, request=3, answer=APPROVED
    )


def test_the_same_answer_twice_is_a_repeat_and_another_answer_is_not() -> None:
    """A killed runner asks again: "unknown" and then "approved" are both to be decided."""
    unknown = GatewayAnswer(outcome=CallOutcome.UNKNOWN)

    ids = [answer_message(waiting(), it, NOW_MS + n).id for n, it in enumerate((unknown, unknown, APPROVED))]
    other = answer_message(waiting(request("A", request=2)), unknown, NOW_MS).id

    assert ids[0] == ids[1]
    assert len({*ids, other}) == 3


def test_an_answer_that_the_topic_would_refuse_is_published_as_unknown() -> None:
    broken = GatewayAnswer(outcome=CallOutcome.APPROVED, code="c" * 65)

    message = PAYMENTS.decode(answer_record(Verdict(waiting(), broken), NOW_MS))

    assert (message.data.answer.outcome, message.data.answer.code) == (CallOutcome.UNKNOWN, "answer_unreadable")


def test_what_is_logged_has_no_token_and_no_text_of_the_provider() -> None:
    answer = GatewayAnswer(outcome=CallOutcome.DECLINED, code="51", cause="card of Anna", reference="pi_1")

    facts = log_facts(Verdict(waiting(), answer), 12)

    assert facts == {
        "order": "A",
        "attempt": 1,
        "operation": "authorise",
        "request": 1,
        "gateway": "fake",
        "outcome": "declined",
        "code": "51",
        "ms": 12,
    }
