"""Events of the order as a whole: placed, refused, cancelled, expired, and the notices to its customer."""

from msgspec import Struct

from bopis.domain.notices.messages import NoticeLine
from bopis.domain.orders.lines import PlacedLine, Stamp
from bopis.domain.orders.vocabulary import (
    Allows,
    CustomerRef,
    EndReason,
    Initiator,
    Milestone,
    PaymentState,
    Refusal,
)
from bopis.domain.sourcing.unserved import Unserved


class OrderPlaced(Struct, frozen=True, kw_only=True):
    """An order was placed; the hashes are those of the first pickup code."""

    stamp: Stamp
    key: str
    request: str
    customer: CustomerRef
    store: str
    lines: tuple[PlacedLine, ...]
    slot_from_ms: int | None
    slot_to_ms: int | None
    place_latitude_e6: int | None
    place_longitude_e6: int | None
    allows: Allows
    payment: PaymentState
    methods: tuple[str, ...]
    currency: str
    code_hash: str
    token_hash: str
    note: str


class CommandRefused(Struct, frozen=True, kw_only=True):
    """A command was refused. ``message`` is its id, ``line`` the first line that it failed on."""

    stamp: Stamp
    command: str
    reason: Refusal
    message: str
    line: int | None = None


class LineSplit(Struct, frozen=True, kw_only=True):
    """Units of a line became line ``into``, because a command is about them and not about the rest."""

    stamp: Stamp
    line: int
    into: int
    quantity: int


class OrderCancelled(Struct, frozen=True, kw_only=True):
    """Lines were cancelled; ``unserved`` tells which stock was missing where, when no store could serve them."""

    stamp: Stamp
    lines: tuple[int, ...]
    by: Initiator
    reason: EndReason
    unserved: Unserved | None = None


class OrderExpired(Struct, frozen=True, kw_only=True):
    """Ready goods were not collected within the pickup window."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class NoticeDue(Struct, frozen=True, kw_only=True):
    """The customer is to be notified. (order, milestone, version) identifies the notice.

    ``wanted_store`` is the store that the customer chose; ``offered_cents`` the price of an offered substitute;
    ``due_cents`` what is to be paid, ``link`` where.
    """

    stamp: Stamp
    order: str
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
    unserved: Unserved | None = None
    due_cents: int = 0
    link: str = ""


LifecycleEvent = OrderPlaced | CommandRefused | LineSplit | OrderCancelled | OrderExpired | NoticeDue
