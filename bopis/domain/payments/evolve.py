"""The payment after an event. A fold never refuses and never reads a clock: every event has already happened.

`FOLDS` names the fold of every event type. An event without an entry raises `KeyError`, so that none is lost silently.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from bopis.domain.payments import events as e
from bopis.domain.payments.gateway import AttemptReason, Operation, PaymentMethod
from bopis.domain.payments.state import UNANSWERED, Attempt, AttemptState, Payment, Step, StepState

# Facts of an authorisation that an event names only when they are known.
FACTS = ("currency", "reference", "transaction", "ends_ms", "capture_max", "code", "link", "link_until_ms")
OPTIONAL = ("authorised", "multicapture", "adjustable", "review", "decline")


def opened(order: str, event: e.PaymentOpened) -> Payment:
    """The payment that begins with this event."""
    return Payment(
        order=order,
        currency=event.currency,
        methods=event.methods,
        opened_ms=event.at_ms,
        hold_until_ms=event.hold_until_ms,
        first_hold_ms=event.hold_until_ms,
        policy=event.policy,
        consent=event.consent,
        open=event.amount,
        until_ms=event.at_ms + event.policy.hold_cap_s * 1000,
    )


def evolve(payment: Payment, event: e.Event) -> Payment:
    """The payment after an event."""
    return FOLDS[type(event)](payment, event)


def with_attempt(payment: Payment, attempt: Attempt) -> Payment:
    """The payment with one attempt replaced."""
    attempts = list(payment.attempts)
    attempts[attempt.number - 1] = attempt
    return replace(payment, attempts=tuple(attempts))


def _unchanged(payment: Payment, _event: e.Event) -> Payment:
    return payment


def _amounts(payment: Payment, event: e.AmountsChanged) -> Payment:
    return replace(
        payment,
        open=event.open,
        handed=event.handed,
        returned=event.returned,
        goodwill=event.goodwill,
        at_counter=event.at_counter,
        paid_at_counter=event.paid_at_counter,
    )


def _pickup(payment: Payment, event: e.PickupExpected) -> Payment:
    return replace(payment, pickup_ms=event.until_ms, ready_ms=event.ready_ms)


def _began(payment: Payment, event: e.AttemptBegan) -> Payment:
    attempt = Attempt(
        number=event.attempt,
        method=event.method,
        reason=event.reason,
        asked=event.asked,
        key=event.key,
        since_ms=event.at_ms,
        round=event.round,
        initiated_by=event.initiated_by,
        replaces=event.replaces,
    )
    return replace(payment, attempts=(*payment.attempts, attempt))


def _called(payment: Payment, event: e.CallRequested) -> Payment:
    call = event.call
    attempt = payment.attempts[call.attempt - 1]
    step = attempt.step(call.key)
    if step is not None:
        again = replace(step, call=call, state=StepState.REQUESTED, requests=event.request, next_ms=0)
        return with_attempt(payment, _with_step(attempt, again))
    is_authorise = call.operation is Operation.AUTHORISE
    changed = replace(
        attempt,
        call=call if is_authorise else attempt.call,
        asking=call.operation,
        requests=event.request,
        closes=attempt.closes + (call.operation is Operation.CLOSE),
        patient=event.patient,
        next_ms=0,
        state=AttemptState.REQUESTED if is_authorise and not attempt.perhaps_sent else attempt.state,
    )
    return with_attempt(payment, changed)


def _attempt_changed(payment: Payment, event: e.AttemptChanged) -> Payment:
    attempt = payment.attempts[event.attempt - 1]
    facts: dict[str, Any] = {name: getattr(event, name) for name in FACTS if getattr(event, name)}
    facts |= {name: getattr(event, name) for name in OPTIONAL if getattr(event, name) is not None}
    is_approved = event.state is AttemptState.APPROVED
    is_unknown = event.state is AttemptState.UNKNOWN
    is_waiting = event.state is AttemptState.WAITING
    # A review that opens or ends leaves an open call open.
    is_review_alone = event.review is not None and event.state is attempt.state
    changed = replace(
        attempt,
        **facts,
        state=event.state,
        asking=attempt.asking if is_review_alone else None,
        next_ms=event.next_ms,
        wait_ms=event.wait_ms,
        cause=event.cause,
        mismatched=attempt.mismatched or event.mismatched,
        perhaps_sent=attempt.perhaps_sent or event.perhaps_sent,
        given_up=event.given_up and event.state in UNANSWERED,
        approved_ms=attempt.approved_ms or event.at_ms if is_approved else attempt.approved_ms,
        unknown_ms=(attempt.unknown_ms or event.at_ms) if is_unknown else 0,
        waiting_ms=(attempt.waiting_ms or event.at_ms) if is_waiting else 0,
    )
    return with_attempt(payment, changed)


def _step_began(payment: Payment, event: e.StepBegan) -> Payment:
    step = Step(
        key=event.key,
        operation=event.operation,
        amount=event.amount,
        state=StepState.REQUESTED,
        since_ms=event.at_ms,
        final=event.final,
        cause=event.cause,
    )
    attempt = payment.attempts[event.attempt - 1]
    return with_attempt(payment, replace(attempt, steps=(*attempt.steps, step)))


def _step_changed(payment: Payment, event: e.StepChanged) -> Payment:
    attempt = payment.attempts[event.attempt - 1]
    step = attempt.step(event.key)
    if step is None:
        return payment
    changed = replace(
        step,
        state=event.state,
        next_ms=event.next_ms,
        perhaps_sent=step.perhaps_sent or event.perhaps_sent,
        retried=step.retried or event.retried,
        cause=event.cause or step.cause,
    )
    attempt = _with_step(attempt, changed)
    if step.operation is Operation.ADJUST and event.state is StepState.DONE:
        attempt = replace(attempt, authorised=step.amount, capture_max=max(attempt.capture_max, step.amount))
    is_refused_capture = step.operation is Operation.CAPTURE and event.state is StepState.FAILED and not event.retried
    if is_refused_capture and not attempt.capturing:
        attempt = replace(attempt, state=AttemptState.LOST)
    return with_attempt(payment, attempt)


def _adopted(payment: Payment, event: e.ChargeAdopted) -> Payment:
    steps = [Step(key=event.key, operation=Operation.CAPTURE, amount=event.captured, state=StepState.DONE, since_ms=0)]
    if event.refunded:
        key = f"{event.key}-refunded"
        refund = Step(key=key, operation=Operation.REFUND, amount=event.refunded, state=StepState.DONE, since_ms=0)
        steps.append(refund)
    adopted = Attempt(
        number=event.attempt,
        method=len(payment.methods) + 1,
        reason=AttemptReason.FIRST,
        asked=event.captured,
        key=event.key,
        since_ms=event.at_ms,
        state=AttemptState.APPROVED,
        authorised=event.captured,
        reference=event.reference,
        approved_ms=event.at_ms,
        adopted=True,
        steps=tuple(steps),
    )
    method = PaymentMethod(gateway=event.gateway, hint="adopted")
    return replace(payment, methods=(*payment.methods, method), attempts=(*payment.attempts, adopted))


def _refund_found(payment: Payment, event: e.RefundFound) -> Payment:
    attempt = payment.attempts[event.attempt - 1]
    step = Step(
        key=event.key, operation=Operation.REFUND, amount=event.amount, state=StepState.DONE, since_ms=event.at_ms
    )
    payment = with_attempt(payment, replace(attempt, steps=(*attempt.steps, step)))
    return replace(payment, goodwill=payment.goodwill + event.amount)


def _covered(payment: Payment, _event: e.NeedCovered) -> Payment:
    return replace(payment, round=payment.round + 1, covered_once=True, method_until_ms=0)


def _method_added(payment: Payment, event: e.MethodAdded) -> Payment:
    until_ms = max(payment.until_ms, event.at_ms + payment.policy.exhausted_hold_s * 1000)
    methods = (*payment.methods, event.method)
    return replace(payment, methods=methods, method_until_ms=0, asked_in_round=-1, until_ms=until_ms)


def _restarted(payment: Payment, _event: e.MethodsRestarted) -> Payment:
    return replace(payment, round=payment.round + 1, method_until_ms=0, asked_in_round=-1)


def _asked(payment: Payment, event: e.CustomerAsked) -> Payment:
    if event.link:
        attempt = replace(payment.attempts[event.attempt - 1], next_ms=event.until_ms)
        return with_attempt(payment, attempt)
    return replace(payment, method_until_ms=event.until_ms, asked_in_round=payment.round)


def _hold(payment: Payment, event: e.HoldNeeded) -> Payment:
    return replace(payment, hold_until_ms=event.until_ms)


def _wait_ended(payment: Payment, _event: e.WaitEnded) -> Payment:
    return replace(payment, gave_up=True)


def _cover(payment: Payment, event: e.CoverChanged) -> Payment:
    return replace(payment, cover=event.cover)


def _ended(payment: Payment, event: e.PaymentEnded) -> Payment:
    return replace(payment, ending=event.ending, open=0, method_until_ms=0)


def _with_step(attempt: Attempt, step: Step) -> Attempt:
    return replace(attempt, steps=tuple(step if it.key == step.key else it for it in attempt.steps))


Fold = Callable[[Payment, Any], Payment]
FOLDS: dict[type[e.Event], Fold] = {
    e.AmountsChanged: _amounts,
    e.PickupExpected: _pickup,
    e.AttemptBegan: _began,
    e.CallRequested: _called,
    e.AttemptChanged: _attempt_changed,
    e.StepBegan: _step_began,
    e.StepChanged: _step_changed,
    e.ChargeAdopted: _adopted,
    e.RefundFound: _refund_found,
    e.NeedCovered: _covered,
    e.MethodAdded: _method_added,
    e.MethodsRestarted: _restarted,
    e.CustomerAsked: _asked,
    e.HoldNeeded: _hold,
    e.WaitEnded: _wait_ended,
    e.CoverChanged: _cover,
    e.PaymentEnded: _ended,
    # The beginning of a payment (`opened`), and what leaves no trace in it.
    e.PaymentOpened: _unchanged,
    e.PaymentCommandRefused: _unchanged,
}
