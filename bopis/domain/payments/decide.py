"""Rules of a payment, by message: pure and total. `RULES` names the rule of every message type."""

from collections.abc import Callable
from typing import Any

from bopis.domain.payments import desk, messages
from bopis.domain.payments.answers import take_answer
from bopis.domain.payments.decision import PaymentDecision
from bopis.domain.payments.events import PaymentEnded, PaymentOpened, PaymentRefusal, PickupExpected
from bopis.domain.payments.reports import take_report
from bopis.domain.payments.settle import end_if_over, settle
from bopis.domain.payments.state import PaymentEnding
from bopis.domain.payments.timers import fire


def decide(decision: PaymentDecision, data: messages.PaymentMessage) -> None:
    """Emit the events that follow from a message about an existing payment, or one that is being opened.

    A command that is not carried out is refused by name. Raises `Rejected` for a report that cannot be true.
    """
    RULES[type(data)](decision, data)
    if decision.events and decision.state is not None:
        settle(decision)
        end_if_over(decision)
        if decision.payment.ending is not None:
            # What is open at the end is released in the same decision.
            settle(decision)


def _open(decision: PaymentDecision, demand: messages.OpenPayment) -> None:
    if decision.state is not None:
        return
    opened = PaymentOpened(
        at_ms=decision.now_ms,
        methods=demand.methods,
        amount=max(0, demand.amount),
        currency=demand.currency,
        hold_until_ms=demand.hold_until_ms,
        policy=demand.policy,
        consent=demand.consent,
    )
    decision.emit(opened)


def _change_amount(decision: PaymentDecision, demand: messages.ChangeAmount) -> None:
    if demand.open != decision.payment.open and decision.payment.ending is None:
        decision.amounts(open=max(0, demand.open))


def _capture(decision: PaymentDecision, demand: messages.CaptureGoods) -> None:
    payment = decision.payment
    if payment.ending is not None:
        # They left before the order heard that its payment had ended: nothing covers them, so they are owed.
        decision.amounts(handed=payment.handed + demand.amount)
        return
    if demand.amount > payment.open:
        decision.refuse(PaymentRefusal.CAPTURE_EXCEEDS_AUTHORISED, payment.open)
        return
    left = payment.open - demand.amount if demand.open is None else demand.open
    decision.amounts(handed=payment.handed + demand.amount, open=max(0, left))


def _end(decision: PaymentDecision, _demand: messages.EndPayment) -> None:
    if decision.payment.ending is None:
        decision.emit(PaymentEnded(at_ms=decision.now_ms, ending=PaymentEnding.ORDER_ENDED))


def _take_back(decision: PaymentDecision, demand: messages.RefundGoods) -> None:
    payment = decision.payment
    decision.amounts(returned=payment.returned + demand.amount)


def _expect(decision: PaymentDecision, demand: messages.ExpectPickup) -> None:
    payment = decision.payment
    until_ms = max(payment.pickup_ms, demand.until_ms)
    ready_ms = demand.ready_ms or payment.ready_ms
    if (until_ms, ready_ms) != (payment.pickup_ms, payment.ready_ms):
        decision.emit(PickupExpected(at_ms=decision.now_ms, until_ms=until_ms, ready_ms=ready_ms))


def _fire(decision: PaymentDecision, _tick: messages.PaymentTick) -> None:
    fire(decision)
    if not decision.events:
        settle(decision)
        end_if_over(decision)


Rule = Callable[[PaymentDecision, Any], None]
RULES: dict[type[messages.PaymentMessage], Rule] = {
    messages.OpenPayment: _open,
    messages.ChangeAmount: _change_amount,
    messages.CaptureGoods: _capture,
    messages.EndPayment: _end,
    messages.RefundGoods: _take_back,
    messages.ExpectPickup: _expect,
    messages.CallAnswered: take_answer,
    messages.ProviderReported: take_report,
    messages.AddMethod: desk.add_method,
    messages.RetryPayment: desk.retry,
    messages.VoidPayment: desk.void,
    messages.RefundPayment: desk.refund,
    messages.RecordPaidInStore: desk.record_paid,
    messages.SettleUnknown: desk.settle_unknown,
    messages.AdoptCharge: desk.adopt,
    messages.PaymentTick: _fire,
}
