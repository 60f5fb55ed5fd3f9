"""Vocabulary shared by messages, events and the state of an order."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

# Defined by notices, which orders build on; exported here for code about orders.
from bopis.domain.notices.vocabulary import SEALED_LENGTH_MAX as SEALED_LENGTH_MAX
from bopis.domain.notices.vocabulary import Channel as Channel
from bopis.domain.notices.vocabulary import CustomerRef as CustomerRef
from bopis.domain.notices.vocabulary import Milestone as Milestone
from bopis.domain.notices.vocabulary import Sealed as Sealed
from bopis.domain.values import AmountCents

ORDER_LINES_MAX = 200
HASH_LENGTH_MAX = 64

LineNumber = Annotated[int, Meta(ge=1)]
LineNumbers = Annotated[tuple[LineNumber, ...], Meta(max_length=ORDER_LINES_MAX)]
Hash = Annotated[str, Meta(max_length=HASH_LENGTH_MAX)]
StagingLocation = Annotated[str, Meta(min_length=1, max_length=64)]


class Initiator(StrEnum):
    """Party that initiated a change of an order."""

    CUSTOMER = "customer"
    STAFF = "staff"
    SYSTEM = "system"


class Consent(StrEnum):
    """Consent to a change: never make it, offer it first, or make it without asking."""

    NEVER = "never"
    OFFER = "offer"
    AUTOMATIC = "automatic"


class ShortPolicy(StrEnum):
    """Policy for units missing on the shelf: route again, substitute, fulfil partially, or cancel the line."""

    RESOURCE = "resource"
    SUBSTITUTE = "substitute"
    PARTIAL = "partial"
    CANCEL_LINE = "cancel_line"


class ShortCause(StrEnum):
    """Cause of missing units: short pick, sold at a till, or lost in staging."""

    PICK = "pick"
    TILL = "till"
    STAGING = "staging"


class Arrival(StrEnum):
    """Place where the customer waits."""

    COUNTER = "counter"
    BAY = "bay"
    LOCKER = "locker"


class Proof(StrEnum):
    """Proof of entitlement at the hand-over."""

    CODE = "code"
    TOKEN = "token"
    IDENTITY = "identity"


class Document(StrEnum):
    """Kind of identity document shown; its number is never recorded."""

    NONE = "none"
    IDENTITY_CARD = "identity_card"
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    OTHER = "other"


class TaskKind(StrEnum):
    """Task that an order raises in a store."""

    PUT_BACK = "put_back"
    COUNT = "count"


class PaymentState(StrEnum):
    """State of the payment, as far as the order depends on it. ``LAPSED``: it was authorised for all of it, and is not
    any more."""

    PAY_IN_STORE = "pay_in_store"
    AUTHORISING = "authorising"
    DECLINED = "declined"
    AUTHORISED = "authorised"
    LAPSED = "lapsed"
    EXHAUSTED = "exhausted"


class PayBy(StrEnum):
    """How a customer is asked to pay: confirm by a link, name another method, or pay in the store."""

    LINK = "link"
    OTHER_METHOD = "other_method"
    COUNTER = "counter"


class EndReason(StrEnum):
    """Why lines ended without a hand-over."""

    CUSTOMER_WISH = "customer_wish"
    STORE_WISH = "store_wish"
    FRAUD_SUSPECTED = "fraud_suspected"
    NO_STORE = "no_store"
    NOT_ACCEPTED = "not_accepted"
    OFFER_REFUSED = "offer_refused"
    OFFER_UNANSWERED = "offer_unanswered"
    WAITED_TOO_LONG = "waited_too_long"
    SHORT = "short"
    PAYMENT_EXHAUSTED = "payment_exhausted"
    PAYMENT_LATE = "payment_late"
    STORE_CLOSED = "store_closed"
    OTHER = "other"


class RejectReason(StrEnum):
    """Why lines leave a store."""

    NOT_FOUND = "not_found"
    DAMAGED = "damaged"
    TOO_BUSY = "too_busy"
    CLOSING = "closing"
    NOT_ACCEPTED = "not_accepted"
    STORE_WITHDRAWN = "store_withdrawn"
    OTHER = "other"


class MoveEnd(StrEnum):
    """Why an order did not change its store: stock is missing there, the store cannot serve it, the order changed
    meanwhile, picking began, or another store was chosen."""

    NO_STOCK = "no_stock"
    STORE_UNAVAILABLE = "store_unavailable"
    ORDER_CHANGED = "order_changed"
    TOO_LATE = "too_late"
    REPLACED = "replaced"


class HandoverConflict(StrEnum):
    """Why goods that a store handed over without the centre should not have left, in the order of the checks: recorded
    at the centre as well, handed over by another store, moved to another store, cancelled, window over, not set aside
    for the customer, not paid, handed over against a code that was replaced; or the order never had such goods."""

    RECORDED_TWICE = "recorded_twice"
    HANDED_OVER_ELSEWHERE = "handed_over_elsewhere"
    MOVED = "moved"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NOT_STAGED = "not_staged"
    UNPAID = "unpaid"
    CODE_REPLACED = "code_replaced"
    UNKNOWN_GOODS = "unknown_goods"


class Refusal(StrEnum):
    """Why a command was refused, in the order of the checks."""

    UNKNOWN_ORDER = "unknown_order"
    NUMBER_TAKEN = "number_taken"
    REPEATED_LINE = "repeated_line"
    TOO_MANY_PARTS = "too_many_parts"
    UNKNOWN_LINE = "unknown_line"
    UNKNOWN_STORE = "unknown_store"
    UNKNOWN_OFFER = "unknown_offer"
    UNKNOWN_TASK = "unknown_task"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    HANDED_OVER = "handed_over"
    MOVED = "moved"
    UNASSIGNED = "unassigned"
    TOO_LATE = "too_late"
    TOO_EARLY = "too_early"
    NOT_ALLOWED = "not_allowed"
    TOO_MANY_UNITS = "too_many_units"
    CODE_LOCKED = "code_locked"
    CODE_USED = "code_used"
    WRONG_CODE = "wrong_code"
    UNPAID = "unpaid"
    NO_DOCUMENT = "no_document"
    SAME_STORE = "same_store"
    TOO_MANY_MOVES = "too_many_moves"


class Allows(Struct, frozen=True, kw_only=True):
    """Changes that the order allows. With ``wait_hours`` 0 it does not wait for stock."""

    later: bool = False
    alternatives: Consent = Consent.OFFER
    split: bool = False
    substitutes: Consent = Consent.OFFER
    partial: bool = True
    on_short: ShortPolicy = ShortPolicy.RESOURCE
    wait_hours: Annotated[int, Meta(ge=0, le=24 * 90)] = 0


class LineSum(Struct, frozen=True, kw_only=True):
    """Units of one line."""

    line: int
    sku: str
    quantity: int


class Amount(Struct, frozen=True, kw_only=True):
    """Money in minor units."""

    cents: AmountCents
    currency: Annotated[str, Meta(max_length=3)]
