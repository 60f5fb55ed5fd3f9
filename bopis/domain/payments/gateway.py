"""Calls to a payment gateway, its answers and its reports: the values that the core, the runner and the adapters share.

A call's parameters are frozen in the event that requests it, so that a repeat sends what the first one sent. Its key
is the gateway's idempotency key: of the order, the attempt and the step only, at most 64 characters, without personal
data.
Amounts are minor units of an ISO 4217 currency; an adapter converts to its provider's convention.
"""

from enum import StrEnum
from typing import Annotated
from zlib import crc32

from msgspec import Meta, Struct

from bopis.domain.values import AMOUNT_CENTS_MAX, Id, Text

KEY_LENGTH_MAX = 64  # Adyen's limit, the shortest of the providers'
ORDER_LENGTH_MAX = 40
ORDER_HEAD = 20
METHODS_MAX = 8
LINK_LENGTH_MAX = 2_000
# Codes of answers that say "not sent" because the gateway is away, whatever the call is: there is no connection, its
# circuit is open, it asked for a pause.
NOT_CONNECTED = "not_connected"
CIRCUIT_OPEN = "circuit_open"
PAUSED = "paused"
AWAY_CODES = frozenset({NOT_CONNECTED, CIRCUIT_OPEN, PAUSED})

AmountAsked = Annotated[int, Meta(ge=0, le=AMOUNT_CENTS_MAX)]
CurrencyCode = Annotated[str, Meta(max_length=3)]
GatewayName = Annotated[str, Meta(max_length=64)]
Link = Annotated[str, Meta(max_length=LINK_LENGTH_MAX)]


class MethodKind(StrEnum):
    """Kind of a payment method."""

    CARD = "card"
    WALLET = "wallet"
    GIFT_CARD = "gift_card"
    PAY_IN_STORE = "pay_in_store"


