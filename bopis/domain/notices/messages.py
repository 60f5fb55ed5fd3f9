"""What is said to the notices of an order."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.notices.limits import CAUSE_LENGTH_MAX
from bopis.domain.notices.terms import Channel, CustomerRef, Milestone, Outcome
from bopis.domain.values import Instant, Units

Version = Annotated[int, Meta(ge=1)]
Cause = Annotated[str, Meta(max_length=CAUSE_LENGTH_MAX)]


class NoticeLine(Struct, frozen=True, kw_only=True):
    """Units of one order line that a notice is about."""

    line: int
    sku: str
    quantity: int


class NoticeDue(Struct, frozen=True, kw_only=True):
    """A customer is to be told. (order, milestone, version) names what is said, however often it is asked for."""

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


class LinesGone(Struct, frozen=True, kw_only=True):
    """Lines were handed over: nothing is said about them any more that was true before."""

    lines: tuple[int, ...]


class DeliveryRef(Struct, frozen=True, kw_only=True):
    """Names one delivery of an order; with the order it is the key at the provider."""

    milestone: Milestone
    version: Version
    channel: Channel
    copy: Version = 1

    def key(self, order: str) -> str:
        """The key of the delivery: at most one message leaves under it, unless its channel bears repeats."""
        again = f".{self.copy}" if self.copy > 1 else ""
        return f"{order}/{self.milestone.value}/{self.version}{again}/{self.channel.value}"


class ResendNotice(Struct, frozen=True, kw_only=True):
    """Say something once more: a copy with a key of its own. Version 0 is the newest; no channel means all."""

    milestone: Milestone
    version: Units = 0
    channel: Channel | None = None


class DeliveryAnswered(Struct, frozen=True, kw_only=True):
    """What became of one attempt; ``cause`` says why it did not leave, ``provider_id`` how the provider calls it."""

    delivery: DeliveryRef
    attempt: Version
    outcome: Outcome
    cause: Cause = ""
    provider_id: Annotated[str, Meta(max_length=256)] = ""
    not_before_ms: int | None = None


class Tick(Struct, frozen=True, kw_only=True):
    """Something of the order's notices is due."""

    at: Instant


NoticeMessage = NoticeDue | LinesGone | ResendNotice | DeliveryAnswered | Tick
