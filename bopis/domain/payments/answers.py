"""Gateways' answers to calls: which state follows for an attempt or for one of its steps.

A final answer is taken whichever request it answers, because all requests of a key are one call to the gateway. That
nothing was sent is taken for the newest request only. So is that an answer is unknown, unless nothing was known to be
sent before.

Once a gateway was asked to close an authorisation, word of its approval may be older than the close that released it:
goods that left for it would be unpaid. So only what the gateway answers afterwards counts.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bopis.domain.payments.decision import PaymentDecision, back_off_ms
from bopis.domain.payments.events import AttemptChanged, StepChanged
from bopis.domain.payments.gateway import (
    AWAY_CODES,
    CallOutcome,
    DeclineClass,
    GatewayAnswer,
    GatewayReport,
    Operation,
)
from bopis.domain.payments.limits import ACCEPTED_MS_MAX, ARRIVES_MS_MAX, WATCH_OFTEN_MS, WATCH_SELDOM_MS
from bopis.domain.payments.messages import CallAnswered
from bopis.domain.payments.policy import PartialPolicy
from bopis.domain.payments.state import FRUITLESS, UNANSWERED, Attempt, AttemptState, Step, StepState

# Answers after which nothing of an attempt is open at the gateway.
NOTHING_THERE = frozenset({CallOutcome.VOIDED, CallOutcome.GONE})
# Answers that say that a step is done, or was done before.
STEP_DONE = frozenset({CallOutcome.APPROVED, CallOutcome.VOIDED})
TAKEN_AS_DONE: Mapping[Operation, frozenset[CallOutcome]] = MappingProxyType(
    {Operation.VOID: STEP_DONE | {CallOutcome.GONE}}
)
# States of an authorisation whose sums at the gateway tell what became of its steps.
COMPARED = frozenset({AttemptState.APPROVED, AttemptState.VOIDED, AttemptState.ENDED, AttemptState.LOST})
ANSWERED_LATER = frozenset({CallOutcome.UNKNOWN, CallOutcome.NOT_SENT, CallOutcome.ACCEPTED})
# Code of an attempt whose gateway cannot close it.
CANNOT_CLOSE = "cannot_close"
KEY_REUSED = "the gateway knows this key with other parameters"


def take_answer(decision: PaymentDecision, answered: CallAnswered) -> None:
    """Take an answer to a call. One that is known already, or about nothing of this payment, changes nothing."""
    attempt = decision.payment.attempt(answered.attempt)
    if attempt is None:
        return
    step = attempt.step(answered.key)
    if step is not None:
        _take_step(decision, attempt, step, answered)
    elif answered.operation in (Operation.AUTHORISE, Operation.FIND, Operation.CLOSE):
        _take_authorisation(decision, attempt, answered)


def is_closed(attempt: Attempt) -> bool:
    """Whether the gateway said that nothing came of an authorisation, or refused it after it was asked to close it."""
    return attempt.state is AttemptState.CLOSED or (attempt.state in FRUITLESS and attempt.closes > 0)


def is_perhaps_closed(attempt: Attempt) -> bool:
    """Whether the gateway was asked to close an authorisation, and it is not known what came of that."""
    may_close = attempt.asking is Operation.CLOSE or attempt.code != CANNOT_CLOSE
    return attempt.state in UNANSWERED and attempt.closes > 0 and may_close


def look(decision: PaymentDecision, attempt: Attempt, reference: str) -> None:
    """Ask how an authorisation is that was perhaps closed, unless it is being asked already."""
    if attempt.asking is not None:
        return
    named = AttemptChanged(
        at_ms=decision.now_ms,
        attempt=attempt.number,
        state=attempt.state,
        reference=reference,
        given_up=attempt.given_up,
        cause=attempt.cause,
    )
    decision.emit(named)
    decision.ask(decision.attempt(attempt.number), Operation.FIND)


def approve(decision: PaymentDecision, attempt: Attempt, facts: GatewayAnswer | GatewayReport, review: bool) -> None:
    """Take an authorisation as approved; one for another amount or currency, or one that was closed, is to be released,
    not used."""
    amount = attempt.asked if facts.amount is None else facts.amount
    currency = facts.currency or decision.payment.currency
    mismatch = currency != decision.payment.currency or amount > attempt.asked
    is_late = is_closed(attempt)
    cause = f"the gateway answered {amount} {currency} to {attempt.asked}" if mismatch else facts.cause
    cause = "approved although it was closed: given back" if is_late else cause
    given_back = amount < attempt.asked and decision.payment.policy.partial is PartialPolicy.GIVE_BACK
    approved = AttemptChanged(
        at_ms=decision.now_ms,
        attempt=attempt.number,
        state=AttemptState.APPROVED,
        authorised=amount,
        currency=currency if mismatch else "",
        reference=facts.reference,
        transaction=facts.transaction,
        ends_ms=facts.ends_ms,
        capture_max=facts.capture_max or 0,
        multicapture=facts.multicapture,
        adjustable=facts.adjustable,
        review=review,
        mismatched=mismatch or given_back or is_late,
        cause=cause or ("less than asked: given back" if given_back else ""),
    )
    decision.emit(approved)


def decline(decision: PaymentDecision, attempt: Attempt, facts: GatewayAnswer | GatewayReport) -> None:
    """Take an authorisation as declined."""
    wait_ms = facts.wait_ms if isinstance(facts, GatewayAnswer) else 0
    # Where the issuer failed, the same method is asked once more (`bopis.domain.payments.methods`).
    retry_ms = decision.now_ms + max(decision.payment.policy.technical_wait_s * 1000, wait_ms)
    declined = AttemptChanged(
        at_ms=decision.now_ms,
        attempt=attempt.number,
        state=AttemptState.DECLINED,
        next_ms=retry_ms if facts.decline is DeclineClass.TECHNICAL else 0,
        authorised=0,
        reference=facts.reference,
        review=False,
        decline=facts.decline,
        code=facts.code,
        wait_ms=wait_ms,
        cause=facts.cause,
    )
    decision.emit(declined)


def require_action(decision: PaymentDecision, attempt: Attempt, facts: GatewayAnswer | GatewayReport) -> None:
    """Take that the bank wants the customer to confirm."""
    required = AttemptChanged(
        at_ms=decision.now_ms,
        attempt=attempt.number,
        state=AttemptState.ACTION_REQUIRED,
        reference=facts.reference,
        perhaps_sent=True,
        link=facts.link,
        link_until_ms=facts.link_until_ms,
        cause=facts.cause,
    )
    decision.emit(required)


def _take_authorisation(decision: PaymentDecision, attempt: Attempt, answered: CallAnswered) -> None:
    answer = answered.answer
    if answered.operation is Operation.FIND and attempt.state in COMPARED:
        _compare(decision, attempt, answer)
        return
    is_approved = answer.outcome in (CallOutcome.APPROVED, CallOutcome.IN_REVIEW)
    is_contradicted = is_approved or (attempt.state is AttemptState.NOT_CALLED and _tells_it_left(answered))
    if attempt.state not in UNANSWERED and not (attempt.state in FRUITLESS and is_contradicted):
        return
    if answer.outcome in ANSWERED_LATER or answer.outcome is CallOutcome.KEY_REUSED:
        if _is_awaited(attempt, answered):
            _wait(decision, attempt, answered)
        return
    if is_approved and is_perhaps_closed(attempt) and not _is_asked_since(attempt, answered):
        look(decision, attempt, answer.reference)
        return
    match answer.outcome:
        case CallOutcome.APPROVED:
            approve(decision, attempt, answer, review=attempt.review)
        case CallOutcome.IN_REVIEW:
            approve(decision, attempt, answer, review=True)
        case CallOutcome.FAILED if answered.operation is not Operation.AUTHORISE:
            _wait(decision, attempt, answered)  # it could not be closed: its sums tell why
        case CallOutcome.DECLINED | CallOutcome.FAILED:
            decline(decision, attempt, answer)
        case CallOutcome.ACTION_REQUIRED:
            # To a close: the gateway could not close it, so it stays open and is asked again.
            is_still_open = answered.operation is Operation.FIND and attempt.state is AttemptState.ACTION_REQUIRED
            if answered.operation is Operation.CLOSE or (is_still_open and answered.request == attempt.requests):
                _wait(decision, attempt, answered)
            elif attempt.state is not AttemptState.ACTION_REQUIRED:
                require_action(decision, attempt, answer)
        case CallOutcome.VOIDED | CallOutcome.GONE:
            _take_nothing_there(decision, attempt, answered)
        case _:
            _take_unsupported(decision, attempt, answered)


def _is_awaited(attempt: Attempt, answered: CallAnswered) -> bool:
    """Whether an answer that leaves open what happened is taken: to the newest request, or one by which a call that
    nobody knew to be sent may have arrived."""
    if answered.request == attempt.requests and attempt.asking is not None:
        return True
    return _tells_it_left(answered) and not attempt.perhaps_sent and attempt.asking in (None, Operation.AUTHORISE)


def _tells_it_left(answered: CallAnswered) -> bool:
    """Whether an answer tells that an authorisation was sent, and not what came of it. It may follow "not sent": when a
    runner is killed, the next one may send a call again whose answer was published; and a call that was withdrawn may
    have left before."""
    left = (CallOutcome.UNKNOWN, CallOutcome.ACCEPTED)
    return answered.operation is Operation.AUTHORISE and answered.answer.outcome in left


def _is_asked_since(attempt: Attempt, answered: CallAnswered) -> bool:
    """Whether an answer is to the close, or to a question that was asked after it."""
    return answered.operation is not Operation.AUTHORISE and answered.request == attempt.requests


def _take_nothing_there(decision: PaymentDecision, attempt: Attempt, answered: CallAnswered) -> None:
    """The gateway has nothing of it. After a close it stays so; else a call may still be on its way, for a while."""
    answer = answered.answer
    is_long_ago = attempt.given_up and decision.now_ms - attempt.unknown_ms > ARRIVES_MS_MAX
    is_final = answered.operation is Operation.CLOSE or is_long_ago
    if is_final or answer.outcome is CallOutcome.VOIDED:
        decision.change(attempt, AttemptState.CLOSED, cause=answer.cause or "closed at the gateway")
    elif answered.request == attempt.requests:
        _wait(decision, attempt, answered)


def _take_unsupported(decision: PaymentDecision, attempt: Attempt, answered: CallAnswered) -> None:
    answer = answered.answer
    if answered.operation is Operation.AUTHORISE and not attempt.perhaps_sent:
        changed = AttemptChanged(
            at_ms=decision.now_ms,
            attempt=attempt.number,
            state=AttemptState.NOT_CALLED,
            code=answer.code,
            cause=answer.cause or answer.code,
        )
        decision.emit(changed)
    elif answered.request == attempt.requests:
        _wait(decision, attempt, answered)


def _wait(decision: PaymentDecision, attempt: Attempt, answered: CallAnswered) -> None:
    """Wait before the gateway is asked again: nothing was sent, or nobody knows."""
    answer = answered.answer
    nothing_sent = answer.outcome is CallOutcome.NOT_SENT and answered.operation is Operation.AUTHORISE
    state = AttemptState.WAITING if nothing_sent and not attempt.perhaps_sent else AttemptState.UNKNOWN
    if attempt.state is AttemptState.ACTION_REQUIRED:
        state = attempt.state  # a question about it was not answered; the challenge is still open
    is_closing = answered.operation is Operation.CLOSE
    is_given_up = attempt.given_up or is_closing or attempt.state is AttemptState.NOT_CALLED
    waited_ms = decision.now_ms - attempt.since_ms
    next_ms = decision.now_ms + back_off_ms(attempt.requests, answer.wait_ms)
    if state is AttemptState.WAITING and answer.code in AWAY_CODES:
        next_ms = decision.now_ms  # the runner waits for the gateway, and keeps the order of the calls
    if is_given_up:
        next_ms = decision.now_ms + (60_000 if waited_ms < WATCH_OFTEN_MS else WATCH_SELDOM_MS)
    changed = AttemptChanged(
        at_ms=decision.now_ms,
        attempt=attempt.number,
        state=state,
        reference=answer.reference,
        perhaps_sent=state is not AttemptState.WAITING,
        # A close that was not answered is the last that can be done: the next method is asked, and this one watched. So
        # it is where that had happened already, because this one was thought not to be sent.
        given_up=is_given_up,
        next_ms=next_ms,
        code=CANNOT_CLOSE if is_closing and answer.outcome is CallOutcome.UNSUPPORTED else answer.code,
        cause=KEY_REUSED if answer.outcome is CallOutcome.KEY_REUSED else answer.cause,
    )
    decision.emit(changed)


def _compare(decision: PaymentDecision, attempt: Attempt, answer: GatewayAnswer) -> None:
    """Decide by the gateway's own sums whether steps were done whose answer never came."""
    is_released = answer.outcome in NOTHING_THERE
    if not is_released and answer.outcome is not CallOutcome.APPROVED:
        return
    for step in attempt.steps:
        if step.state is not StepState.UNKNOWN:
            continue
        is_done = _is_done(decision.attempt(attempt.number), step, answer)
        if is_done:
            decision.change_step(attempt, step, StepState.DONE, "the gateway has it in its sums")
        elif is_done is not None:
            failed = StepChanged(
                at_ms=decision.now_ms,
                attempt=attempt.number,
                key=step.key,
                state=StepState.FAILED,
                retried=True,
                cause="the gateway does not have it",
            )
            decision.emit(failed)
    attempt = decision.attempt(attempt.number)
    if is_released and attempt.state is AttemptState.APPROVED and not attempt.capturing:
        decision.change(attempt, AttemptState.VOIDED, cause="the gateway has released it")


