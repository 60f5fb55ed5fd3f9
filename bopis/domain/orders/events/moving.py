"""Events of a change of store: requested, held in the new store, made, or ended without a change."""

from msgspec import Struct

from bopis.domain.orders.lines import HeldPart, Stamp
from bopis.domain.orders.vocabulary import Initiator, LineSum, MoveEnd
from bopis.domain.sourcing.decision import Assignment, EliminationReason
from bopis.domain.sourcing.unserved import Unserved


class MoveRequested(Struct, frozen=True, kw_only=True):
    """All open lines are to change their store; routing is asked for that store alone, with this attempt."""

    stamp: Stamp
    store: str
    attempt: int
    lines: tuple[LineSum, ...]
    by: Initiator
    reason: str


class MoveHoldRequested(Struct, frozen=True, kw_only=True):
    """A hold was requested from the new store, while the lines keep the hold that they have."""

    stamp: Stamp
    hold: str
    store: str
    parts: tuple[HeldPart, ...]
    hold_until_ms: int
    promised_for_ms: int
    assignment: Assignment


class OrderMoved(Struct, frozen=True, kw_only=True):
    """The new store holds all open lines and has become their store; the holds of ``left`` are released."""

    stamp: Stamp
    store: str
    left: tuple[str, ...]
    hold: str
    lines: tuple[LineSum, ...]
    by: Initiator


class MoveEnded(Struct, frozen=True, kw_only=True):
    """The store was not changed: the order keeps its store and its holds, and what the new store held is released.

    ``elimination`` is routing's reason against the store, ``unserved`` the stock that it lacks.
    """

    stamp: Stamp
    store: str
    hold: str
    reason: MoveEnd
    elimination: EliminationReason | None = None
    unserved: Unserved | None = None


MovingEvent = MoveRequested | MoveHoldRequested | OrderMoved | MoveEnded
