"""What is known of each store at the moment of a decision. Facts are gathered outside and stand in the decision."""

from msgspec import Struct

from bopis.domain.calendar.hours import Calendar
from bopis.domain.inventory.rows import Incoming as Incoming
from bopis.domain.inventory.rows import Terms

TRUST_FULL = 1_000


class SkuFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One SKU in one store: available to promise with its terms, what is coming, how many units orders that came
    before wait for there, and how well the shelf keeps what the books promise (per mille; None when nobody has picked
    it yet)."""

    sku: str
    terms: Terms
    incoming: tuple[Incoming, ...] = ()
    awaited: int = 0
    trust: int | None = None

    @property
    def atp(self) -> int:
        """Units that may be promised now."""
        return self.terms.atp


class Queue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work that stands before a new order in a store: until when each piece is due, and its minutes."""

    due_ms: int
    minutes: int


class StoreFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One candidate store. ``capacity_minutes`` is the picking work done in one open hour.

    ``heard_ms`` is the newest instant that the store's devices reported about, None if it has none to be silent.
    ``distance_m`` and ``cost`` are None where they are not known. ``work`` is what its queue holds, by due time.
    """

    store: str
    calendar: Calendar
    skus: tuple[SkuFacts, ...] = ()
    pickup: bool = True
    closed: bool = False
    heard_ms: int | None = None
    distance_m: int | None = None
    cost: int | None = None
    capacity_minutes: int = 60
    pick_seconds: int | None = None
    work: tuple[Queue, ...] = ()

    @property
    def queue_minutes(self) -> int:
        """Minutes of all the work that waits."""
        return sum(it.minutes for it in self.work)
