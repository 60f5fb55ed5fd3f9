"""What leaves: one message for one address over one channel, and what the provider said to it."""

from msgspec import Struct

from bopis.domain.notices.messages import DeliveryRef
from bopis.domain.notices.terms import Outcome


class Words(Struct, frozen=True, kw_only=True):
    """A notice in the customer's language. ``html`` refers to the code's picture as ``cid:pickup-code``."""

    subject: str
    text: str
    html: str
    short: str


class Letter(Struct, frozen=True, kw_only=True):
    """What an adapter sends. Its text never shows what it says or to whom: it may stand in a log."""

    order: str
    customer: str
    delivery: DeliveryRef
    attempt: int
    address: str
    name: str
    words: Words
    token: str = ""
    facts: dict[str, object] = {}

    @property
    def key(self) -> str:
        """The key at the provider."""
        return self.delivery.key(self.order)

    def __repr__(self) -> str:
        return f"Letter({self.key!r}, attempt={self.attempt})"


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of a letter: never with an address or a code in its cause."""

    outcome: Outcome
    cause: str = ""
    provider_id: str = ""
    not_before_ms: int | None = None
