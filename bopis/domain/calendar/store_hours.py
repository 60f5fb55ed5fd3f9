"""Opening hours of a store as written; an adapter turns them into a calendar."""

from msgspec import Struct


class StoreHours(Struct, frozen=True, kw_only=True):
    """Opening hours in the OpenStreetMap notation, for example ``Mo-Sa 08:00-20:00``.

    Source of the notation: https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification.

    ``holidays`` names the country whose public holidays are kept, or its part, and further closed days, for example
    ``DE-BY 2026-12-24``. The store is closed on them unless the hours say otherwise (``PH 10:00-14:00``). ``closures``
    are days on which the store is closed (``2026-08-03..2026-08-14``), ``openings`` days on which it is open in spite
    of a holiday or closure, with or without hours (``2026-12-24 10:00-14:00``). ``cutoff`` is the latest wall-clock
    time for today's work, ``HH:MM``; empty for none.
    """

    opening_hours: str
    time_zone: str
    holidays: str = ""
    cutoff: str = ""
    closures: str = ""
    openings: str = ""


class StatedHours(StoreHours, frozen=True, kw_only=True):
    """Hours of a store with its picking work in one open hour, in minutes, and whether it is closed for good.

    ``capacity_minutes`` is None where an earlier version recorded the hours alone.
    """

    capacity_minutes: int | None = None
    closed: bool = False


class ClosedDay(Struct, frozen=True, kw_only=True):
    """A holiday or closure: its date in the store's calendar, ``YYYY-MM-DD``, and its name."""

    day: str
    name: str
