"""Vocabulary of notices: milestones, channels, customers, outcomes and states of a delivery."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.values import Id

SEALED_LENGTH_MAX = 8_192
CHANNELS_MAX = 8

Sealed = Annotated[
    str, Meta(max_length=SEALED_LENGTH_MAX)
]  # encrypted under the customer's key before it enters the log


class Channel(StrEnum):
    """Channel that a customer is notified on."""

    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"
    CONSOLE = "console"
    CHAT = "chat"


class Milestone(StrEnum):
    """Event of an order that a customer is notified of."""

    PLACED = "placed"
    PROMISE_CHANGED = "promise_changed"
    READY = "ready"
    REMINDER = "reminder"
    ARRIVAL = "arrival"
    SUBSTITUTE_OFFERED = "substitute_offered"
    ALTERNATIVE_OFFERED = "alternative_offered"
    WAITING = "waiting"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    COLLECTED = "collected"
    NOT_READY = "not_ready"
    CODE_REISSUED = "code_reissued"
    REFUNDED = "refunded"
    PAYMENT_NEEDED = "payment_needed"


# Notices of an end stay true: they are never withdrawn, and never too late.
END_MILESTONES = frozenset({Milestone.CANCELLED, Milestone.EXPIRED, Milestone.COLLECTED, Milestone.REFUNDED})


class CustomerRef(Struct, frozen=True, kw_only=True):
    """Customer by id, with language and channels; ``sealed`` is the encrypted contact, opened only to show or send."""

    id: Id
    language: Annotated[str, Meta(max_length=16)] = ""
    channels: Annotated[tuple[Channel, ...], Meta(max_length=CHANNELS_MAX)] = ()
    sealed: Sealed = ""


class SendOutcome(StrEnum):
    """Outcome of one attempt.

    ``failed`` may be tried again and ``refused`` may not; ``unknown`` may have been sent; ``stale`` was taken up too
    late and not sent; ``postponed`` waits for the end of quiet hours.
    """

    SENT = "sent"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    STALE = "stale"
    POSTPONED = "postponed"
    ERASED = "erased"
    NO_ADDRESS = "no_address"


class DeliveryState(StrEnum):
    """State of one delivery."""

    DUE = "due"
    WAITING = "waiting"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    NO_ADDRESS = "no_address"


class ResendRefusal(StrEnum):
    """Why a resend is refused, in the order of the checks."""

    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_NOTICE = "unknown_notice"
    ENDED = "ended"
    REPLACED = "replaced"
    TOO_LATE = "too_late"
