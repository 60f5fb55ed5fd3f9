"""State of an order's notices, folded from events."""

from msgspec import Struct

from bopis.domain.notices.messages import DeliveryRef, NoticeRequest
from bopis.domain.notices.vocabulary import Channel, CustomerRef, DeliveryState

OPEN = frozenset({DeliveryState.DUE, DeliveryState.WAITING, DeliveryState.UNKNOWN})
PERHAPS_SENT = frozenset({DeliveryState.DUE, DeliveryState.SENT, DeliveryState.UNKNOWN})


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One notice on one channel."""

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
    """One notice with its deliveries; a copy is a notice of its own."""

    notice: NoticeRequest
    copy: int
    asked_by: str
    opened_ms: int
    deliveries: tuple[Delivery, ...] = ()

    def ref(self, channel: Channel) -> DeliveryRef:
        """Reference of one of its deliveries."""
        return DeliveryRef(
            milestone=self.notice.milestone, version=self.notice.version, channel=channel, copy=self.copy
        )


class OrderNotices(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All notices of one order. ``gone`` are the lines that have ended, ``fired`` counts the deadlines decided."""

    order: str
    customer: CustomerRef
    code_version: int = 1
    notices: tuple[Notice, ...] = ()
    gone: tuple[int, ...] = ()
    due_ms: int = 0
    fired: int = 0