class PaymentMethod(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One method of the customer's ordered list.

    ``token`` is the provider's, never a card number. ``gateway`` names who is asked; empty: the installation's own.
    ``card`` is the fingerprint by which one card is known behind several tokens. ``limit_cents`` is the most that is
    asked of it: a gift card's balance, or what may be paid in a store; None: no limit. ``hint`` is what people see of
    it ("Visa ···· 4242").
    """

    kind: MethodKind = MethodKind.CARD
    token: Annotated[str, Meta(max_length=128)] = ""
    gateway: GatewayName = ""
    card: Annotated[str, Meta(max_length=128)] = ""
    limit_cents: AmountAsked | None = None
    hint: Annotated[str, Meta(max_length=64)] = ""


class Operation(StrEnum):
    """What a gateway is asked for. ``FIND`` asks how an authorisation is; ``CLOSE`` fences one whose answer is unknown:
    nothing may come of it any more."""

    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    ADJUST = "adjust"
    FIND = "find"
    CLOSE = "close"


class CallInitiator(StrEnum):
    """Who initiates an authorisation. Card networks give one that the merchant initiates another end."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"


class AttemptReason(StrEnum):
    """Why an authorisation is asked for."""

    FIRST = "first"
    FALLBACK = "fallback"
    TRY_AGAIN = "try_again"
    REST = "rest"
    DIFFERENCE = "difference"
    REAUTHORISATION = "reauthorisation"
    CAPTURE_AGAIN = "capture_again"


class GatewayCall(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call to a gateway.

    ``key`` is the idempotency key of this step. ``authorisation`` is the key of the authorisation that the step is
    about, by which an adapter finds it when ``reference``, the provider's own name of it, is not known yet.
    ``estimated``: the final amount may be lower (a pre-authorisation where the network tells them apart).
    ``final``: no other capture of this authorisation will follow. ``transaction`` is the network's id of the first
    transaction, for calls that the merchant initiates.
    """

    key: Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH_MAX)]
    order: Id
    attempt: Annotated[int, Meta(ge=1)]
    operation: Operation
    gateway: GatewayName
    amount: AmountAsked
    currency: CurrencyCode
    authorisation: Annotated[str, Meta(max_length=KEY_LENGTH_MAX)]
    kind: MethodKind = MethodKind.CARD
    token: Annotated[str, Meta(max_length=128)] = ""
    reference: Annotated[str, Meta(max_length=200)] = ""
    initiated_by: CallInitiator = CallInitiator.CUSTOMER
    reason: AttemptReason = AttemptReason.FIRST
    transaction: Annotated[str, Meta(max_length=128)] = ""
    estimated: bool = False
    final: bool = False


class CallOutcome(StrEnum):
    """What a gateway answered.

    ``APPROVED``: done. ``ACCEPTED``: received; a report tells the result. ``VOIDED``: to a void, a close or a find: the
    authorisation is released, or never was. ``UNKNOWN``: sent, and no answer came, so it may have happened.
    ``NOT_SENT``: it never left, or the gateway refused to serve it (rate, maintenance): nothing happened. ``GONE``: the
    gateway knows nothing of it. ``UNSUPPORTED``: this gateway cannot do it (an operation it does not offer, an amount
    it cannot express); asking again changes nothing. ``KEY_REUSED``: the key was used before with other parameters.
    ``FAILED``: refused for good (a capture, void, refund or adjustment).
    """

    APPROVED = "approved"
    DECLINED = "declined"
    ACTION_REQUIRED = "action_required"
    IN_REVIEW = "in_review"
    ACCEPTED = "accepted"
    VOIDED = "voided"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    GONE = "gone"
    UNSUPPORTED = "unsupported"
    KEY_REUSED = "key_reused"


class DeclineClass(StrEnum):
    """Classes of declines, by which the next step is chosen.

    ``SOFT``: this card perhaps later. ``HARD``: not this card for this order. ``NEVER``: the issuer will never approve
    it; equal cards are not asked either. ``DATA``: wrong card data. ``AUTHENTICATE``: the customer has to confirm.
    ``TECHNICAL``: the network or the issuer failed; the same card once more after a wait.
    """

    SOFT = "soft"
    HARD = "hard"
    NEVER = "never"
    DATA = "data"
    AUTHENTICATE = "authenticate"
    TECHNICAL = "technical"


class GatewayAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A gateway's answer to a call.

    ``amount`` and ``currency`` are those of the answer, to be compared with the call's; None: not named. To ``FIND``
    the outcome is the authorisation's, and ``amount``, ``captured`` and ``refunded`` are its sums (None: not told).
    ``ends_ms`` is the provider's own end of the authorisation, ``capture_max`` the most that may be captured of it
    (None: what was authorised). ``multicapture`` and ``adjustable`` tell what may be done with this authorisation.
    ``wait_ms`` is how long to wait before asking again. ``code`` is the provider's.
    """

    outcome: CallOutcome
    amount: AmountAsked | None = None
    currency: CurrencyCode = ""
    reference: Annotated[str, Meta(max_length=200)] = ""
    transaction: Annotated[str, Meta(max_length=128)] = ""
    ends_ms: int = 0
    capture_max: AmountAsked | None = None
    multicapture: bool = False
    adjustable: bool = False
    captured: AmountAsked | None = None
    refunded: AmountAsked | None = None
    decline: DeclineClass | None = None
    code: Annotated[str, Meta(max_length=64)] = ""
    wait_ms: int = 0
    link: Link = ""
    link_until_ms: int = 0
    cause: Text = ""


class ReportKind(StrEnum):
    """What a gateway reports by itself, by callback or in its list."""

    AUTHORISED = "authorised"
    DECLINED = "declined"
    ACTION_REQUIRED = "action_required"
    REVIEW_OPENED = "review_opened"
    REVIEW_APPROVED = "review_approved"
    REVIEW_REJECTED = "review_rejected"
    VOIDED = "voided"
    ENDED = "ended"
    CAPTURED = "captured"
    CAPTURE_FAILED = "capture_failed"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"


class GatewayReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a gateway reports about an attempt of an order.

    ``key`` is that of the step it is about (of the authorisation for its own reports), empty when the provider does
    not name it. ``amount`` is the step's. ``repairing``: the provider will try a failed capture again by itself.
    """

    order: Id
    attempt: Annotated[int, Meta(ge=1)]
    kind: ReportKind
    key: Annotated[str, Meta(max_length=KEY_LENGTH_MAX)] = ""
    amount: AmountAsked | None = None
    currency: CurrencyCode = ""
    reference: Annotated[str, Meta(max_length=200)] = ""
    transaction: Annotated[str, Meta(max_length=128)] = ""
    ends_ms: int = 0
    capture_max: AmountAsked | None = None
    multicapture: bool = False
    adjustable: bool = False
    decline: DeclineClass | None = None
    code: Annotated[str, Meta(max_length=64)] = ""
    repairing: bool = False
    link: Link = ""
    link_until_ms: int = 0
    cause: Text = ""


class GatewayEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One authorisation in a gateway's own list, with its sums: what reconciliation compares."""

    reference: str
    created_ms: int
    state: str
    currency: CurrencyCode
    authorised: int
    captured: int
    refunded: int
    open: int
    order: str = ""
    attempt: int = 0
    key: str = ""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a gateway offers. ``key_life_s`` is how long it keeps idempotency keys."""

    multicapture: bool = False
    overcapture: bool = False
    adjust: bool = False
    close: bool = False
    async_results: bool = False
    find_by_key: bool = False
    listing: bool = False
    key_life_s: int = 86_400


def call_key(order: str, attempt: int, operation: Operation, number: int = 1) -> str:
    """The idempotency key of a step: of the order, the attempt, the operation and its number, at most 64 characters.

    A long order number is shortened, with checksums of all of it.
    """
    text = order
    if len(order) > ORDER_LENGTH_MAX:
        text = f"{order[:ORDER_HEAD]}.{crc32(order.encode()):08x}{crc32(order[::-1].encode()):08x}"
    return f"{text}-{attempt}-{operation.value}-{number}"
