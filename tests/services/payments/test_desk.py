"""The payment desk: commands are decided while it waits, the person stays in the events, refusals are plain words."""

import pytest

from bopis.domain.payments.events import AmountsChanged, MethodAdded, PaymentCommandRefused, PaymentRefusal, StepBegan
from bopis.domain.payments.gateway import CallOutcome, Operation, PaymentMethod
from bopis.domain.payments.messages import AddMethod, RecordPaidInStore, RefundPayment, RetryPayment, VoidPayment
from bopis.services.errors import CardNumberInText, MessageParked
from bopis.services.payments.desk import REFUSED, refusal_text
from bopis.services.payments.errors import PaymentNotChanged, PaymentUnknown
from tests.services.payments.live import ORDER, LivePayments, card, desk_of


@pytest.fixture
def log() -> LivePayments:
    return LivePayments()


def captured(log: LivePayments, cents: int = 1250) -> None:
    log.open(cents, card())
    log.answer(CallOutcome.APPROVED)
    log.hand_over(cents)
    log.answer(CallOutcome.APPROVED, Operation.CAPTURE)


def test_a_refund_is_asked_with_reason_and_person(log: LivePayments) -> None:
    captured(log)

    reply = desk_of(log).command(ORDER, RefundPayment(reason="bruised fruit", amount=250), "EUR")

    begun = reply.event(StepBegan)
    changed = reply.event(AmountsChanged)
    assert (begun.operation, begun.amount) == (Operation.REFUND, 250)
    assert (changed.actor, changed.reason) == ("kim", "bruised fruit")


def test_a_second_click_refunds_nothing(log: LivePayments) -> None:
    captured(log)
    desk, body = desk_of(log), RefundPayment(reason="bruised fruit", amount=250)

    first = desk.command(ORDER, body, "EUR", "r1")
    second = desk.command(ORDER, body, "EUR", "r1")

    assert first.event(StepBegan) is not None
    assert second.events == ()
    assert log.payment().refunding == 250


def test_one_id_for_two_commands_is_a_conflict(log: LivePayments) -> None:
    captured(log)
    desk = desk_of(log)
    desk.command(ORDER, RefundPayment(reason="a", amount=250), "EUR", "r1")

    with pytest.raises(MessageParked, match="used before with other content"):
        desk.command(ORDER, RefundPayment(reason="a", amount=300), "EUR", "r1")


def test_more_than_was_captured_is_refused_with_what_is_left(log: LivePayments) -> None:
    captured(log)
    desk = desk_of(log)
    desk.command(ORDER, RefundPayment(reason="a", amount=1000), "EUR")

    with pytest.raises(PaymentNotChanged) as caught:
        desk.command(ORDER, RefundPayment(reason="a", amount=251), "EUR")

    assert "at most 2.50 EUR can be refunded" in str(caught.value)
    assert str(caught.value).startswith("Order 7K3M-9QX2: ")
    assert caught.value.exit_code == 4


def test_what_is_needed_is_not_released(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)

    desk = desk_of(log)

    with pytest.raises(PaymentNotChanged, match="cancel the order first"):
        desk.command(ORDER, VoidPayment(reason="why not"), "EUR")
    with pytest.raises(PaymentNotChanged, match="nothing to ask again"):
        desk.command(ORDER, RetryPayment(reason="why not"), "EUR")


def test_money_at_the_till_is_refused_while_an_answer_is_awaited(log: LivePayments) -> None:
    log.open(1250, card())

    with pytest.raises(PaymentNotChanged, match="nothing can be taken there"):
        desk_of(log).command(ORDER, RecordPaidInStore(amount=1250, receipt="4711"), "EUR")


def test_another_method_is_asked(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.DECLINED)

    reply = desk_of(log).command(ORDER, AddMethod(method=PaymentMethod(token="tok_2")), "EUR")

    assert reply.event(MethodAdded).method.token == "tok_2"
    assert log.calls[-1].call.token == "tok_2"


def test_an_order_without_payment_is_named(log: LivePayments) -> None:
    with pytest.raises(PaymentUnknown) as caught:
        desk_of(log).command(ORDER, RetryPayment(reason="x"))

    assert caught.value.exit_code == 3


def test_a_card_number_never_reaches_the_log(log: LivePayments) -> None:
    captured(log)
    before = sum(len(it) for it in log.records.values())

    with pytest.raises(CardNumberInText):
        desk_of(log).command(ORDER, RetryPayment(reason="use 4242 4242 4242 4242"))

    assert sum(len(it) for it in log.records.values()) == before


@pytest.mark.parametrize("reason", PaymentRefusal, ids=[it.value for it in PaymentRefusal])
def test_every_refusal_is_a_sentence_about_the_order(reason: PaymentRefusal) -> None:
    told = refusal_text(ORDER, PaymentCommandRefused(at_ms=1, command="VoidPayment", reason=reason, message="m"), "EUR")

    assert told.startswith("Order 7K3M-9QX2: ")
    assert told.endswith(f"[{reason.value}]")
    assert "{" not in told
    assert REFUSED.keys() == set(PaymentRefusal)
