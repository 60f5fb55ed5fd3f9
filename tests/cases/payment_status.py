"""The state of a payment and of an attempt in the words of the worked cases, derived from sums and steps."""

from enum import StrEnum

from bopis.domain.payments.gateway import Operation
from bopis.domain.payments.state import (
    Attempt,
    AttemptState,
    CoverState,
    Payment,
    PaymentEnding,
    StepState,
    is_pending,
)

RELEASED = frozenset({AttemptState.CLOSED, AttemptState.VOIDED, AttemptState.ENDED, AttemptState.LOST})


class PaymentStatus(StrEnum):
    """State of an order's payment."""

    NONE = "none"
    AUTHORISING = "authorising"
    ACTION_REQUIRED = "action_required"
    IN_REVIEW = "in_review"
    UNKNOWN = "unknown"
    DECLINED = "declined"
    AUTHORISED = "authorised"
    EXHAUSTED = "exhausted"
    CAPTURED = "captured"
    REFUNDED_PARTLY = "refunded_partly"
    REFUNDED = "refunded"
    VOIDED = "voided"


class AttemptStatus(StrEnum):
    """State of one attempt."""

    AUTHORISING = "authorising"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action_required"
    IN_REVIEW = "in_review"
    AUTHORISED = "authorised"
    CAPTURE_PENDING = "capture_pending"
    CAPTURED = "captured"
    REFUNDED = "refunded"
    DECLINED = "declined"
    VOID_PENDING = "void_pending"
    VOIDED = "voided"
    NOT_CALLED = "not_called"


def attempt_status(attempt: Attempt) -> AttemptStatus:
    """The state of an attempt in one word."""
    if attempt.captured:
        return AttemptStatus.REFUNDED if attempt.refunded >= attempt.captured else AttemptStatus.CAPTURED
    match attempt.state:
        case AttemptState.REQUESTED | AttemptState.WAITING:
            return AttemptStatus.AUTHORISING
        case AttemptState.APPROVED:
            return _approved(attempt)
        case AttemptState.UNKNOWN | AttemptState.ACTION_REQUIRED | AttemptState.DECLINED | AttemptState.NOT_CALLED:
            return AttemptStatus(attempt.state.value)
        case _:
            return AttemptStatus.VOIDED


def payment_status(payment: Payment) -> PaymentStatus:
    """The state of a payment in one word."""
    captured, refunded = payment.captured, payment.refunded
    if captured and refunded:
        return PaymentStatus.REFUNDED if refunded >= captured else PaymentStatus.REFUNDED_PARTLY
    if any(it.review and it.rest for it in payment.attempts):
        return PaymentStatus.IN_REVIEW
    if captured and not payment.open and captured >= payment.kept:
        return PaymentStatus.CAPTURED
    if payment.ending is PaymentEnding.EXHAUSTED:
        return PaymentStatus.EXHAUSTED
    pending = _pending(payment)
    if pending is not None:
        return pending
    if payment.ending is not None:
        return _ended(payment)
    if payment.cover.state is CoverState.AUTHORISED:
        return PaymentStatus.AUTHORISED
    declined = any(it.state is AttemptState.DECLINED for it in payment.attempts)
    if payment.cover.state is CoverState.AUTHORISING and declined:
        return PaymentStatus.DECLINED
    return PaymentStatus.NONE


def _approved(attempt: Attempt) -> AttemptStatus:
    voids = attempt.of(Operation.VOID)
    if any(step.state is StepState.DONE for step in voids):
        return AttemptStatus.VOIDED
    if any(step.in_flight for step in voids):
        return AttemptStatus.VOID_PENDING
    if attempt.review:
        return AttemptStatus.IN_REVIEW
    return AttemptStatus.CAPTURE_PENDING if attempt.capturing else AttemptStatus.AUTHORISED


def _pending(payment: Payment) -> PaymentStatus | None:
    pending = next((it for it in payment.attempts if is_pending(it)), None)
    # A renewal or a difference on its way does not change that the rest is authorised.
    if pending is None or payment.cover.state is CoverState.AUTHORISED:
        return None
    if pending.state is AttemptState.ACTION_REQUIRED:
        return PaymentStatus.ACTION_REQUIRED
    return PaymentStatus.UNKNOWN if pending.state is AttemptState.UNKNOWN else PaymentStatus.AUTHORISING


def _ended(payment: Payment) -> PaymentStatus:
    if payment.captured:
        return PaymentStatus.CAPTURED
    is_released = any(it.authorised or it.state in RELEASED for it in payment.attempts)
    return PaymentStatus.VOIDED if is_released else PaymentStatus.NONE
