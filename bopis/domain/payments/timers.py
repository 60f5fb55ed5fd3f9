"""Deadlines of a payment, and the rule that fires what is due. They are compared with the log's clock."""

from collections.abc import Iterator

from bopis.domain.payments import events as e
from bopis.domain.payments.answers import CANNOT_CLOSE
from bopis.domain.payments.decision import PaymentDecision
from bopis.domain.payments.gateway import Operation
from bopis.domain.payments.limits import HOLD_MARGIN_MS, KEY_LIFE_MS
from bopis.domain.payments.methods import may_retry
from bopis.domain.payments.settle import hold_wanted_ms, renewal_ms, wait_until_ms, waits_for_goods
from bopis.domain.payments.state import UNANSWERED, Attempt, AttemptState, Payment, Step, StepState


def next_due_ms(payment: Payment, now_ms: int) -> int:
    """The payment's next deadline in epoch milliseconds; 0 if it has none."""
    return min(_deadlines(payment, now_ms), default=0)


def fire(decision: PaymentDecision) -> None:
    """Decide everything that is due."""
    payment = decision.payment
    for attempt in payment.attempts:
        _fire_attempt(decision, attempt)
        for step in attempt.steps:
            if step.in_flight and 0 < step.next_ms <= decision.now_ms:
                _fire_step(decision, attempt, step)
    payment = decision.payment
    is_open = not payment.covered_once and payment.ending is None and not payment.gave_up
    if is_open and not payment.method_until_ms and wait_until_ms(payment) <= decision.now_ms:
        decision.emit(e.WaitEnded(at_ms=decision.now_ms))


def _deadlines(payment: Payment, now_ms: int) -> Iterator[int]:
    for attempt in payment.attempts:
        if attempt.state in UNANSWERED and attempt.asking is None and attempt.next_ms:
            yield attempt.next_ms
        for step in attempt.steps:
            if step.in_flight and step.next_ms:
                yield step.next_ms
        if attempt.rest and attempt.ends_ms:
            yield attempt.ends_ms
        renewal = renewal_ms(payment, attempt)
        if renewal > now_ms:
            yield renewal
    last = payment.attempts[-1] if payment.attempts else None
    if last is not None and may_retry(payment, last) and last.next_ms and payment.needed and payment.ending is None:
        yield last.next_ms
    if waits_for_goods(payment, now_ms) and payment.needed:
        yield payment.ready_ms - payment.policy.ready_within_s * 1000
    if not payment.covered_once and payment.ending is None:
        if hold_wanted_ms(payment):
            yield payment.hold_until_ms - HOLD_MARGIN_MS
        if payment.method_until_ms:
            yield payment.method_until_ms
        elif not payment.gave_up:
            yield wait_until_ms(payment)


def _fire_attempt(decision: PaymentDecision, attempt: Attempt) -> None:
    now_ms = decision.now_ms
    if attempt.rest and 0 < attempt.ends_ms <= now_ms:
        decision.change(attempt, AttemptState.ENDED, cause="the authorisation ended")
        return
    if attempt.state not in UNANSWERED or attempt.asking is not None or not 0 < attempt.next_ms <= now_ms:
        return
    match attempt.state:
        case AttemptState.WAITING:
            pass  # it is sent again, or left, after everything else was decided
        case AttemptState.UNKNOWN:
            decision.ask(attempt, _question(decision.payment, attempt, now_ms))
        case _:
            # Of a challenge that the gateway cannot close, the end is asked for.
            decision.ask(attempt, Operation.FIND if attempt.code == CANNOT_CLOSE else Operation.CLOSE)


def _question(payment: Payment, attempt: Attempt, now_ms: int) -> Operation:
    """How to learn about an authorisation: by its reference, else by its own call repeated with its key while the
    gateway keeps it; after the patience it is closed."""
    is_key_alive = now_ms - attempt.since_ms < KEY_LIFE_MS
    can_find = bool(attempt.reference) or not is_key_alive or attempt.code == CANNOT_CLOSE
    if attempt.given_up:
        return Operation.FIND if can_find else Operation.CLOSE
    if attempt.unknown_ms + payment.policy.unknown_patience_s * 1000 <= now_ms and is_key_alive:
        return Operation.CLOSE
    return Operation.FIND if can_find else Operation.AUTHORISE


def _fire_step(decision: PaymentDecision, attempt: Attempt, step: Step) -> None:
    if step.state is StepState.REPAIRING:
        decision.change_step(attempt, step, StepState.FAILED, "the provider did not repair it")
    elif decision.now_ms - step.since_ms < KEY_LIFE_MS or not step.perhaps_sent:
        decision.send(attempt.number, step.key)
    else:
        # Its key may be forgotten at the gateway: the sums of the authorisation tell whether it was done.
        decision.change_step(attempt, step, StepState.UNKNOWN, step.cause, decision.now_ms + 3_600_000)
        decision.ask(decision.attempt(attempt.number), Operation.FIND)
