"""A payment explained: each try with key, class and answer, why the next one, each sum, and what the customer heard."""

from datetime import UTC, timedelta, timezone
from typing import Any, get_args

import msgspec
import pytest

from bopis.domain.payments import events as e
from bopis.domain.payments.gateway import (
    AttemptReason,
    CallOutcome,
    DeclineClass,
    GatewayCall,
    MethodKind,
    Operation,
    PaymentMethod,
)
from bopis.domain.payments.messages import RefundPayment
from bopis.domain.payments.policy import PaymentPolicy
from bopis.domain.payments.state import AttemptState, Cover, CoverState, PaymentEnding, StepState
from bopis.services.counter.store_times import StoreTimes
from bopis.services.payments import event_text
from bopis.services.payments.event_text import PaymentEventText, method_text
from bopis.services.payments.explanation import Explanation, explain, read_payment_history
from tests.services.payments.live import ORDER, LivePayments, card

OFFSET = timezone(timedelta(hours=-6), "CST")


@pytest.fixture
def log() -> LivePayments:
    return LivePayments()


def told(log: LivePayments) -> Explanation:
    times = StoreTimes({"S1": OFFSET}, "S1")
    return explain(log.payment(), read_payment_history(log, log.payment()), times)


def test_each_try_names_its_method_key_class_and_why_the_next_one_was_asked(log: LivePayments) -> None:
    log.open(1250, card(1), card(2))
    log.answer(CallOutcome.DECLINED, decline=DeclineClass.HARD, code="stolen_card")
    log.answer(CallOutcome.APPROVED)

    found = told(log)

    first, second = found.attempts
    assert first.method == "card Visa ···· 0001"
    assert first.key == f"{ORDER}-1-authorise-1"
    assert (first.decline, first.code) == ("hard", "stolen_card")
    assert first.answer == "declined for this order (stolen_card)"
    assert first.next == "card Visa ···· 0002 was asked, because the method before did not pay"
    assert second.answer.startswith("approved for 12.50 EUR")
    assert second.next == "what is needed is covered"
    assert found.status == "authorised"
    assert found.sums.authorised == 1250


def test_every_sum_and_step_is_there(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    log.hand_over(1250)
    log.answer(CallOutcome.APPROVED, Operation.CAPTURE)
    log.say(RefundPayment(reason="bruised fruit", amount=250))

    found = told(log)

    assert [step.operation for step in found.attempts[0].steps] == ["capture", "refund"]
    assert found.attempts[0].steps[0].text == "capture of 12.50 EUR: done"
    assert found.attempts[0].steps[1].key == f"{ORDER}-1-refund-1"
    assert (found.sums.captured, found.sums.refunded, found.sums.handed_over) == (1250, 0, 1250)


def test_what_the_customer_heard_has_its_time_in_the_stores_zone(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.ACTION_REQUIRED, link="https://bank.example/1")

    (heard,) = told(log).heard

    until = log.payment().attempts[0].next_ms
    assert "confirm the payment by a link" in heard.text
    assert StoreTimes({"S1": OFFSET}, "S1").instant(until) in heard.text
    assert StoreTimes({"S1": UTC}, "S1").instant(until) not in heard.text


def test_the_history_is_in_order_and_a_repeat_counts_once(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    for records in list(log.records.values()):
        records += [it for it in records if it.topic == "payment-events"]

    history = read_payment_history(log, log.payment())

    kinds = [type(it.data).__name__ for it in history.events]
    assert kinds[:3] == ["PaymentOpened", "AttemptBegan", "CallRequested"]
    assert len({it.id for it in history.events}) == len(history.events)


def test_what_is_owed_says_who_acts(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    log.hand_over(1250)

    assert told(log).owed == ("12.50 EUR: its capture is on its way; nobody: the gateway answers",)


def example(kind: type) -> Any:
    """An event with a plausible value in every field that has no default."""
    plain = {int: 1, str: "x", bool: False}
    fields = {}
    for it in msgspec.structs.fields(kind):
        if it.required:
            values = {"methods": (card(),), "policy": PaymentPolicy()}
            enum = it.type if hasattr(it.type, "__members__") else None
            fields[it.name] = values.get(it.name, next(iter(enum)) if enum else plain.get(it.type))
    if kind is e.MethodAdded:
        fields["method"] = card()
    if "call" in fields:
        fields["call"] = msgspec.convert(
            {
                "key": "k",
                "order": ORDER,
                "attempt": 1,
                "operation": "capture",
                "gateway": "",
                "amount": 1,
                "currency": "EUR",
                "authorisation": "k",
            },
            GatewayCall,
        )
    if "cover" in fields:
        fields["cover"] = Cover()
    return kind(**fields)


@pytest.mark.parametrize("kind", get_args(e.Event), ids=lambda it: it.__name__)
def test_every_event_is_a_sentence(kind: type) -> None:
    said = PaymentEventText(StoreTimes(), "EUR", (card(),)).sentence(example(kind))

    assert said
    assert "_" not in said.replace("tok_", "")
    assert not said.endswith(".")


def test_every_value_has_its_words() -> None:
    for table, values in (
        (event_text.CLASSES, DeclineClass),
        (event_text.REASONS, AttemptReason),
        (event_text.STATES, AttemptState),
        (event_text.STEP_STATES, StepState),
        (event_text.ENDINGS, PaymentEnding),
        (event_text.NOUNS, Operation),
        (event_text.COVERS, CoverState),
    ):
        assert table.keys() == set(values)


def test_a_long_token_is_shortened() -> None:
    assert method_text(PaymentMethod(kind=MethodKind.GIFT_CARD, token="t" * 60)) == "gift card " + "t" * 24 + "…"
    assert method_text(PaymentMethod(kind=MethodKind.PAY_IN_STORE)) == "pay in store"
