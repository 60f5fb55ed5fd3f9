"""Answers and steps of worked cases of payments, as the core takes them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import CallOutcome, DeclineClass, Operation, PaymentMethod, ReportKind
from bopis.domain.payments.state import AttemptState
from tests.domain.payments.world import ORDER

if TYPE_CHECKING:
    from tests.cases.payment_cases import CasePlay
else:
    CasePlay = Any

EVENTS = {
    "authorised": ReportKind.AUTHORISED,
    "refused": ReportKind.DECLINED,
    "payment_failed": ReportKind.DECLINED,
    "expired": ReportKind.ENDED,
    "authorisation_expired": ReportKind.ENDED,
    "captured": ReportKind.CAPTURED,
    "capture_refused": ReportKind.CAPTURE_FAILED,
    "capture_failed": ReportKind.CAPTURE_FAILED,
    "refunded": ReportKind.REFUNDED,
    "refund_failed": ReportKind.REFUND_FAILED,
    "review_opened": ReportKind.REVIEW_OPENED,
}
TECHNICAL = frozenset({"processor_error"})


def _approved(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    facts = play.facts(call, step.get("amount") if call.call.operation is not Operation.REFUND else None)
    if "currency" in step:
        facts["currency"] = step["currency"]
    return CallOutcome.APPROVED, facts


def _partial(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    return CallOutcome.APPROVED, play.facts(call, step["approved"])


def _declined(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    code = step.get("code", "")
    kind = DeclineClass.SOFT if step["answer"] == "soft_decline" else DeclineClass.HARD
    if code in TECHNICAL:
        kind = DeclineClass.TECHNICAL
    if step.get("category") == 1:
        kind = DeclineClass.NEVER
    wait_ms = 86_400_000 if step.get("advice") == "25" else 0
    return CallOutcome.DECLINED, {"decline": kind, "code": code, "wait_ms": wait_ms}


def _action(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    return CallOutcome.ACTION_REQUIRED, {"link": f"https://bank.example/{call.call.attempt}"}


def _not_sent(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    if "last_digit" in play.gateway:
        return CallOutcome.UNSUPPORTED, {"code": "amount_not_payable_by_gateway"}
    return CallOutcome.NOT_SENT, {"wait_ms": 1000 * step.get("retry_after_s", 0)}


def _plain(outcome: CallOutcome) -> Callable[..., tuple[CallOutcome, dict[str, Any]]]:
    return lambda _play, _call, _step: (outcome, {})


ANSWERS: dict[str, Callable[..., tuple[CallOutcome, dict[str, Any]]]] = {
    "approved": _approved,
    "partially_approved": _partial,
    "soft_decline": _declined,
    "hard_decline": _declined,
    "action_required": _action,
    "not_sent": _not_sent,
    "rate_limited": _not_sent,
    "error": _not_sent,
    "timeout": _plain(CallOutcome.UNKNOWN),
    "in_review": _plain(CallOutcome.IN_REVIEW),
    "accepted": _plain(CallOutcome.ACCEPTED),
    "gone": _plain(CallOutcome.GONE),
    "idempotency_error": _plain(CallOutcome.KEY_REUSED),
}


def _place(play: CasePlay, _step: Mapping[str, Any]) -> None:
    play.place()


def _cancel(play: CasePlay, step: Mapping[str, Any]) -> None:
    handed = play.world.payment.handed
    if "taken back" in step.get("reason", ""):
        play.world.send(m.RefundGoods(amount=handed))
    play.world.send(m.EndPayment())


def _pick(play: CasePlay, step: Mapping[str, Any]) -> None:
    left = play.world.payment.open - step.get("short_value", 0)
    if "substitute" in step:
        left += step["substitute"]["now"] - step["substitute"]["was"]
    for sku in step.get("short", ()):
        left -= sum(it["net"] + round(float(it["tax_exact"])) for it in play.given["lines"] if it["sku"] == sku)
    play.world.send(m.ChangeAmount(open=left))


def _edit(play: CasePlay, step: Mapping[str, Any]) -> None:
    left = step.get("total", play.world.payment.open + step.get("add", 0))
    play.world.send(m.ChangeAmount(open=left))


def _hand_over(play: CasePlay, step: Mapping[str, Any]) -> None:
    if "value" in step:
        play.world.send(m.CaptureGoods(amount=step["value"]), id=step.get("id", ""))


def _return(play: CasePlay, step: Mapping[str, Any]) -> None:
    play.world.send(m.RefundGoods(amount=step["value"]))


def _refund(play: CasePlay, step: Mapping[str, Any]) -> None:
    amount = None if step["amount"] == "all" else step["amount"]
    adopted = next((it.number for it in play.world.payment.attempts if it.reference == step.get("ref")), 0)
    play.world.send(m.RefundPayment(amount=amount, attempt=adopted, reason="case"), id=step.get("id", ""))


def _challenge(play: CasePlay, step: Mapping[str, Any]) -> None:
    if step["result"] == "failed":
        play.world.report(ReportKind.DECLINED, play.attempt_of(step), decline=DeclineClass.AUTHENTICATE)
        found = play.find((Operation.AUTHORISE,), step)
        if step.get("k") and found is not None and any(it.get("attempt") == "new" for it in play.steps):
            play.take(found, {"do": "call", "answer": "action_required", "k": step["k"]})
    elif step["result"] == "passed":
        play.world.report(ReportKind.AUTHORISED, play.attempt_of(step))


def _review(play: CasePlay, step: Mapping[str, Any]) -> None:
    is_approved = step["result"] == "approved"
    play.world.report(ReportKind.REVIEW_APPROVED if is_approved else ReportKind.REVIEW_REJECTED, play.attempt_of(step))


def _callback(play: CasePlay, step: Mapping[str, Any]) -> None:
    if step["event"] not in EVENTS or step.get("signature") == "bad":
        return
    kind = EVENTS[step["event"]]
    is_old = step.get("which") == "first" or kind is ReportKind.DECLINED
    facts: dict[str, Any] = {"amount": step["amount"]} if "amount" in step else {}
    if kind is ReportKind.CAPTURE_FAILED:
        facts["repairing"] = step.get("reason") == "technical"
    if play.world.payment.attempts:
        play.world.report(kind, play.attempt_of(step, newest=not is_old), id=step.get("id", ""), **facts)


def _reconcile(play: CasePlay, step: Mapping[str, Any]) -> None:
    unknown = [it.number for it in play.world.payment.attempts if it.state is AttemptState.UNKNOWN]
    for number in unknown:
        play.world.send(m.SettleUnknown(attempt=number))
    listed = step["provider"] if isinstance(step["provider"], list) else []
    if listed:
        first = play.world.attempt(1)
        play.world.rows.rows[ORDER] = replace(
            play.world.payment, attempts=(replace(first, reference=listed[0]["ref"]), *play.world.payment.attempts[1:])
        )
    for it in listed[1:]:
        adopted = m.AdoptCharge(reference=it["ref"], gateway="", captured=it["captured"], currency="EUR")
        play.world.send(adopted)


def _nothing(_play: CasePlay, _step: Mapping[str, Any]) -> None:
    """Time has passed, that is all."""


def _add_method(play: CasePlay, step: Mapping[str, Any]) -> None:
    play.world.send(m.AddMethod(method=PaymentMethod(token=f"tok_{step['k']}")))


STEPS: dict[str, Callable[[CasePlay, Mapping[str, Any]], None]] = {
    "place": _place,
    "cancel": _cancel,
    "expire": _cancel,
    "pick": _pick,
    "edit": _edit,
    "hand_over": _hand_over,
    "return": _return,
    "refund": _refund,
    "challenge": _challenge,
    "review": _review,
    "callback": _callback,
    "reconcile": _reconcile,
    "add_method": _add_method,
    "timer": _nothing,
    "crash": _nothing,
    "restart": _nothing,
}
