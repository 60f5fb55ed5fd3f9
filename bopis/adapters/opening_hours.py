"""Opening hours in OpenStreetMap's words become a calendar of instants, by opening-hours-py.

Wall clocks, holidays and changes of the clock end here: what leaves is plain numbers. A time that two instants
of a night have (clocks go back) is told by the library as the later one; it never opens a store twice.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opening_hours import OpeningHours, ParserError, State, UnknownCountryError  # type: ignore[attr-defined]  # its stubs leave them out

from bopis.adapters.errors import HoursUnreadable
from bopis.domain.calendar.hours import Calendar, Interval
from bopis.domain.calendar.stated import StatedHours

DAYS_MAX = 400
CALENDARS_KEPT_MAX = 4_096
EXAMPLE = "write for example Mo-Sa 08:00-20:00; PH off"
_SUN = re.compile(r"\b(sunrise|sunset|dawn|dusk)\b", re.IGNORECASE)
_CUTOFF = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class OsmHours:
    """Reads what stores state about their hours; calendars are kept, for many orders ask for the same one."""

    def problems(self, stated: StatedHours) -> list[str]:
        """Everything that is wrong with stated hours, each with what to write instead."""
        found = []
        days, country, unread = _holidays(stated.holidays)
        found += [
            f"holidays: {word!r} is neither a date (2026-12-25) nor a country's two letters (US)" for word in unread
        ]
        if stated.cutoff and not _CUTOFF.fullmatch(stated.cutoff):
            found.append(f"cutoff {stated.cutoff!r} is not a time of day (write for example 16:00)")
        if _SUN.search(stated.opening_hours):
            found.append(f"opening_hours {stated.opening_hours!r} follow the sun; write clock times")
        if not found:
            try:
                _parsed(stated, days, country)
            except ParserError:
                found.append(f"opening_hours {stated.opening_hours!r} cannot be read ({EXAMPLE})")
            except (ZoneInfoNotFoundError, ValueError):
                found.append(f"time_zone {stated.time_zone!r} is not in the time zone database")
            except UnknownCountryError:
                found.append(f"holidays: no public holidays are known for country {country!r}; list the dates instead")
        return found

    def calendar(self, stated: StatedHours, at_ms: int, days: int) -> Calendar:
        """The store's calendar from the day before an instant's day on, over so many days.

        Raises `HoursUnreadable` when the hours were never checked by `problems`.
        """
        try:
            today = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(stated.time_zone)).date()
            return _calendar(stated, today - timedelta(days=1), min(days, DAYS_MAX) + 1)
        except (ParserError, UnknownCountryError, ZoneInfoNotFoundError, ValueError) as error:
            raise HoursUnreadable(hours=stated.opening_hours, zone=stated.time_zone) from error


@lru_cache(CALENDARS_KEPT_MAX)
def _calendar(stated: StatedHours, first: date, days: int) -> Calendar:
    zone = ZoneInfo(stated.time_zone)
    closed, country, _ = _holidays(stated.holidays)
    midnights = tuple(_ms(datetime.combine(first + timedelta(days=it), time(), zone)) for it in range(days + 1))
    begins, ends = (datetime.combine(first + timedelta(days=it), time(), zone) for it in (0, days))
    told = _parsed(stated, closed, country).intervals(begins, ends)
    open_times = ((_ms(opens), _ms(closes)) for opens, closes, state, _ in told if state == State.OPEN)
    cutoffs: tuple[int, ...] = ()
    if stated.cutoff:
        at = time.fromisoformat(stated.cutoff)
        cutoffs = tuple(_ms(datetime.combine(first + timedelta(days=it), at, zone)) for it in range(days))
    return Calendar(opens=tuple(_joined(open_times)), days=midnights, cutoffs=cutoffs)


def _parsed(stated: StatedHours, closed: list[date], country: str) -> OpeningHours:
    words = [stated.opening_hours]
    if country and "PH" not in stated.opening_hours:
        words.append("PH off")
    words += [f"{it.year} {_MONTHS[it.month - 1]} {it.day:02} off" for it in closed]
    return OpeningHours("; ".join(words), timezone=ZoneInfo(stated.time_zone), country=country or None)


def _holidays(text: str) -> tuple[list[date], str, list[str]]:
    """Closed days, the country, and the words that are neither."""
    days, country, unread = [], "", []
    for word in text.replace(",", " ").replace(";", " ").split():
        if re.fullmatch(r"[A-Z]{2}", word) and not country:
            country = word
            continue
        try:
            days.append(date.fromisoformat(word))
        except ValueError:
            unread.append(word)
    return days, country, unread


def _joined(intervals: Iterator[Interval]) -> Iterator[Interval]:
    """Intervals that touch (or that a change of the clock folded) as one; empty ones are left out."""
    held: Interval | None = None
    for begins, ends in intervals:
        if ends <= begins:
            continue
        if held is not None and begins <= held[1]:
            held = (held[0], max(held[1], ends))
            continue
        if held is not None:
            yield held
        held = (begins, ends)
    if held is not None:
        yield held


def _ms(instant: datetime) -> int:
    return int(instant.astimezone(UTC).timestamp()) * 1000
