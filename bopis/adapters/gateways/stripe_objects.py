"""Stripe's objects read as our answers, and its amounts as ours.

Source of the amounts: https://docs.stripe.com/currencies (read November 2026).
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from bopis.adapters.gateways.decline_classes import stripe_decline
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, GatewayEntry
from bopis.domain.payments.money import exponent

AMOUNT_UNPAYABLE = "amount_not_payable_by_gateway"
AMOUNT_MAX = 99_999_999
THREE_DIGITS = 3
# Where Stripe counts in other units than ISO 4217: crowns and shillings with two digits that must be zero, and the
# ariary without any.
EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}
EXPANDED = ["latest_charge", "review"]
CODE_LENGTH_MAX = 64
CAUSE_LENGTH_MAX = 200

Object = Mapping[str, Any]
NOTHING: Object = {}


def to_stripe(amount: int, currency: str) -> int | None:
    """An amount in Stripe's unit; None for one that it cannot express. Nothing is rounded."""
    digits = exponent(currency)
    theirs = EXPONENTS.get(currency, digits)
    if digits > THREE_DIGITS:
        return None
    shift = theirs - digits
    if shift >= 0:
        converted = amount * int(10**shift)
    elif amount % 10**-shift:
        return None
    else:
        converted = amount // 10**-shift
    # Sums with three digits have to end in 0.
    if theirs == THREE_DIGITS and converted % 10:
        return None
    return converted if converted <= AMOUNT_MAX else None


def from_stripe(amount: int, currency: str) -> int:
    """An amount of Stripe's in the minor unit of ISO 4217."""
    shift = EXPONENTS.get(currency, exponent(currency)) - exponent(currency)
    return amount // int(10**shift) if shift >= 0 else amount * int(10**-shift)


def intent_answer(intent: Object) -> GatewayAnswer:
    """How a PaymentIntent is: the answer to a confirmation, and to a question."""
    answer = _with_charge(_base(intent), intent)
    charge = _object(intent, "latest_charge")
    match str(intent.get("status")):
        case "requires_capture":
            is_reviewed = bool(_object(intent, "review").get("open"))
            return replace(answer, outcome=CallOutcome.IN_REVIEW if is_reviewed else CallOutcome.APPROVED)
        case "succeeded":
            return replace(answer, outcome=CallOutcome.APPROVED)
        case "processing":
            return replace(answer, outcome=CallOutcome.ACCEPTED)
        case "requires_action":
            redirect = _object(_object(intent, "next_action"), "redirect_to_url")
            return replace(answer, outcome=CallOutcome.ACTION_REQUIRED, link=str(redirect.get("url") or ""))
        case "canceled":
            was_captured = bool(charge.get("amount_captured"))
            return replace(answer, outcome=CallOutcome.APPROVED if was_captured else CallOutcome.VOIDED)
        case "requires_payment_method" if _object(intent, "last_payment_error"):
            return replace(decline_answer(_object(intent, "last_payment_error")), reference=answer.reference)
    # It was created and never confirmed: nothing was asked of the card.
    return replace(answer, outcome=CallOutcome.GONE, code="never_confirmed")


def decline_answer(error: Object) -> GatewayAnswer:
    """A decline, from the error of a call or of a PaymentIntent."""
    found = stripe_decline(error)
    return GatewayAnswer(
        outcome=CallOutcome.DECLINED,
        decline=found.decline,
        wait_ms=found.wait_ms,
        code=str(error.get("decline_code") or error.get("code") or "")[:CODE_LENGTH_MAX],
        reference=str(_object(error, "payment_intent").get("id") or ""),
    )


def intent_entry(intent: Object) -> GatewayEntry:
    """A PaymentIntent in the list that reconciliation compares."""
    answer = _with_charge(_base(intent), intent)
    charge, metadata, currency = _object(intent, "latest_charge"), _object(intent, "metadata"), answer.currency
    attempt = str(metadata.get("attempt") or "")
    return GatewayEntry(
        reference=answer.reference,
        created_ms=int(intent.get("created") or 0) * 1000,
        state=str(intent.get("status") or ""),
        currency=currency,
        authorised=(answer.amount or 0) if charge.get("status") == "succeeded" else 0,
        captured=answer.captured or 0,
        refunded=answer.refunded or 0,
        open=from_stripe(int(intent.get("amount_capturable") or 0), currency),
        order=str(metadata.get("order") or ""),
        attempt=int(attempt) if attempt.isascii() and attempt.isdecimal() else 0,
        key=str(metadata.get("key") or ""),
    )


def currency_of(thing: Object) -> str:
    """The currency of an object, as ISO 4217 writes it."""
    return str(thing.get("currency") or "").upper()


def _base(intent: Object) -> GatewayAnswer:
    currency = currency_of(intent)
    return GatewayAnswer(
        outcome=CallOutcome.UNKNOWN,
        reference=str(intent.get("id") or ""),
        currency=currency,
        amount=from_stripe(int(intent.get("amount") or 0), currency),
    )


def _with_charge(answer: GatewayAnswer, intent: Object) -> GatewayAnswer:
    """Add what the charge says about this very card: sums, the network's end, and what may be done with it."""
    charge = _object(intent, "latest_charge")
    if not charge:
        return replace(answer, captured=0, refunded=0)
    card = _object(_object(charge, "payment_method_details"), "card")
    approved = card.get("amount_authorized") or charge.get("amount") or intent.get("amount") or 0
    overcapture = _object(card, "overcapture")
    most = overcapture.get("maximum_amount_capturable") if overcapture.get("status") == "available" else None
    currency = answer.currency
    return replace(
        answer,
        amount=from_stripe(int(approved), currency),
        captured=from_stripe(int(charge.get("amount_captured") or 0), currency),
        refunded=from_stripe(int(charge.get("amount_refunded") or 0), currency),
        ends_ms=int(card.get("capture_before") or 0) * 1000,
        transaction=str(card.get("network_transaction_id") or ""),
        capture_max=None if most is None else from_stripe(int(most), currency),
        multicapture=_object(card, "multicapture").get("status") == "available",
        adjustable=_object(card, "incremental_authorization").get("status") == "available",
    )


def _object(thing: Object, name: str) -> Object:
    """A field that is an object; nothing where it is empty, or only an id because it was not expanded."""
    value = thing.get(name)
    return value if isinstance(value, Mapping) else NOTHING
