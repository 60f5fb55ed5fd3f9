"""Events of holds, of the promises made on them, and of the inventory's answers about them."""

from msgspec import Struct

from bopis.domain.orders.lines import HeldPart, PickedUnits, Stamp, Take
from bopis.domain.orders.vocabulary import LineSum
from bopis.domain.sourcing.decision import Assignment


class HoldRequested(Struct, frozen=True, kw_only=True):
    """A hold was requested from a store, which becomes the store of the lines."""

    stamp: Stamp
    hold: str
    store: str
    takes: tuple[Take, ...]
    parts: tuple[HeldPart, ...]
    hold_until_ms: int
    promised_for_ms: int
    assignment: Assignment | None


class LinesHeld(Struct, frozen=True, kw_only=True):
    """A store holds lines."""

    stamp: Stamp
    hold: str
    store: str
    lines: tuple[LineSum, ...]


class HoldRefused(Struct, frozen=True, kw_only=True):
    """A store refused a hold: ``skus`` are those it lacks; none when it takes no pickups at all."""

    stamp: Stamp
    hold: str
    store: str
    skus: tuple[str, ...]
    lines: tuple[int, ...]
    excluded: bool


class OrderPromised(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lines that are held and paid for, or will be paid in the store, were promised to the customer.

    ``accept_by_ms`` and ``reroute_by_ms`` are the store's deadlines where a late promise moved them; None: as routed.
    """

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    ready_by_ms: int
    promised_before_ms: int | None
    hold_until_ms: int
    accept_by_ms: int | None = None
    reroute_by_ms: int | None = None


class LinesFreed(Struct, frozen=True, kw_only=True):
    """A hold ended for lines; ``kept`` when they are set aside and stay so, else they are routed again."""

    stamp: Stamp
    hold: str
    lines: tuple[int, ...]
    kept: bool


class CoverLost(Struct, frozen=True, kw_only=True):
    """A hold lost units in the books, to a till sale or a count. Units already picked still go to the customer."""

    stamp: Stamp
    hold: str
    number: int
    units: int


class ShortPickConfirmed(Struct, frozen=True, kw_only=True):
    """The inventory took units out of a hold that a pick had reported missing."""

    stamp: Stamp
    hold: str
    number: int
    units: int


class PickRestated(Struct, frozen=True, kw_only=True):
    """A pick no longer fitted its hold and is reported again as far as the hold covers it.

    Without units there is nothing to report; the units reported missing are covered as before.
    """

    stamp: Stamp
    store: str
    hold: str
    units: tuple[PickedUnits, ...]


class BooksCorrected(Struct, frozen=True, kw_only=True):
    """Other units left the store than a hold covered: the books are corrected to match the goods."""

    stamp: Stamp
    store: str
    lines: tuple[LineSum, ...]


class CollectionAnswered(Struct, frozen=True, kw_only=True):
    """The inventory answered the collection of a hold."""

    stamp: Stamp
    hold: str


HoldingEvent = (
    HoldRequested
    | LinesHeld
    | HoldRefused
    | OrderPromised
    | LinesFreed
    | CoverLost
    | ShortPickConfirmed
    | PickRestated
    | BooksCorrected
    | CollectionAnswered
)
