"""Which method is asked next, and why."""

from typing import NamedTuple

from bopis.domain.payments.gateway import AttemptReason, DeclineClass, MethodKind, PaymentMethod
from bopis.domain.payments.limits import CAPTURES_LOST_MAX, CHALLENGES_MAX, TECHNICAL_TRIES_MAX
from bopis.domain.payments.state import Attempt, AttemptState, Payment

# Code of an attempt that was not sent because its gateway was away.
GATEWAY_AWAY = "gateway_away"


class NextMethod(NamedTuple):
    """A method (its number in the list), and why it is asked."""

    method: int
    reason: AttemptReason


def next_method(payment: Payment, amount: int) -> NextMethod | None:
    """The method to ask for an amount; None when none is left in this round.

    The order is the customer's; a later need asks the method that approved before first. The same method is asked again
    only when its issuer failed, or, with no other left, when the customer's confirmation failed.
    """
    retried = _technical_retry(payment)
    if retried is not None:
        return NextMethod(retried.method, AttemptReason.TRY_AGAIN)
    asked = {it.method for it in payment.attempts if it.round == payment.round}
    for number in _in_order(payment):
        if number not in asked and is_usable(payment, number, amount):
            return NextMethod(number, _reason(payment, bool(asked)))
    for attempt in reversed(payment.attempts):
        if attempt.round == payment.round and _may_confirm_again(payment, attempt):
            return NextMethod(attempt.method, AttemptReason.TRY_AGAIN)
    return None


def has_other(payment: Payment, attempt: Attempt, amount: int, *, elsewhere: bool = False) -> bool:
    """Whether a method is left besides the one of an attempt; `elsewhere`: behind another gateway."""
    asked = {it.method for it in payment.attempts if it.round == payment.round}
    gateway = payment.method(attempt).gateway
    return any(
        is_usable(payment, number, amount) and not (elsewhere and _is_behind(payment.methods[number - 1], gateway))
        for number in _in_order(payment)
        if number not in asked
    )


def is_patient(payment: Payment, attempt: Attempt) -> bool:
    """Whether the call of an authorisation waits for its gateway however long that is away: it was never sent, and no
    method behind another gateway can be asked in its place."""
    return not attempt.perhaps_sent and not has_other(payment, attempt, attempt.asked, elsewhere=True)


def is_usable(payment: Payment, number: int, amount: int) -> bool:
    """Whether a method may be asked at all: its card was not refused for ever, its captures were not refused again and
    again, and a promise to pay in the store is possible for the whole amount."""
    method = payment.methods[number - 1]
    if method.kind is MethodKind.PAY_IN_STORE:
        return not payment.uncaptured and (method.limit_cents is None or amount <= method.limit_cents)
    if method.limit_cents == 0 or not method.token:
        return False
    own = [it for it in payment.own if it.method == number or (method.card and payment.method(it).card == method.card)]
    is_refused = any(it.decline is DeclineClass.NEVER for it in own)
    return not is_refused and sum(it.state is AttemptState.LOST for it in own) < CAPTURES_LOST_MAX


def _in_order(payment: Payment) -> list[int]:
    numbers = list(range(1, len(payment.methods) + 1))
    approved = [it.method for it in payment.own if it.authorised and it.method]
    first = approved[-1] if payment.round and approved else 0
    away = {
        payment.method(it).gateway
        for it in payment.attempts
        if it.round == payment.round and it.code == GATEWAY_AWAY and it.state is AttemptState.NOT_CALLED
    }
    return sorted(numbers, key=lambda it: (payment.methods[it - 1].gateway in away, it != first, it))


def _is_behind(method: PaymentMethod, gateway: str) -> bool:
    return method.kind is not MethodKind.PAY_IN_STORE and method.gateway == gateway


def _technical_retry(payment: Payment) -> Attempt | None:
    """The newest attempt, if its issuer failed and it is to be asked once more (`next_ms`)."""
    last = payment.attempts[-1] if payment.attempts else None
    return last if last is not None and may_retry(payment, last) else None


def may_retry(payment: Payment, attempt: Attempt) -> bool:
    """Whether an attempt whose issuer failed is followed by one more of the same method."""
    if attempt.state is not AttemptState.DECLINED or attempt.decline is not DeclineClass.TECHNICAL:
        return False
    tries = [it for it in payment.attempts if it.round == attempt.round and it.method == attempt.method]
    return attempt.round == payment.round and len(tries) < TECHNICAL_TRIES_MAX


def _may_confirm_again(payment: Payment, attempt: Attempt) -> bool:
    if attempt.state is not AttemptState.DECLINED or attempt.decline is not DeclineClass.AUTHENTICATE:
        return False
    tries = [it for it in payment.attempts if it.round == attempt.round and it.method == attempt.method]
    return tries[-1].number == attempt.number and len(tries) < CHALLENGES_MAX


def _reason(payment: Payment, is_asked_before: bool) -> AttemptReason:
    if not payment.attempts:
        return AttemptReason.FIRST
    if is_asked_before:
        is_partly_covered = any(it.rest for it in payment.attempts)
        return AttemptReason.REST if is_partly_covered and not payment.covered_once else AttemptReason.FALLBACK
    if payment.uncaptured:
        return AttemptReason.CAPTURE_AGAIN
    return AttemptReason.DIFFERENCE if any(it.rest for it in payment.attempts) else AttemptReason.REAUTHORISATION
