"""What notices conclude, in the past tense."""

from msgspec import Struct

from bopis.domain.notices.messages import DeliveryRef, NoticeDue
from bopis.domain.notices.terms import Channel, CustomerRef, DeliveryState, Milestone, Refusal


class NoticeOpened(Struct, frozen=True, kw_only=True):
    """Something is to be said, over these channels. ``asked_by`` names who asked, so that a repeat is told."""

    at_ms: int
    notice: NoticeDue
    copy: int
    channels: tuple[Channel, ...]
    asked_by: str


class DeliveryDue(Struct, frozen=True, kw_only=True):
    """The notifier is to send this, now or never: found after ``valid_until_ms`` it is asked for anew."""

    at_ms: int
    delivery: DeliveryRef
    attempt: int
    valid_until_ms: int
    answer_by_ms: int
    customer: CustomerRef
    notice: NoticeDue
    code_version: int


class DeliveryChanged(Struct, frozen=True, kw_only=True):
    """A delivery stands elsewhere now. ``due_ms`` is when it is looked at again, 0 if never."""

    at_ms: int
    delivery: DeliveryRef
    attempt: int
    state: DeliveryState
    failures: int
    due_ms: int = 0
    cause: str = ""
    provider_id: str = ""


class LinesClosed(Struct, frozen=True, kw_only=True):
    """Nothing more is said about these lines but how they ended."""

    at_ms: int
    lines: tuple[int, ...]


class ResendRefused(Struct, frozen=True, kw_only=True):
    """A notice is not sent again. ``message`` is the id of the command."""

    at_ms: int
    milestone: Milestone
    reason: Refusal
    message: str


Event = NoticeOpened | DeliveryDue | DeliveryChanged | LinesClosed | ResendRefused
