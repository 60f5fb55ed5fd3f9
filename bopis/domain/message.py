"""Envelope fields that every message carries."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from bopis.domain.values import DERIVED_ID_LENGTH_MAX, ID_LENGTH_MAX, Id, Instant, Sequence, StoreId


class Message(Struct, frozen=True, kw_only=True):
    """One message: source, subject, time of occurrence, body, and the message that caused it.

    ``time`` is when it happened at the source; the append time of its record in the log arrives beside the message.
    ``seq`` counts a device's messages from 1 without holes; people and services leave it out.
    """

    id: Annotated[str, Meta(min_length=1, max_length=DERIVED_ID_LENGTH_MAX)]
    source: Id
    time: Instant
    subject: StoreId
    data: Any
    seq: Sequence | UnsetType = UNSET
    actor: Annotated[str, Meta(max_length=ID_LENGTH_MAX)] | UnsetType = UNSET
    correlation: Annotated[str, Meta(max_length=ID_LENGTH_MAX)] | UnsetType = UNSET
    causation: Annotated[str, Meta(max_length=DERIVED_ID_LENGTH_MAX)] | UnsetType = UNSET

    @property
    def cause(self) -> str:
        """Name of this message in the ids and causations derived from it: ids are unique per source only."""
        return f"{self.source}/{self.id}"


class ResolvedMessage(Message, frozen=True, kw_only=True):
    """A message whose codes were resolved before it was moved to other topics; ``sent`` is its body as it was sent."""

    sent: Any


def as_resolved(message: Message, data: Any) -> ResolvedMessage:
    """A message with its codes resolved in the body `data`."""
    envelope = {name: getattr(message, name) for name in Message.__struct_fields__}
    return ResolvedMessage(**{**envelope, "data": data, "sent": message.data})


def as_sent(message: Message) -> Message:
    """A message with the body that its source sent, by which its repeats are recognised."""
    return replace(message, data=message.sent) if isinstance(message, ResolvedMessage) else message
