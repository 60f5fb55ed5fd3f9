"""Reports of gateways: facts about one attempt, that may come late, twice and in any order.

A report changes the attempt that it names, and no other. An older fact never undoes a newer one: what was approved is
not declined by a late refusal, what we released ourselves does not come back by a repeated success.
"""

from collections.abc import Callable

from bopis.domain.inventory.admission import Rejected
from bopis.domain.payments.answers import approve, decline, is_perhaps_closed, look, require_action
from bopis.domain.payments.decision import PaymentDecision
from bopis.domain.payments.events import AttemptChanged, PaymentEnded, RefundFound
from bopis.domain.payments.gateway import GatewayReport, Operation, ReportKind
from bopis.domain.payments.limits import REPAIR_MS_MAX
from bopis.domain.payments.messages import ProviderReported
from bopis.domain.payments.state import FRUITLESS, UNANSWERED, Attempt, AttemptState, PaymentEnding, Step, StepState

REVIEWED = frozenset({AttemptState.REQUESTED, AttemptState.WAITING, AttemptState.UNKNOWN, AttemptState.APPROVED})
UNDONE = frozenset({StepState.FAILED, StepState.REPAIRING, StepState.BOUNCED})


def take_report(decision: PaymentDecision, reported: ProviderReported) -> None:
    """Take a report. Raises `Rejected` when it names an attempt or a step that this payment does not have."""
    report = reported.report
    attempt = decision.payment.attempt(report.attempt)
    if attempt is None:
        raise Rejected(f"order {report.order} has no payment attempt {report.attempt}: {report.reference}")
    RULES[report.kind](decision, attempt, report)


