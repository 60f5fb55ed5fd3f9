"""Events of an order's notices, in the past tense."""

from msgspec import Struct

from bopis.domain.notices.messages import DeliveryRef, NoticeRequest
from bopis.domain.notices.vocabulary import Channel, CustomerRef, DeliveryState, Milestone, ResendRefusal


class NoticeOpened(Struct, frozen=True, kw_only=True):
    """A notice was opened on these channels. ``asked_by`` is the message that requested it, to recognise repeats."""

    at_ms: int
    notice: NoticeRequest
    copy: int
    channels: tuple[Channel, ...]
    asked_by: str


class DeliveryDue(Struct, frozen=True, kw_only=True):
    """The notifier is to send this now; after ``valid_until_ms`` it answers ``stale`` and is asked again."""

    at_ms: int
    delivery: DeliveryRef
    attempt: int
    valid_until_ms: int
    answer_by_ms: int
    customer: CustomerRef
    notice: NoticeRequest
    code_version: int


class DeliveryChanged(Struct, frozen=True, kw_only=True):
    """A delivery changed its state. ``due_ms`` is its next deadline, 0 for none."""

    at_ms: int
    delivery: DeliveryRef
    attempt: int
    state: DeliveryState
    failures: int
    due_ms: int = 0
    cause: str = ""
    provider_id: str = ""


class LinesClosed(Struct, frozen=True, kw_only=True):
    """Lines have ended: only notices of their end are still sent about them."""

    at_ms: int
    lines: tuple[int, ...]


class ResendRefused(Struct, frozen=True, kw_only=True):
    """A resend was refused. ``message`` is the id of the command."""

    at_ms: int
    milestone: Milestone
    reason: ResendRefusal
    message: str


Event = NoticeOpened | DeliveryDue | DeliveryChanged | LinesClosed | ResendRefused
