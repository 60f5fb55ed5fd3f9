"""Words of notices: milestones, channels, who is told, and what can become of a delivery."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.values import Id

SEALED_LENGTH_MAX = 8_192
CHANNELS_MAX = 8

Sealed = Annotated[str, Meta(max_length=SEALED_LENGTH_MAX)]  # sealed under the customer's key before it enters


class Channel(StrEnum):
    """How a customer wants to be told."""

    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"
    CONSOLE = "console"
    CHAT = "chat"


class Milestone(StrEnum):
    """What a customer is told about."""

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
    NOT_READY = "not_ready"
    CODE_REISSUED = "code_reissued"
    REFUNDED = "refunded"


class CustomerRef(Struct, frozen=True, kw_only=True):
    """A customer by id, how they want to be told, and who they are: sealed, opened only where shown or sent."""

    id: Id
    language: Annotated[str, Meta(max_length=16)] = ""
    channels: Annotated[tuple[Channel, ...], Meta(max_length=CHANNELS_MAX)] = ()
    sealed: Sealed = ""


class Outcome(StrEnum):
    """What the notifier has to say about one attempt.

    ``failed`` passes and may be tried again; ``refused`` never will; ``unknown`` may have been sent; ``stale`` was
    found too late and was not sent; ``postponed`` waits for the end of quiet hours.
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
    """Where one delivery stands."""

    DUE = "due"
    WAITING = "waiting"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    NO_ADDRESS = "no_address"


class Refusal(StrEnum):
    """Why a notice is not sent again, in the order in which it is checked."""

    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_NOTICE = "unknown_notice"
    ENDED = "ended"
    REPLACED = "replaced"
    TOO_LATE = "too_late"
