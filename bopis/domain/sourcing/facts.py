"""Facts about each store at the time of a decision, gathered outside the core and recorded in the decision."""

from msgspec import Struct

from bopis.domain.calendar.hours import Calendar
from bopis.domain.inventory.rows import Incoming as Incoming
from bopis.domain.inventory.rows import Terms

TRUST_FULL = 1_000


class SkuFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One SKU in one store: terms of available to promise, incoming units, units that earlier orders wait for, trust.

    ``trust`` is the share of picks that found what the books promised, in per mille; None before the first pick.
    """

    sku: str
    terms: Terms
    incoming: tuple[Incoming, ...] = ()
    awaited: int = 0
    trust: int | None = None

    @property
    def atp(self) -> int:
        """Units available to promise now."""
        return self.terms.atp


class QueuedWork(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work queued in a store before a new order: minutes, and when they are due."""

    due_ms: int
    minutes: int


class StoreFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One candidate store. ``capacity_minutes`` is the picking work done in one open hour.

    ``heard_ms`` is the newest time that the store's devices reported about, None if it has no device. ``distance_m``
    and ``cost`` are None where unknown. ``work`` is the queued work by due time.
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
    work: tuple[QueuedWork, ...] = ()

    @property
    def queue_minutes(self) -> int:
        """Minutes of all queued work."""
        return sum(it.minutes for it in self.work)
