"""What follows from the sums of a payment, whatever message changed them.

In this order: what left a store is captured, what is not needed is released, what is needed is authorised, what was
captured for goods that came back is refunded, and the order learns how much of it is paid for.
"""

from bopis.domain.payments import events as e
from bopis.domain.payments.decision import PaymentDecision
from bopis.domain.payments.gateway import AWAY_CODES, AttemptReason, MethodKind, Operation
from bopis.domain.payments.limits import ATTEMPTS_MAX, HOLD_MARGIN_MS
from bopis.domain.payments.messages import CaptureGoods
from bopis.domain.payments.methods import GATEWAY_AWAY, NextMethod, has_other, is_patient, may_retry, next_method
from bopis.domain.payments.money import shares
from bopis.domain.payments.policy import ChallengePolicy, RefundShare
from bopis.domain.payments.state import (
    UNANSWERED,
    Attempt,
    AttemptState,
    Cover,
    CoverState,
    Payment,
    PaymentEnding,
    StepState,
    is_pending,
    total_rest,
)

# A challenge that the customer was sent is over when its time is; `next_ms` of the attempt is that time.
CLOSABLE = frozenset({AttemptState.UNKNOWN, AttemptState.ACTION_REQUIRED})


def settle(decision: PaymentDecision) -> None:
    """Emit what follows from the payment as it is now."""
    _capture(decision)
    _release(decision)
    _close_unneeded(decision)
    _send_waiting(decision)
    _authorise(decision)
    _refund(decision)
    _keep_hold(decision)
    _publish_cover(decision)


def uncovered(payment: Payment, now_ms: int) -> int:
    """What still has to be asked of a method. An authorisation that ends too early counts as none."""
    usable = [it for it in payment.attempts if not is_renewal_due(payment, it, now_ms)]
    return max(0, payment.needed - sum(it.rest for it in usable))


def is_covered(payment: Payment) -> bool:
    """Whether all that is needed is authorised, and no review of it is open."""
    return payment.needed <= total_rest(payment.attempts)


def renewal_ms(payment: Payment, attempt: Attempt) -> int:
    """When an authorisation has to be renewed because it ends before the pickup; 0: never."""
    if not attempt.rest or not attempt.ends_ms or payment.pickup_ms <= attempt.ends_ms or not payment.open:
        return 0
    policy = payment.policy
    return max(attempt.ends_ms - policy.renew_before_s * 1000, payment.ready_ms - policy.ready_within_s * 1000)


def is_renewal_due(payment: Payment, attempt: Attempt, now_ms: int) -> bool:
    """Whether an authorisation is to be renewed now."""
    return 0 < renewal_ms(payment, attempt) <= now_ms


def waits_for_goods(payment: Payment, now_ms: int) -> bool:
    """Whether goods that nobody can collect yet let an authorisation wait: it would block the customer's limit."""
    ready_ms = payment.ready_ms - payment.policy.ready_within_s * 1000
    return payment.covered_once and not payment.uncaptured and ready_ms > now_ms


def _capture(decision: PaymentDecision) -> None:
    for attempt in decision.payment.live:
        payment = decision.payment
        amount = min(payment.uncaptured, attempt.rest)
        if amount and not attempt.review:
            is_final = not payment.open or not attempt.multicapture
            decision.take(attempt, Operation.CAPTURE, amount, final=is_final)


def _release(decision: PaymentDecision) -> None:
    """Void authorisations that are for other sums, and those without which enough is left: replaced ones first, then
    the ones that were approved last."""
    payment = decision.payment
    unneeded = [it for it in payment.attempts if it.mismatched and it.open_at_provider]
    surplus = sum(it.rest for it in payment.live) - payment.needed
    for attempt in reversed(payment.live):
        if attempt.rest <= surplus:
            surplus -= attempt.rest
            unneeded.append(attempt)
    for attempt in unneeded:
        voids = attempt.of(Operation.VOID)
        # A void that failed waits for a person, and a capture on its way decides what is left to be released.
        if any(it.in_flight or not it.retried for it in voids) or any(it.in_flight for it in attempt.steps):
            continue
        decision.take(attempt, Operation.VOID, attempt.rest or attempt.authorised)


def _close_unneeded(decision: PaymentDecision) -> None:
    """Close attempts without an answer when nothing more is needed, or the wait for an answer is over."""
    payment = decision.payment
    is_needed = uncovered(payment, decision.now_ms) > 0 and not payment.gave_up and payment.ending is None
    if is_needed or (payment.uncaptured and not payment.gave_up):
        return
    for attempt in payment.attempts:
        if attempt.patient and attempt.asking is Operation.AUTHORISE:
            decision.withdraw(attempt)  # it may wait for a gateway that is away
        if attempt.asking is not None or attempt.given_up:
            continue
        if attempt.state is AttemptState.WAITING:
            decision.change(attempt, AttemptState.NOT_CALLED, cause="not needed any more")
        elif attempt.state in CLOSABLE:
            decision.ask(attempt, Operation.CLOSE)


