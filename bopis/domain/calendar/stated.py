"""What a store states about its hours, as it was written; an adapter turns it into a calendar."""

from msgspec import Struct


class StatedHours(Struct, frozen=True, kw_only=True):
    """Opening hours in the words of OpenStreetMap, for example ``Mo-Sa 08:00-20:00; PH off``.

    ``holidays`` names days without opening and the country whose public holidays ``PH`` means, for example
    ``US 2026-12-24``. ``cutoff`` is the latest wall-clock time for today's work, ``HH:MM``; empty for none.
    """

    opening_hours: str
    time_zone: str
    holidays: str = ""
    cutoff: str = ""