def _authorised(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    # Which of the two came first, the approval or the close, is what the gateway answers to the close or after it.
    if is_perhaps_closed(attempt):
        look(decision, attempt, report.reference)
    # One that was approved before and released since is not revived by a repeat of its success.
    elif attempt.state in UNANSWERED or (attempt.state in FRUITLESS and not attempt.authorised):
        approve(decision, attempt, report, review=attempt.review)


def _declined(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    if attempt.state in UNANSWERED or (attempt.review and not attempt.capturing):
        decline(decision, attempt, report)


def _action_required(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    # One that is being closed is open no longer, or the answer to the close says that it is.
    if attempt.state in (AttemptState.REQUESTED, AttemptState.UNKNOWN) and attempt.asking is not Operation.CLOSE:
        require_action(decision, attempt, report)


def _review_opened(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    if attempt.state in REVIEWED and not attempt.capturing and not attempt.review:
        _set_review(decision, attempt, report, review=True)


def _review_approved(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    if attempt.review:
        _set_review(decision, attempt, report, review=False)


def _review_rejected(decision: PaymentDecision, attempt: Attempt, _report: GatewayReport) -> None:
    """No other card of the same person is asked: the payment ends."""
    if attempt.state not in (*FRUITLESS, AttemptState.VOIDED, AttemptState.ENDED) and decision.payment.ending is None:
        decision.emit(PaymentEnded(at_ms=decision.now_ms, ending=PaymentEnding.FRAUD, reason="the review was rejected"))


def _voided(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    voids = [step for step in attempt.of(Operation.VOID) if step.in_flight]
    if voids:
        decision.change_step(attempt, voids[-1], StepState.DONE)
        attempt = decision.attempt(attempt.number)
    if attempt.state is AttemptState.APPROVED and not attempt.capturing:
        decision.change(attempt, AttemptState.VOIDED, cause=report.cause or "released at the gateway")
    elif attempt.state in UNANSWERED:
        decision.change(attempt, AttemptState.VOIDED, cause=report.cause or "closed at the gateway")


def _ended(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    if attempt.state is AttemptState.APPROVED and (attempt.rest or not attempt.capturing):
        decision.change(attempt, AttemptState.ENDED, cause=report.cause or "the authorisation ended")
    elif attempt.state in UNANSWERED:
        # An answer that it was approved is older, and does not revive it.
        decision.change(attempt, AttemptState.ENDED, cause=report.cause or "the authorisation ended")


def _captured(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    step = _step_of(attempt, report, Operation.CAPTURE)
    if step is None:
        raise Rejected(f"order {report.order}: no capture of attempt {attempt.number} matches {report.reference}")
    if step.state is not StepState.DONE and not step.retried:
        decision.change_step(attempt, step, StepState.DONE, report.cause)


def _capture_failed(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    step = _step_of(attempt, report, Operation.CAPTURE)
    if step is None:
        raise Rejected(f"order {report.order}: no capture of attempt {attempt.number} matches {report.reference}")
    if step.state in UNDONE:
        return
    cause = report.cause or report.code or "the capture failed at the provider"
    if report.repairing:
        decision.change_step(attempt, step, StepState.REPAIRING, cause, decision.now_ms + REPAIR_MS_MAX)
    else:
        decision.change_step(attempt, step, StepState.FAILED, cause)


def _refunded(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    step = _step_of(attempt, report, Operation.REFUND)
    if step is not None:
        if step.in_flight:
            decision.change_step(attempt, step, StepState.DONE, report.cause)
        return
    left = attempt.captured - attempt.refunding
    amount = left if report.amount is None else report.amount
    if not 0 < amount <= left:
        raise Rejected(f"order {report.order}: a refund of {amount} of attempt {attempt.number} exceeds what is left")
    key = f"{attempt.key}-found-{len(attempt.of(Operation.REFUND)) + 1}"
    decision.emit(RefundFound(at_ms=decision.now_ms, attempt=attempt.number, key=key, amount=amount))


def _refund_failed(decision: PaymentDecision, attempt: Attempt, report: GatewayReport) -> None:
    step = _step_of(attempt, report, Operation.REFUND)
    if step is None:
        raise Rejected(f"order {report.order}: no refund of attempt {attempt.number} matches {report.reference}")
    if step.state not in UNDONE:
        decision.change_step(attempt, step, StepState.BOUNCED, report.cause or report.code or "the refund came back")


def _set_review(decision: PaymentDecision, attempt: Attempt, report: GatewayReport, review: bool) -> None:
    changed = AttemptChanged(
        at_ms=decision.now_ms,
        attempt=attempt.number,
        state=attempt.state,
        reference=report.reference,
        review=review,
        given_up=attempt.given_up,
        next_ms=attempt.next_ms,
        cause=report.cause,
    )
    decision.emit(changed)


def _step_of(attempt: Attempt, report: GatewayReport, operation: Operation) -> Step | None:
    """The step that a report is about: the one it names, else the oldest open one of its amount, else one of its amount
    that is done (the report is a repeat then)."""
    if report.key and report.key != attempt.key:
        return attempt.step(report.key)
    steps = [it for it in attempt.of(operation) if report.amount in (None, it.amount)]
    is_open = [it for it in steps if it.in_flight or it.state in UNDONE - {StepState.BOUNCED}]
    done = [it for it in steps if it not in is_open]
    if report.kind in (ReportKind.CAPTURE_FAILED, ReportKind.REFUND_FAILED):
        is_open = [*is_open, *reversed(done)]
    return next(iter([*is_open, *done]), None)


Rule = Callable[[PaymentDecision, Attempt, GatewayReport], None]
RULES: dict[ReportKind, Rule] = {
    ReportKind.AUTHORISED: _authorised,
    ReportKind.DECLINED: _declined,
    ReportKind.ACTION_REQUIRED: _action_required,
    ReportKind.REVIEW_OPENED: _review_opened,
    ReportKind.REVIEW_APPROVED: _review_approved,
    ReportKind.REVIEW_REJECTED: _review_rejected,
    ReportKind.VOIDED: _voided,
    ReportKind.ENDED: _ended,
    ReportKind.CAPTURED: _captured,
    ReportKind.CAPTURE_FAILED: _capture_failed,
    ReportKind.REFUNDED: _refunded,
    ReportKind.REFUND_FAILED: _refund_failed,
}
