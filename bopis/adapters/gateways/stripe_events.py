"""Stripe's events read as our reports.

A capture is told by ``payment_intent.succeeded`` and a refund by ``refund.*``: those name our step. ``charge.captured``
and ``charge.refunded`` tell the same facts again without it, so they are left alone; they would be counted twice.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from bopis.adapters.gateways.stripe_objects import Object, currency_of, decline_answer, from_stripe, intent_answer
from bopis.domain.payments.gateway import GatewayReport, ReportKind
from bopis.ports import CallbackAnswer

# Events about reviews name the PaymentIntent only: whoever gets such a report finds its order by the reference.
ORDER_UNKNOWN = "-"
ENDED_REASONS = frozenset({"automatic", "expired"})
REVIEW_ENDS = {
    "approved": ReportKind.REVIEW_APPROVED,
    "acknowledged": ReportKind.REVIEW_APPROVED,
    "refunded": ReportKind.REVIEW_REJECTED,
    "refunded_as_fraud": ReportKind.REVIEW_REJECTED,
    "disputed": ReportKind.REVIEW_REJECTED,
}
OK = 200
BAD_REQUEST = 400


class StripeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The outside of an event."""

    id: str
    type: str
    data: dict[str, Any]


def read_event(body: bytes) -> CallbackAnswer:
    """Read an event whose signature was checked. Never raises."""
    try:
        event = msgspec.json.decode(body, type=StripeEvent)
        reports = reports_in(event)
    except (msgspec.DecodeError, RecursionError, ValueError, TypeError):
        return CallbackAnswer(BAD_REQUEST, refusal="unreadable")
    return CallbackAnswer(OK, event.id, reports)


def reports_in(event: StripeEvent) -> Sequence[GatewayReport]:
    """The reports in an event; none for a kind that is of no interest, or for a payment that is not one of ours."""
    reader = READERS.get(event.type)
    thing = event.data.get("object")
    if reader is None or not isinstance(thing, Mapping):
        return ()
    report = reader(thing)
    return () if report is None else (report,)


def _intent_report(intent: Object, kind: ReportKind) -> GatewayReport | None:
    report = _ours(intent, kind)
    if report is None:
        return None
    answer = intent_answer(intent)
    return replace(
        report,
        amount=answer.amount,
        currency=answer.currency,
        reference=answer.reference,
        transaction=answer.transaction,
        ends_ms=answer.ends_ms,
        capture_max=answer.capture_max,
        multicapture=answer.multicapture,
        adjustable=answer.adjustable,
    )


def _authorised(intent: Object) -> GatewayReport | None:
    return _intent_report(intent, ReportKind.AUTHORISED)


def _declined(intent: Object) -> GatewayReport | None:
    report = _intent_report(intent, ReportKind.DECLINED)
    if report is None:
        return None
    error = intent.get("last_payment_error")
    answer = decline_answer(error if isinstance(error, Mapping) else {})
    return replace(report, decline=answer.decline, code=answer.code)


def _action_required(intent: Object) -> GatewayReport | None:
    report = _intent_report(intent, ReportKind.ACTION_REQUIRED)
    return None if report is None else replace(report, link=intent_answer(intent).link)


def _cancelled(intent: Object) -> GatewayReport | None:
    reason = str(intent.get("cancellation_reason") or "")
    report = _intent_report(intent, ReportKind.ENDED if reason in ENDED_REASONS else ReportKind.VOIDED)
    return None if report is None else replace(report, code=reason)


def _captured(intent: Object) -> GatewayReport | None:
    report = _intent_report(intent, ReportKind.CAPTURED)
    if report is None:
        return None
    received = from_stripe(int(intent.get("amount_received") or 0), report.currency)
    return replace(report, amount=received, key=str(_metadata(intent).get("step") or ""))


def _ended(charge: Object) -> GatewayReport | None:
    report = _ours(charge, ReportKind.ENDED)
    if report is None:
        return None
    return replace(report, reference=str(charge.get("payment_intent") or ""), currency=currency_of(charge))


def _refunded(refund: Object) -> GatewayReport | None:
    is_done = refund.get("status") == "succeeded"
    return _refund_report(refund, ReportKind.REFUNDED) if is_done else None


def _refund_failed(refund: Object) -> GatewayReport | None:
    return _refund_report(refund, ReportKind.REFUND_FAILED)


def _refund_report(refund: Object, kind: ReportKind) -> GatewayReport | None:
    report = _ours(refund, kind)
    if report is None:
        return None
    currency = currency_of(refund)
    return replace(
        report,
        amount=from_stripe(int(refund.get("amount") or 0), currency),
        currency=currency,
        reference=str(refund.get("payment_intent") or ""),
        code=str(refund.get("failure_reason") or ""),
    )


def _review_opened(review: Object) -> GatewayReport | None:
    return _review(review, ReportKind.REVIEW_OPENED)


def _review_closed(review: Object) -> GatewayReport | None:
    reason = str(review.get("closed_reason") or review.get("reason"))
    # Other reasons end the payment as well, which an event of its own tells.
    kind = REVIEW_ENDS.get(reason)
    return None if kind is None else _review(review, kind)


def _review(review: Object, kind: ReportKind) -> GatewayReport | None:
    reference = str(review.get("payment_intent") or "")
    if not reference:
        return None
    code = str(review.get("closed_reason") or review.get("reason") or "")
    return GatewayReport(order=ORDER_UNKNOWN, attempt=1, kind=kind, reference=reference, code=code)


def _ours(thing: Object, kind: ReportKind) -> GatewayReport | None:
    """An empty report about the attempt that an object's metadata names; None without them."""
    metadata = _metadata(thing)
    order, attempt = str(metadata.get("order") or ""), str(metadata.get("attempt") or "")
    if not (order and attempt.isascii() and attempt.isdecimal() and int(attempt) > 0):
        return None
    return GatewayReport(order=order, attempt=int(attempt), kind=kind, key=str(metadata.get("key") or ""))


def _metadata(thing: Object) -> Object:
    found = thing.get("metadata")
    return found if isinstance(found, Mapping) else {}


READERS: Mapping[str, Callable[[Object], GatewayReport | None]] = {
    "payment_intent.amount_capturable_updated": _authorised,
    "payment_intent.payment_failed": _declined,
    "payment_intent.requires_action": _action_required,
    "payment_intent.canceled": _cancelled,
    "payment_intent.succeeded": _captured,
    "charge.expired": _ended,
    "refund.created": _refunded,
    "refund.updated": _refunded,
    "refund.failed": _refund_failed,
    "review.opened": _review_opened,
    "review.closed": _review_closed,
}
