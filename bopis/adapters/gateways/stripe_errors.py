"""Errors of Stripe's client library read as answers: which mean a decline, which that nothing happened, which neither.

These are no exceptions of ours; the module reads those of the library.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from msgspec.structs import replace

from bopis.adapters.gateways.network import answer_to_error, answer_to_refusal
from bopis.adapters.gateways.signatures import lower_case
from bopis.adapters.gateways.stripe_objects import (
    AMOUNT_UNPAYABLE,
    CODE_LENGTH_MAX,
    Object,
    decline_answer,
    intent_answer,
)
from bopis.domain.payments.gateway import CallOutcome, DeclineClass, GatewayAnswer, GatewayCall, Operation

CONFLICT = 409
# Somebody has to correct the key of the account first.
WAIT_REFUSED_MS = 60_000
BUSY_WAIT_MS = 500
UNPAYABLE = frozenset({"amount_too_small", "amount_too_large"})
RELEASING = (Operation.VOID, Operation.CLOSE)


def answer_to_stripe_error(library: ModuleType, error: Any, call: GatewayCall) -> GatewayAnswer:
    """The answer that an error amounts to. Server errors are saved under the key, so what they did is unknown."""
    detail = _detail(error)
    code = str(detail.get("code") or "")[:CODE_LENGTH_MAX]
    status = int(error.http_status or 0)
    headers = lower_case(error.headers or {})
    if isinstance(error, library.APIConnectionError):
        return answer_to_error(error.__cause__, call.reference)
    # `lock_timeout` is such a refusal: another call holds the object. It is no decline.
    if isinstance(error, library.RateLimitError) or status == CONFLICT:
        return answer_to_refusal(status, headers, code)
    if isinstance(error, library.AuthenticationError | library.PermissionError):
        return GatewayAnswer(outcome=CallOutcome.NOT_SENT, code=code or "not_authorised", wait_ms=WAIT_REFUSED_MS)
    if isinstance(error, library.IdempotencyError):
        return GatewayAnswer(outcome=CallOutcome.KEY_REUSED, code="idempotency_error", reference=call.reference)
    if isinstance(error, library.CardError):
        answer = decline_answer(detail)
        is_asked = call.operation is Operation.AUTHORISE
        return answer if is_asked else replace(answer, outcome=CallOutcome.FAILED, decline=None)
    if isinstance(error, library.InvalidRequestError):
        return _answer_to_invalid(detail, code, call)
    return GatewayAnswer(outcome=CallOutcome.UNKNOWN, code=code or f"http_{status}", reference=call.reference)


def _answer_to_invalid(detail: Object, code: str, call: GatewayCall) -> GatewayAnswer:
    is_asked = call.operation is Operation.AUTHORISE
    intent = detail.get("payment_intent")
    if code == "payment_intent_unexpected_state" and isinstance(intent, Mapping):
        return _answer_to_state(intent, call)
    if code == "resource_missing":
        if is_asked and detail.get("param") == "payment_method":
            return GatewayAnswer(outcome=CallOutcome.DECLINED, decline=DeclineClass.DATA, code=code)
        return GatewayAnswer(outcome=CallOutcome.GONE, code=code)
    if code in UNPAYABLE and is_asked:
        return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED, code=AMOUNT_UNPAYABLE)
    if is_asked:
        return GatewayAnswer(outcome=CallOutcome.DECLINED, decline=DeclineClass.HARD, code=code or "invalid_request")
    return GatewayAnswer(outcome=CallOutcome.FAILED, code=code or "invalid_request", reference=call.reference)


def _answer_to_state(intent: Object, call: GatewayCall) -> GatewayAnswer:
    """The answer to a call that the PaymentIntent's state does not allow: often it was done before."""
    answer = intent_answer(intent)
    status = intent.get("status")
    if status == "processing":
        return replace(answer, outcome=CallOutcome.NOT_SENT, code="processing", wait_ms=BUSY_WAIT_MS)
    if call.operation is Operation.AUTHORISE:
        return answer
    if call.operation in RELEASING and status == "canceled":
        return replace(answer, outcome=CallOutcome.VOIDED, code="already_voided", amount=0)
    code = {"canceled": "voided", "succeeded": "already_captured"}.get(str(status), f"is_{status}")
    return replace(answer, outcome=CallOutcome.FAILED, code=code)


def _detail(error: Any) -> Object:
    body = error.json_body
    detail = body.get("error") if isinstance(body, Mapping) else None
    return detail if isinstance(detail, Mapping) else {}
