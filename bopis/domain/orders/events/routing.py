"""Events of routing: requested, answered, alternatives offered, lines waiting for stock."""

from msgspec import Struct

from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import Initiator
from bopis.domain.sourcing.decision import Assignment, RoutingOutcome
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.unserved import Unserved


class RoutingRequested(Struct, frozen=True, kw_only=True):
    """Lines need a store. The answer names the attempt; only the first answer to an attempt is taken."""

    stamp: Stamp
    attempt: int
    request: Request


class RouteTaken(Struct, frozen=True, kw_only=True):
    """The answer of routing to an attempt was taken; ``digest`` identifies the recorded decision behind it.

    ``unserved`` tells which stock was missing where, when no store was assigned or offered.
    """

    stamp: Stamp
    attempt: int
    outcome: RoutingOutcome
    digest: str
    assignments: tuple[Assignment, ...]
    offers: tuple[Assignment, ...]
    unserved: Unserved | None = None


class AlternativeOffered(Struct, frozen=True, kw_only=True):
    """Other stores were offered to the customer for lines."""

    stamp: Stamp
    attempt: int
    lines: tuple[int, ...]
    offers: tuple[Assignment, ...]
    answer_by_ms: int


class AlternativeAnswered(Struct, frozen=True, kw_only=True):
    """One of the offered stores was taken, or none; ``by`` is the system when the offer expired."""

    stamp: Stamp
    attempt: int
    store: str | None
    by: Initiator


class LinesWaiting(Struct, frozen=True, kw_only=True):
    """No store can serve the lines now; they are routed again when stock appears."""

    stamp: Stamp
    lines: tuple[int, ...]
    skus: tuple[str, ...]
    wait_until_ms: int


RoutingEvent = RoutingRequested | RouteTaken | AlternativeOffered | AlternativeAnswered | LinesWaiting
