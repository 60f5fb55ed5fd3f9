"""Outgoing message for one address on one channel, and the result of sending it."""

from msgspec import Struct

from bopis.domain.notices.messages import DeliveryRef
from bopis.domain.notices.vocabulary import SendOutcome


class RenderedText(Struct, frozen=True, kw_only=True):
    """A notice in the customer's language. ``html`` refers to the image of the pickup code as ``cid:pickup-code``."""

    subject: str
    text: str
    html: str
    short: str


class OutgoingMessage(Struct, frozen=True, kw_only=True):
    """A message for an adapter to send. Its ``repr`` shows neither text nor address, so that it may be logged."""

    order: str
    customer: str
    delivery: DeliveryRef
    attempt: int
    address: str
    name: str
    words: RenderedText
    token: str = ""
    facts: dict[str, object] = {}

    @property
    def key(self) -> str:
        """Key at the provider (`DeliveryRef.key`)."""
        return self.delivery.key(self.order)

    def __repr__(self) -> str:
        return f"OutgoingMessage({self.key!r}, attempt={self.attempt})"


class SendResult(Struct, frozen=True, kw_only=True):
    """Result of sending a message; ``cause`` never contains an address or a code."""

    outcome: SendOutcome
    cause: str = ""
    provider_id: str = ""
    not_before_ms: int | None = None