def _is_done(attempt: Attempt, step: Step, answer: GatewayAnswer) -> bool | None:
    """Whether the sums of an answer have a step; None: they do not tell."""
    is_released = answer.outcome in NOTHING_THERE
    match step.operation:
        case Operation.VOID:
            return is_released
        case Operation.CAPTURE:
            total = 0 if is_released else answer.captured
        case Operation.REFUND:
            total = None if is_released else answer.refunded
        case _:
            return not is_released and answer.amount is not None and answer.amount >= step.amount
    known = sum(it.amount for it in attempt.of(step.operation) if it.state is StepState.DONE)
    return None if total is None else total >= known + step.amount


def _take_step(decision: PaymentDecision, attempt: Attempt, step: Step, answered: CallAnswered) -> None:
    answer = answered.answer
    outcome = answer.outcome
    if step.state in (StepState.DONE, StepState.BOUNCED) or (step.state is StepState.FAILED and step.retried):
        return
    if outcome in TAKEN_AS_DONE.get(step.operation, STEP_DONE):
        decision.change_step(attempt, step, StepState.DONE, answer.cause)
        return
    # What the gateway reports by itself is newer than a reply that says "received".
    if step.state in (StepState.FAILED, StepState.REPAIRING) or answered.request != step.requests:
        return
    again_ms = decision.now_ms + back_off_ms(step.requests, answer.wait_ms)
    match outcome:
        case CallOutcome.ACCEPTED:
            accepted_ms = decision.now_ms + ACCEPTED_MS_MAX
            decision.change_step(attempt, step, StepState.ACCEPTED, answer.cause, accepted_ms)
        case CallOutcome.UNKNOWN:
            decision.change_step(attempt, step, StepState.UNKNOWN, answer.cause, again_ms)
        case CallOutcome.NOT_SENT:
            state = StepState.UNKNOWN if step.perhaps_sent else StepState.WAITING
            decision.change_step(attempt, step, state, answer.cause, again_ms)
        case _:
            cause = KEY_REUSED if outcome is CallOutcome.KEY_REUSED else answer.cause or answer.code or outcome.value
            decision.change_step(attempt, step, StepState.FAILED, cause)
            if step.operation is Operation.VOID:
                decision.ask(decision.attempt(attempt.number), Operation.FIND)
