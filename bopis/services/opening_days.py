"""The next opening times of a store by day, for mails and commands."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from bopis.domain.calendar.hours import opening_times, store_day
from bopis.domain.calendar.store_hours import StoreHours
from bopis.ports import OpeningHours

DAY_END = "24:00"


class OpeningDay(Struct, frozen=True, kw_only=True):
    """The opening times of a store day, in the store's zone: ``begins`` is its midnight, ``ends`` the next one. A night
    belongs to the evening that it began in. It is closed without any times."""

    begins: datetime
    ends: datetime
    opens: tuple[tuple[datetime, datetime], ...]

    @property
    def all_day(self) -> bool:
        """Whether the store does not close on this day."""
        return self.opens == ((self.begins, self.ends),)

    @property
    def times(self) -> tuple[tuple[str, str], ...]:
        """The times as pairs of clock times; the end of the day is 24:00."""
        return tuple(
            (f"{opens:%H:%M}", DAY_END if closes == self.ends else f"{closes:%H:%M}") for opens, closes in self.opens
        )

    @property
    def spans(self) -> str:
        """The times in one line: ``08:00–12:00, 14:00–18:00``."""
        return ", ".join(f"{opens}–{closes}" for opens, closes in self.times)


def opening_days(stated: StoreHours, hours: OpeningHours, at_ms: int, count: int) -> list[OpeningDay]:
    """The opening times of the day of an instant in the store's zone, and of the days after it.

    Raises the errors of `OpeningHours.calendar`.
    """
    zone = ZoneInfo(stated.time_zone)
    # One day more: a night belongs to the evening before.
    calendar = hours.calendar(stated, at_ms, count + 1)
    first = store_day(calendar, at_ms)
    assert first is not None, "the calendar covers its own instant"
    found = []
    for day in range(first, min(first + count, len(calendar.days) - 2)):
        opens = tuple((_local(opens, zone), _local(closes, zone)) for opens, closes in opening_times(calendar, day))
        begins, ends = (_local(at_ms, zone) for at_ms in calendar.days[day : day + 2])
        found.append(OpeningDay(begins=begins, ends=ends, opens=opens))
    return found


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