def _send_waiting(decision: PaymentDecision) -> None:
    """Send what could not be sent when its time has come; behind a gateway that stays away, try a method of another one
    instead. A call that waits patiently no longer does once there is such a method."""
    for attempt in decision.payment.attempts:
        is_sendable = attempt.state is AttemptState.WAITING and attempt.asking is None
        if is_sendable and 0 < attempt.next_ms <= decision.now_ms:
            if _is_left(decision, attempt):
                away = e.AttemptChanged(
                    at_ms=decision.now_ms,
                    attempt=attempt.number,
                    state=AttemptState.NOT_CALLED,
                    code=GATEWAY_AWAY,
                    cause="the gateway is away; another one is tried",
                )
                decision.emit(away)
            else:
                decision.ask(attempt, Operation.AUTHORISE)
        elif attempt.patient and attempt.asking is Operation.AUTHORISE and not is_patient(decision.payment, attempt):
            decision.ask(attempt, Operation.AUTHORISE)


def _is_left(decision: PaymentDecision, attempt: Attempt) -> bool:
    """Whether a method behind another gateway is asked in place of an attempt that could not be sent. An answer that
    the gateway is away tells of all the time since it was asked; other ones of themselves only."""
    payment, now_ms = decision.payment, decision.now_ms
    since_ms = attempt.since_ms if attempt.code in AWAY_CODES else attempt.waiting_ms
    is_over = since_ms + payment.policy.outage_patience_s * 1000 <= now_ms
    return is_over and has_other(payment, attempt, uncovered(payment, now_ms), elsewhere=True)


def _authorise(decision: PaymentDecision) -> None:
    payment = decision.payment
    amount = uncovered(payment, decision.now_ms)
    if not amount:
        is_open = payment.ending is None
        is_new = not payment.covered_once or any(it.round == payment.round for it in payment.attempts)
        if is_open and is_new and payment.pending is None and is_covered(payment):
            decision.emit(e.NeedCovered(at_ms=decision.now_ms))
        return
    pending = payment.pending
    if pending is not None:
        _challenge(decision, pending, amount)
        return
    if _may_not_ask(payment, decision.now_ms):
        return
    if not _adjust(decision, amount):
        _ask_next(decision, amount)


def _may_not_ask(payment: Payment, now_ms: int) -> bool:
    """Whether no method may be asked now: the payment ended, goods or a call are waited for."""
    if payment.ending is PaymentEnding.FRAUD or (payment.ending is not None and not payment.uncaptured):
        return True
    if payment.gave_up and not payment.covered_once:
        return True
    if len(payment.attempts) >= ATTEMPTS_MAX or waits_for_goods(payment, now_ms):
        return True
    is_adjusting = any(step.in_flight for it in payment.attempts for step in it.of(Operation.ADJUST))
    is_releasing = any(
        step.state is StepState.REQUESTED for it in payment.attempts if it.mismatched for step in it.of(Operation.VOID)
    )
    last = payment.attempts[-1] if payment.attempts else None
    is_retry_later = last is not None and may_retry(payment, last) and last.next_ms > now_ms
    return is_adjusting or is_releasing or is_retry_later


def _challenge(decision: PaymentDecision, attempt: Attempt, amount: int) -> None:
    """Decide about a challenge: the next method first, or the customer."""
    if attempt.state is not AttemptState.ACTION_REQUIRED or attempt.asking is not None or attempt.next_ms:
        return
    payment = decision.payment
    asks_customer = payment.policy.challenge is ChallengePolicy.ASK or not has_other(payment, attempt, amount)
    if not asks_customer:
        decision.ask(attempt, Operation.CLOSE)
        return
    until_ms = decision.now_ms + payment.policy.challenge_s * 1000
    asked = e.CustomerAsked(
        at_ms=decision.now_ms,
        attempt=attempt.number,
        amount=attempt.asked,
        until_ms=min(until_ms, attempt.link_until_ms or until_ms),
        link=attempt.link,
    )
    decision.emit(asked)


def _adjust(decision: PaymentDecision, amount: int) -> bool:
    """Raise an authorisation that is there, where its gateway offers that."""
    payment = decision.payment
    for attempt in payment.live:
        is_open = attempt.adjustable and not attempt.capturing and not attempt.review
        if is_open and not attempt.of(Operation.ADJUST) and not is_renewal_due(payment, attempt, decision.now_ms):
            decision.take(attempt, Operation.ADJUST, attempt.authorised + amount)
            return True
    return False


