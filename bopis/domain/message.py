"""The header that every message carries, whatever it says."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from bopis.domain.values import DERIVED_ID_LENGTH_MAX, ID_LENGTH_MAX, Id, Instant, Sequence, StoreId


class Message(Struct, frozen=True, kw_only=True):
    """One message: who says what about which subject, when it happened, and what caused it.

    ``time`` is when it happened there; when the log learned it is the record's append time and arrives beside
    the message. ``seq`` counts a device's messages from 1 without holes; people and services leave it out.
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
        """How what follows from this message names it: ids are unique per source only."""
        return f"{self.source}/{self.id}"
