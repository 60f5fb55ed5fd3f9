"""Events at and after the counter: ready, arrived, handed over, extended, returned."""

from msgspec import Struct

from bopis.domain.orders.lines import Collected, ReturnedUnits, Stamp
from bopis.domain.orders.vocabulary import Arrival, Document, HandoverConflict, LineSum, Proof


class OrderReady(Struct, frozen=True, kw_only=True):
    """Everything that a store will hand over is staged: the pickup window begins."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    window_end_ms: int
    hold_until_ms: int


class ReadyWithdrawn(Struct, frozen=True, kw_only=True):
    """Lines are not ready after all; the customer is sent a correction."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class ArrivalRecorded(Struct, frozen=True, kw_only=True):
    """The customer has arrived; the window of ready goods is extended so that it does not end while they wait."""

    stamp: Stamp
    store: str
    where: Arrival
    spot: str
    lines: tuple[int, ...]
    window_end_ms: int
    hold_until_ms: int


class CodeFailed(Struct, frozen=True, kw_only=True):
    """A wrong code or token was shown; after the last try only an identity document is accepted."""

    stamp: Stamp
    store: str
    tries_left: int


class CodeReissued(Struct, frozen=True, kw_only=True):
    """The pickup code was replaced."""

    stamp: Stamp
    version: int
    code_hash: str
    token_hash: str


class OrderHandedOver(Struct, frozen=True, kw_only=True):
    """Lines were handed over: booked out of holds (``collected``), or without a hold (``uncovered``)."""

    stamp: Stamp
    store: str
    lines: tuple[LineSum, ...]
    collected: tuple[Collected, ...]
    uncovered: tuple[LineSum, ...]
    proof: Proof
    document: Document
    to: str
    signature: str


class HandoverConflictFound(Struct, frozen=True, kw_only=True):
    """Goods left a store that could not reach the centre, in spite of what had become of the order: for staff to look
    at.

    ``recalled`` are lines that had ended, or were another store's: they are taken back to be handed over. ``uncovered``
    are units of no such line, corrected in the books.
    """

    stamp: Stamp
    store: str
    conflict: HandoverConflict
    recalled: tuple[int, ...] = ()
    uncovered: tuple[LineSum, ...] = ()


class WindowExtended(Struct, frozen=True, kw_only=True):
    """The pickup window was extended."""

    stamp: Stamp
    store: str
    window_end_ms: int
    hold_until_ms: int


class OrderReturned(Struct, frozen=True, kw_only=True):
    """Handed-over units came back to a store."""

    stamp: Stamp
    store: str
    units: tuple[ReturnedUnits, ...]


HandoverEvent = (
    OrderReady
    | ReadyWithdrawn
    | ArrivalRecorded
    | CodeFailed
    | CodeReissued
    | OrderHandedOver
    | HandoverConflictFound
    | WindowExtended
    | OrderReturned
)
