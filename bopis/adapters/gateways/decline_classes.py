"""Decline codes and the classes that they belong to: data with a version, for each provider.

Lists that providers publish disagree with each other, so the strongest word decides, in this order: what the network
advises, what the network answered, what the provider calls it. A code that no list names is a soft decline: the next
method is asked, and this one perhaps later.

Sources: https://docs.stripe.com/declines/codes, https://docs.stripe.com/declines/network-codes (read November 2026),
Visa's categories 1 to 4 and Mastercard's Merchant Advice Codes as processors publish them.
"""

from collections.abc import Mapping
from typing import NamedTuple

from bopis.domain.payments.gateway import DeclineClass

VERSION = "2026-11"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Decline(NamedTuple):
    """How a decline is understood: its class, and the wait that the network advises (0: none)."""

    decline: DeclineClass
    wait_ms: int = 0


SOFT = Decline(DeclineClass.SOFT)
HARD = Decline(DeclineClass.HARD)
NEVER = Decline(DeclineClass.NEVER)
DATA = Decline(DeclineClass.DATA)
AUTHENTICATE = Decline(DeclineClass.AUTHENTICATE)
TECHNICAL = Decline(DeclineClass.TECHNICAL, 1_000)

# Mastercard's Merchant Advice Codes: 24 to 30 say how long to wait.
MASTERCARD_ADVICE: Mapping[str, Decline] = {
    "01": DATA,
    "02": SOFT,
    "03": NEVER,
    "21": NEVER,
    "24": Decline(DeclineClass.SOFT, HOUR_MS),
    "25": Decline(DeclineClass.SOFT, DAY_MS),
    "26": Decline(DeclineClass.SOFT, 2 * DAY_MS),
    "27": Decline(DeclineClass.SOFT, 4 * DAY_MS),
    "28": Decline(DeclineClass.SOFT, 6 * DAY_MS),
    "29": Decline(DeclineClass.SOFT, 8 * DAY_MS),
    "30": Decline(DeclineClass.SOFT, 10 * DAY_MS),
}
# Visa's category 1 (the issuer will never approve), 3 (wrong data) and 2 and 4 (perhaps later).
NETWORK_CODES: Mapping[str, Decline] = {
    **dict.fromkeys(("04", "07", "41", "43", "46", "57", "R0", "R1", "R3"), NEVER),
    **dict.fromkeys(("14", "54", "55", "82", "6P", "N7"), DATA),
    **dict.fromkeys(("51", "61", "65", "59", "62", "75", "78", "86", "93", "5C", "9G", "05", "12", "15"), SOFT),
    **dict.fromkeys(("91", "96"), TECHNICAL),
    **dict.fromkeys(("1A", "70"), AUTHENTICATE),
}
STRIPE_ADVICE: Mapping[str, Decline] = {"do_not_try_again": NEVER, "confirm_card_data": DATA, "try_again_later": SOFT}
STRIPE_CODES: Mapping[str, Decline] = {
    **dict.fromkeys(
        ("lost_card", "stolen_card", "pickup_card", "restricted_card", "revocation_of_authorization"), NEVER
    ),
    **dict.fromkeys(("revocation_of_all_authorizations", "stop_payment_order", "security_violation"), NEVER),
    **dict.fromkeys(("expired_card", "incorrect_number", "invalid_number", "incorrect_cvc", "invalid_cvc"), DATA),
    **dict.fromkeys(("incorrect_zip", "incorrect_address", "incorrect_pin", "invalid_pin"), DATA),
    **dict.fromkeys(
        ("invalid_expiry_month", "invalid_expiry_year", "invalid_account", "new_account_information"), DATA
    ),
    **dict.fromkeys(("fraudulent", "merchant_blacklist", "card_not_supported", "currency_not_supported"), HARD),
    **dict.fromkeys(("service_not_allowed", "transaction_not_allowed", "not_permitted", "invalid_amount"), HARD),
    **dict.fromkeys(("testmode_decline", "offline_pin_required", "online_or_offline_pin_required"), HARD),
    **dict.fromkeys(
        ("authentication_required", "authentication_not_handled", "payment_intent_authentication_failure"), AUTHENTICATE
    ),
    **dict.fromkeys(("issuer_not_available", "processing_error", "reenter_transaction"), TECHNICAL),
    **dict.fromkeys(("insufficient_funds", "do_not_honor", "generic_decline", "call_issuer", "no_action_taken"), SOFT),
    **dict.fromkeys(("card_velocity_exceeded", "withdrawal_count_limit_exceeded", "approve_with_id"), SOFT),
    **dict.fromkeys(("try_again_later", "duplicate_transaction", "pin_try_exceeded", "card_declined"), SOFT),
}


def stripe_decline(facts: Mapping[str, object]) -> Decline:
    """The class of a decline at Stripe, from the fields of its error or of a charge's outcome."""
    advice = str(facts.get("advice_code") or "")
    network_advice = str(facts.get("network_advice_code") or "")
    network_code = str(facts.get("network_decline_code") or "")
    code = str(facts.get("decline_code") or facts.get("code") or "")
    advised = MASTERCARD_ADVICE.get(network_advice)
    # Whoever is asked to confirm is not told never to try again.
    for found in (STRIPE_CODES.get(code), NETWORK_CODES.get(network_code)):
        if found is AUTHENTICATE:
            return found
    if advised is not None:
        return advised
    if STRIPE_ADVICE.get(advice) in (NEVER, DATA):
        return STRIPE_ADVICE[advice]
    return NETWORK_CODES.get(network_code) or STRIPE_CODES.get(code) or STRIPE_ADVICE.get(advice) or SOFT
