"""Calendars of shops that tests speak of."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bopis.adapters.opening_hours import OsmHours
from bopis.domain.calendar.hours import Calendar
from bopis.domain.calendar.store_hours import StoreHours

CHICAGO = "America/Chicago"
LONDON = "Europe/London"
WEEKDAYS = "Mo-Sa 08:00-20:00"
HOURS = OsmHours()


def ms(text: str, zone: str = CHICAGO) -> int:
    """A wall-clock time in a zone as epoch milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def calendar(hours: str, at: str, zone: str = CHICAGO, days: int = 30, **stated: str) -> Calendar:
    """The calendar of a shop around a wall-clock time of its own."""
    return HOURS.calendar(StoreHours(opening_hours=hours, time_zone=zone, **stated), ms(at, zone), days)
