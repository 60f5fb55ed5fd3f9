"""Commands of the desk and of the customer about a payment."""

from bopis.domain.payments import events as e
from bopis.domain.payments.decision import PaymentDecision
from bopis.domain.payments.events import PaymentRefusal
from bopis.domain.payments.gateway import Operation, call_key
from bopis.domain.payments.limits import METHODS_IN_ALL_MAX
from bopis.domain.payments.messages import (
    AddMethod,
    AdoptCharge,
    RecordPaidInStore,
    RefundPayment,
    RetryPayment,
    SettleUnknown,
    VoidPayment,
)
from bopis.domain.payments.settle import uncovered
from bopis.domain.payments.state import UNANSWERED, Attempt, AttemptState, PaymentEnding, Step, StepState

STUCK = frozenset({StepState.FAILED, StepState.BOUNCED})
ASKED_AGAIN = frozenset({StepState.WAITING, StepState.UNKNOWN, StepState.ACCEPTED})


def add_method(decision: PaymentDecision, command: AddMethod) -> None:
    """Take another method of the customer's."""
    payment = decision.payment
    if payment.ending not in (None, PaymentEnding.ORDER_ENDED):
        decision.refuse(PaymentRefusal.ENDED)
    elif len(payment.methods) >= METHODS_IN_ALL_MAX:
        decision.refuse(PaymentRefusal.TOO_MANY_METHODS)
    else:
        decision.emit(e.MethodAdded(at_ms=decision.now_ms, method=command.method))


def retry(decision: PaymentDecision, command: RetryPayment) -> None:
    """Ask again at once: calls that wait, steps that failed, and the methods where an amount is not covered."""
    before = len(decision.events)
    for attempt in decision.payment.attempts:
        if attempt.state in UNANSWERED and attempt.asking is None and attempt.state is not AttemptState.ACTION_REQUIRED:
            operation = Operation.AUTHORISE if attempt.state is AttemptState.WAITING else _question(attempt)
            decision.ask(attempt, operation)
        for step in attempt.steps:
            _retry_step(decision, attempt, step, command.reason)
    payment = decision.payment
    is_open = payment.ending is None or payment.uncaptured
    if is_open and payment.pending is None and uncovered(payment, decision.now_ms):
        restarted = e.MethodsRestarted(at_ms=decision.now_ms, actor=decision.actor, reason=command.reason)
        decision.emit(restarted)
    if len(decision.events) == before:
        decision.refuse(PaymentRefusal.NOTHING_TO_RETRY)


def void(decision: PaymentDecision, command: VoidPayment) -> None:
    """Release what is open and not needed, where the release failed before."""
    payment = decision.payment
    if payment.open and payment.ending is None:
        decision.refuse(PaymentRefusal.GOODS_ARE_OPEN)
        return
    before = len(decision.events)
    for attempt in payment.attempts:
        for step in attempt.of(Operation.VOID):
            _retry_step(decision, attempt, step, command.reason)
        is_unknown = attempt.state in (AttemptState.UNKNOWN, AttemptState.ACTION_REQUIRED)
        if is_unknown and attempt.asking is None:
            decision.ask(attempt, Operation.CLOSE)
    if len(decision.events) == before:
        decision.refuse(PaymentRefusal.NOTHING_TO_VOID)


def refund(decision: PaymentDecision, command: RefundPayment) -> None:
    """Refund money without goods; several refunds together never exceed what was captured."""
    payment = decision.payment
    chosen = payment.attempt(command.attempt) if command.attempt else None
    if command.attempt and chosen is None:
        decision.refuse(PaymentRefusal.UNKNOWN_ATTEMPT)
        return
    left = payment.captured - payment.refunding if chosen is None else chosen.captured - chosen.refunding
    amount = left if command.amount is None else command.amount
    if amount <= 0 or amount > left:
        decision.refuse(PaymentRefusal.REFUND_EXCEEDS_CAPTURED, left)
        return
    if chosen is not None:
        decision.take(chosen, Operation.REFUND, amount, cause=command.reason)
    if chosen is None or not chosen.adopted:
        decision.amounts(goodwill=payment.goodwill + amount, reason=command.reason)


def record_paid(decision: PaymentDecision, command: RecordPaidInStore) -> None:
    """Record that the customer paid at a till. What is authorised otherwise cannot be paid a second time there."""
    payment = decision.payment
    due = max(0, payment.at_counter - payment.paid_at_counter) + uncovered(payment, decision.now_ms)
    if command.amount > due or payment.pending is not None:
        decision.refuse(PaymentRefusal.NOTHING_TO_PAY, due)
        return
    paid = payment.paid_at_counter + command.amount
    decision.amounts(
        paid_at_counter=paid, at_counter=max(payment.at_counter, paid), reason=f"paid in the store {command.receipt}"
    )


def settle_unknown(decision: PaymentDecision, command: SettleUnknown) -> None:
    """Close an attempt of which the gateway has nothing, by the evidence of its own list."""
    attempt = decision.payment.attempt(command.attempt)
    if attempt is None:
        decision.refuse(PaymentRefusal.UNKNOWN_ATTEMPT)
    elif attempt.state is not AttemptState.UNKNOWN:
        decision.refuse(PaymentRefusal.NOT_UNKNOWN)
    else:
        cause = f"closed by reconciliation: it never reached the gateway. {command.reason}".strip()
        decision.change(attempt, AttemptState.DECLINED, cause=cause)


def adopt(decision: PaymentDecision, command: AdoptCharge) -> None:
    """Take a charge into the books that only the gateway knows. One that is known already changes nothing."""
    payment = decision.payment
    if command.currency != payment.currency:
        decision.refuse(PaymentRefusal.CURRENCY_DIFFERS)
        return
    if any(it.reference == command.reference for it in payment.attempts):
        return
    number = len(payment.attempts) + 1
    adopted = e.ChargeAdopted(
        at_ms=decision.now_ms,
        attempt=number,
        key=call_key(payment.order, number, Operation.CAPTURE),
        reference=command.reference,
        gateway=command.gateway,
        captured=command.captured,
        refunded=command.refunded,
        actor=decision.actor,
        reason=command.reason,
    )
    decision.emit(adopted)


def _question(attempt: Attempt) -> Operation:
    return Operation.FIND if attempt.reference else Operation.CLOSE


def _retry_step(decision: PaymentDecision, attempt: Attempt, step: Step, reason: str) -> None:
    if step.state in ASKED_AGAIN:
        decision.send(attempt.number, step.key)
    elif step.state in STUCK and not step.retried:
        retried = e.StepChanged(
            at_ms=decision.now_ms,
            attempt=attempt.number,
            key=step.key,
            state=step.state,
            retried=True,
            cause=f"taken up again: {reason}" if reason else "taken up again",
        )
        decision.emit(retried)
