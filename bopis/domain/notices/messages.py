"""Messages to the notices of an order."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.notices.limits import CAUSE_LENGTH_MAX
from bopis.domain.notices.vocabulary import Channel, CustomerRef, Milestone, SendOutcome
from bopis.domain.values import Instant, Units

Version = Annotated[int, Meta(ge=1)]
Cause = Annotated[str, Meta(max_length=CAUSE_LENGTH_MAX)]


class NoticeLine(Struct, frozen=True, kw_only=True):
    """Units of one order line that a notice is about; ``unit_cents`` is the price of one, in minor units (0: none)."""

    line: int
    sku: str
    quantity: int
    unit_cents: int = 0


class MissingStock(Struct, frozen=True, kw_only=True):
    """A SKU for which no store was found: units wanted, those of the chosen store, and the store that has most of it.

    ``other`` is empty when no other store has more. A ``distance_m_max`` of 0 is no limit.
    """

    sku: str
    wanted: int
    store: str
    available: int
    other: str = ""
    other_available: int = 0
    other_distance_m: int | None = None
    distance_m_max: int = 0


class NoticeRequest(Struct, frozen=True, kw_only=True):
    """Request to notify the customer. (order, milestone, version) identifies the notice, however often it arrives.

    ``reason`` is the reason of a cancellation, or the SKU of an offered substitute, with its price ``offered_cents``.
    ``wanted_store`` is the store that the customer chose, ``is_last`` marks the last reminder, ``at_ms`` is the time of
    the event that the notice is about, on the clock of its source. ``due_cents`` is to be paid; ``link`` is where.
    """

    milestone: Milestone
    version: int
    customer: CustomerRef
    store: str
    lines: tuple[NoticeLine, ...]
    ready_by_ms: int | None = None
    window_end_ms: int | None = None
    answer_by_ms: int | None = None
    reason: str = ""
    code_version: int | None = None
    wanted_store: str = ""
    currency: str = ""
    pay_in_store: bool = False
    offered_cents: int = 0
    is_last: bool = False
    at_ms: int = 0
    missing: tuple[MissingStock, ...] = ()
    due_cents: int = 0
    link: str = ""


class LinesEnded(Struct, frozen=True, kw_only=True):
    """Lines were handed over: earlier notices about them are no longer true."""

    lines: tuple[int, ...]


class DeliveryRef(Struct, frozen=True, kw_only=True):
    """Identifies one delivery of an order; with the order's number it is the key at the provider."""

    milestone: Milestone
    version: Version
    channel: Channel
    copy: Version = 1

    def key(self, order: str) -> str:
        """Key at the provider: at most one send per key, except on channels where duplicates are safe."""
        copy = f".{self.copy}" if self.copy > 1 else ""
        return f"{order}/{self.milestone.value}/{self.version}{copy}/{self.channel.value}"


class ResendNotice(Struct, frozen=True, kw_only=True):
    """Send a notice again, as a copy with a key of its own. Version 0 is the newest; no channel means all."""

    milestone: Milestone
    version: Units = 0
    channel: Channel | None = None


class DeliveryAnswered(Struct, frozen=True, kw_only=True):
    """Result of one attempt; ``cause`` is why it was not sent, ``provider_id`` the provider's id of the message."""

    delivery: DeliveryRef
    attempt: Version
    outcome: SendOutcome
    cause: Cause = ""
    provider_id: Annotated[str, Meta(max_length=256)] = ""
    not_before_ms: int | None = None


class NoticeTick(Struct, frozen=True, kw_only=True):
    """A deadline of the order's notices has passed; written by the processor's own timer."""

    at: Instant


NoticeMessage = NoticeRequest | LinesEnded | ResendNotice | DeliveryAnswered | NoticeTick
