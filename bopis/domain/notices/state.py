"""The notices of one order as they stand, folded from events."""

from msgspec import Struct

from bopis.domain.notices.messages import DeliveryRef, NoticeDue
from bopis.domain.notices.terms import Channel, CustomerRef, DeliveryState

OPEN = frozenset({DeliveryState.DUE, DeliveryState.WAITING, DeliveryState.UNKNOWN})
PERHAPS_SENT = frozenset({DeliveryState.DUE, DeliveryState.SENT, DeliveryState.UNKNOWN})


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One notice over one channel."""

    channel: Channel
    state: DeliveryState = DeliveryState.WAITING
    attempt: int = 0
    failures: int = 0
    asked_ms: int = 0
    changed_ms: int = 0
    due_ms: int = 0
    cause: str = ""
    provider_id: str = ""


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is, or was, to be said; a copy is a notice of its own."""

    notice: NoticeDue
    copy: int
    asked_by: str
    opened_ms: int
    deliveries: tuple[Delivery, ...] = ()

    def ref(self, channel: Channel) -> DeliveryRef:
        """The name of one of its deliveries."""
        told = self.notice
        return DeliveryRef(milestone=told.milestone, version=told.version, channel=channel, copy=self.copy)


class OrderNotices(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that one customer is told about one order. ``gone`` are lines that have ended, ``fired`` counts the deadlines
    that have been decided."""

    order: str
    customer: CustomerRef
    code_version: int = 1
    notices: tuple[Notice, ...] = ()
    gone: tuple[int, ...] = ()
    due_ms: int = 0
    fired: int = 0