def _ask_next(decision: PaymentDecision, amount: int) -> None:
    payment = decision.payment
    chosen = next_method(payment, amount)
    if chosen is None:
        _exhausted(decision)
        return
    method = payment.methods[chosen.method - 1]
    if method.kind is MethodKind.PAY_IN_STORE:
        decision.amounts(at_counter=payment.at_counter + amount, reason="to be paid in the store")
        _authorise(decision)
        return
    asked = amount if method.limit_cents is None else min(amount, method.limit_cents)
    due = [it for it in payment.live if is_renewal_due(payment, it, decision.now_ms)]
    if due:
        chosen = NextMethod(chosen.method, AttemptReason.REAUTHORISATION)
    decision.begin(chosen.method, asked, chosen.reason, due[0].number if due else 0)


def _exhausted(decision: PaymentDecision) -> None:
    """No method is left: ask the customer once for another one, and wait for it a stated time."""
    payment = decision.payment
    if is_covered(payment) or payment.ending is not None:
        return
    if payment.asked_in_round != payment.round:
        asked = e.CustomerAsked(
            at_ms=decision.now_ms,
            attempt=len(payment.attempts),
            amount=uncovered(payment, decision.now_ms),
            until_ms=decision.now_ms + payment.policy.exhausted_hold_s * 1000,
        )
        decision.emit(asked)


def _refund(decision: PaymentDecision) -> None:
    """Refund what was captured for goods that came back, once every capture is known."""
    payment = decision.payment
    if any(step.in_flight for it in payment.own for step in it.of(Operation.CAPTURE)):
        return
    amount = payment.captured - payment.refunding - payment.kept
    if payment.open:
        # What was captured before its goods leave stays.
        amount = min(amount, payment.returned + payment.goodwill - payment.refunding)
    if amount <= 0:
        return
    left = [it for it in payment.own if it.captured > it.refunding]
    if payment.policy.refund_share is RefundShare.LAST_FIRST:
        for attempt in reversed(left):
            part = min(amount, attempt.captured - attempt.refunding)
            amount -= part
            if part:
                decision.take(attempt, Operation.REFUND, part)
        return
    parts = shares(amount, [it.captured - it.refunding for it in left])
    for attempt, part in zip(left, parts, strict=True):
        if part:
            decision.take(attempt, Operation.REFUND, part)


def _keep_hold(decision: PaymentDecision) -> None:
    until_ms = hold_wanted_ms(decision.payment)
    if until_ms and decision.payment.hold_until_ms - HOLD_MARGIN_MS <= decision.now_ms:
        decision.emit(e.HoldNeeded(at_ms=decision.now_ms, until_ms=until_ms))


def hold_wanted_ms(payment: Payment) -> int:
    """Until when the goods have to be held for an undecided payment; 0 when their hold lasts long enough."""
    if payment.covered_once or payment.ending is not None:
        return 0
    until_ms = wait_until_ms(payment) + HOLD_MARGIN_MS
    return until_ms if until_ms > payment.hold_until_ms else 0


def wait_until_ms(payment: Payment) -> int:
    """The end of the wait for an answer, or for the customer's other method."""
    if any(it.review for it in payment.attempts):
        return payment.opened_ms + payment.policy.review_hold_s * 1000
    return payment.method_until_ms or payment.until_ms


def end_if_over(decision: PaymentDecision) -> None:
    """End a payment that was never covered when its time is over and nothing is open any more."""
    payment = decision.payment
    if payment.covered_once or payment.ending is not None:
        return
    if payment.method_until_ms and payment.method_until_ms <= decision.now_ms:
        decision.emit(e.PaymentEnded(at_ms=decision.now_ms, ending=PaymentEnding.EXHAUSTED))
    elif payment.gave_up and not any(is_pending(it) for it in payment.attempts):
        decision.emit(e.PaymentEnded(at_ms=decision.now_ms, ending=PaymentEnding.LATE))


def _publish_cover(decision: PaymentDecision) -> None:
    payment = decision.payment
    is_told = payment.cover.state is not CoverState.AUTHORISING
    if payment.ending is not None or (payment.covered_once and is_told and not payment.open):
        return
    cover = _cover_of(payment)
    # After a capture the order counts on nothing more until it is told, also that nothing changed.
    is_awaited = decision.command == CaptureGoods.__name__ and cover.state is CoverState.AUTHORISED
    if cover != payment.cover or (is_awaited and payment.open):
        last = next((it for it in reversed(payment.own) if it.authorised and it.state not in UNANSWERED), None)
        token = payment.method(last).token if last is not None else ""
        decision.emit(e.CoverChanged(at_ms=decision.now_ms, cover=cover, method=token))


def _cover_of(payment: Payment) -> Cover:
    paid = payment.capturing + total_rest(payment.attempts) + payment.paid_at_counter
    ends = [it.ends_ms for it in payment.live if it.ends_ms and not it.review]
    if not is_covered(payment):
        state = CoverState.LAPSED if payment.covered_once else CoverState.AUTHORISING
    else:
        state = CoverState.PAY_IN_STORE if payment.at_counter else CoverState.AUTHORISED
    at_counter = max(0, payment.at_counter - payment.paid_at_counter)
    return Cover(state=state, amount=paid, at_counter=at_counter, until_ms=min(ends, default=0))
