"""Opening hours in OpenStreetMap's syntax as a calendar of instants; opening-hours-py evaluates their rules.

Time zones, holidays and clock changes are resolved here: the core gets milliseconds since 1970. When clocks go back,
the library maps a local time that occurs twice to its later instant, so a store never opens twice.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct
from opening_hours import OpeningHours, ParserError, State  # type: ignore[attr-defined]  # its stubs leave one out

from bopis.adapters.errors import OpeningHoursInvalid
from bopis.adapters.hours_rules import (
    OFF,
    Group,
    HoursRule,
    day_list,
    names_public_holidays,
    read_groups,
    rule_problems,
    with_dates,
    written,
)
from bopis.adapters.public_holidays import COUNTRY, country_problem, public_holidays
from bopis.domain.calendar.hours import Calendar, Interval
from bopis.domain.calendar.store_hours import ClosedDay, StoreHours

DAYS_MAX = 400
CALENDARS_KEPT_MAX = 4_096
RANGE_DAYS_MAX = 366
EXAMPLE = "write for example Mo-Sa 08:00-20:00"
CLOSED_BY_STORE = "closed by the store"
OFFSET_DAYS_MAX = 31  # how far a rule such as PH -1 day may look beyond the calendar
_CUTOFF = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_DATE = r"\d{4}-\d{2}-\d{2}"
_RANGE = re.compile(rf"({_DATE})(?:\s*(?:\.\.|/|–|-|to)\s*({_DATE}))?")
_SPAN = r"\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2}"
_OPENING = re.compile(rf"({_DATE})(?:\s+({_SPAN}(?:\s*,\s*{_SPAN})*))?")


class StatedDays(Struct, frozen=True):
    """Days that differ from the usual hours: the country whose holidays are kept, listed holidays, closures, and days
    with hours of their own (empty: the usual ones, whatever else is stated about the day)."""

    country: str
    listed: frozenset[date]
    closures: frozenset[date]
    openings: dict[date, str]


class OsmHours:
    """Implements `bopis.ports.OpeningHours`. Calendars are cached, because many orders need the same one.

    `now` is the time at which hours are judged: a store that opens on none of the next days is refused.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now

    def problems(self, stated: StoreHours) -> list[str]:
        """Every error in a store's hours, each with a valid example; an empty list if there is none."""
        found = [*self.faults(stated), *rule_problems(stated.opening_hours)]
        if found:
            return found
        special, _ = _read_days(stated)
        if names_public_holidays(stated.opening_hours) and not (special.country or special.listed):
            return [
                f"opening_hours {stated.opening_hours!r} speak of public holidays (PH); name their country in "
                "holidays, for example US or DE-BY"
            ]
        return self._closed_problems(stated)

    def faults(self, stated: StoreHours) -> list[str]:
        """Errors for which there is no calendar. Hours that an import would ask about have one all the same."""
        days, problems = _read_days(stated)
        found = list(problems)
        if days.country and (problem := country_problem(days.country)):
            found.append(f"holidays: {problem}")
        if stated.cutoff and not _CUTOFF.fullmatch(stated.cutoff):
            found.append(
                f"cutoff {stated.cutoff!r} is not a time of day in four digits (write for example 16:00 or 09:30)"
            )
        try:
            ZoneInfo(stated.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            found.append(f"time_zone {stated.time_zone!r} is not in the time zone database")
        if not found:
            found += _parse_problems(stated, self._now().date())
        return found

    def calendar(self, stated: StoreHours, at_ms: int, days: int) -> Calendar:
        """The store's calendar: from the day before the day of `at_ms` on its clock, for `days` days after that.

        Raises `OpeningHoursInvalid` for hours in which `faults` finds an error.
        """
        try:
            today = _local_day(at_ms, stated.time_zone)
            return _calendar(stated, today - timedelta(days=1), min(days, DAYS_MAX) + 1)
        except (ParserError, NotImplementedError, ZoneInfoNotFoundError, ValueError) as error:
            raise OpeningHoursInvalid(hours=stated.opening_hours, zone=stated.time_zone) from error

    def closed_days(self, stated: StoreHours, at_ms: int, days: int) -> list[ClosedDay]:
        """Holidays and closures from the day of `at_ms` on, for `days` days, by date. A store may have hours on one."""
        first = _local_day(at_ms, stated.time_zone)
        last = first + timedelta(days=days - 1)
        special, _ = _read_days(stated)
        named = public_holidays(special.country, first, last) if special.country else {}
        named |= {
            day: CLOSED_BY_STORE
            for day in special.listed | special.closures
            if first <= day <= last and day not in named
        }
        return [ClosedDay(day=day.isoformat(), name=named[day]) for day in sorted(named)]

    def _closed_problems(self, stated: StoreHours) -> list[str]:
        today = self._now().date()
        if not _calendar(stated, today, DAYS_MAX).opens:
            return [
                f"opening_hours {stated.opening_hours!r} have no open time in the next {DAYS_MAX} days; times by "
                f"appointment are not open for pickup ({EXAMPLE})"
            ]
        found = []
        for day, hours in _read_days(stated)[0].openings.items():
            if not hours and not _calendar(stated, day, 1).opens:
                found.append(f"openings: {day} has no usual hours; write them: {day} 10:00-16:00")
        return found


def _parse_problems(stated: StoreHours, today: date) -> list[str]:
    for day, hours in _read_days(stated)[0].openings.items():
        try:
            OpeningHours(f"{day_list([day])} {hours}")
        except (ParserError, ValueError):
            return [f"openings: the hours of {day}, {hours}, cannot be parsed (write for example {day} 10:00-14:00)"]
    try:
        _calendar(stated, today, 1)
    except (ParserError, ValueError):
        return [f"opening_hours {stated.opening_hours!r} cannot be parsed ({EXAMPLE})"]
    return []


@lru_cache(CALENDARS_KEPT_MAX)
def _calendar(stated: StoreHours, first: date, days: int) -> Calendar:
    zone = ZoneInfo(stated.time_zone)
    midnights = tuple(_ms(datetime.combine(first + timedelta(days=it), time(), zone)) for it in range(days + 1))
    begins, ends = (datetime.combine(first + timedelta(days=it), time(), zone) for it in (0, days))
    open_times: list[Interval] = []
    for group in _groups(stated, first, first + timedelta(days=days)):
        intervals = OpeningHours(written(group), timezone=zone).intervals(begins, ends)
        open_times += [(_ms(opens), _ms(closes)) for opens, closes, state, _ in intervals if state == State.OPEN]
    cutoffs: tuple[int, ...] = ()
    if stated.cutoff:
        at = time.fromisoformat(stated.cutoff)
        cutoffs = tuple(_ms(datetime.combine(first + timedelta(days=it), at, zone)) for it in range(days))
    return Calendar(opens=tuple(_joined(sorted(open_times))), days=midnights, cutoffs=cutoffs)


def _groups(stated: StoreHours, first: date, last: date) -> list[Group]:
    """The rules of the store with the dates of its holidays, closures and openings around a period."""
    special, problems = _read_days(stated)
    if problems:
        raise ValueError(problems[0])
    around = (first - timedelta(days=OFFSET_DAYS_MAX), last + timedelta(days=OFFSET_DAYS_MAX))
    # Without a country, the listed holidays are those that PH means.
    holidays = set(public_holidays(special.country, *around)) if special.country else set(special.listed)
    off = set(special.closures) | (set(special.listed) if special.country else set())
    if not names_public_holidays(stated.opening_hours):
        off |= holidays
    # A later rule replaces an earlier one: closures win over the usual hours, and openings over closures.
    off, holidays = (it - set(special.openings) for it in (off, holidays))
    final = [HoursRule(day_list(off), OFF)] if off else []
    final += [HoursRule(f"{day_list([day])} {hours}") for day, hours in special.openings.items() if hours]
    groups = read_groups(stated.opening_hours) or ((),)
    return [(*with_dates(group, sorted(holidays), _is_on), *final) or (HoursRule("", OFF),) for group in groups]


def _is_on(days: str, day: date) -> bool:
    return bool(OpeningHours(f"{days} 00:00-24:00").is_open(datetime.combine(day, time(12))))


@lru_cache(CALENDARS_KEPT_MAX)
def _read_days(stated: StoreHours) -> tuple[StatedDays, tuple[str, ...]]:
    """The days that differ, and the words that cannot be read."""
    problems: list[str] = []
    country, words = "", []
    for word in re.split(r"[\s,;]+", stated.holidays):
        if COUNTRY.fullmatch(word) and not country:
            country = word
        elif COUNTRY.fullmatch(word):
            problems.append(f"holidays: {country} and {word}; a store keeps those of one country, list further dates")
        elif word:
            words.append(word)
    listed = _ranges(
        "holidays", " ".join(words), problems, "neither a date (2026-12-25) nor a country's two letters (US)"
    )
    closures = _ranges(
        "closures", stated.closures, problems, "neither a date (2026-12-24) nor two with .. between them"
    )
    openings: dict[date, str] = {}
    for found, rest in _found(_OPENING, stated.openings):
        days = _days_of("openings", found.group(1), "", problems) if found else []
        openings |= dict.fromkeys(days, (found.group(2) or "") if found else "")
        if rest:
            problems.append(f"openings: {rest!r} is no date with or without hours (2026-12-24 10:00-14:00)")
    return StatedDays(country, frozenset(listed), frozenset(closures), openings), tuple(problems)


def _ranges(column: str, text: str, problems: list[str], expected: str) -> set[date]:
    """The dates in a cell, each alone or as a range."""
    days: set[date] = set()
    for found, rest in _found(_RANGE, text):
        if found is not None:
            days.update(_days_of(column, found.group(1), found.group(2) or "", problems))
        for word in rest.split():
            problems.append(f"{column}: {word!r} is {expected}")
    return days


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str] | None, str]]:
    """Each match of a pattern with the text before it that belongs to none; at the end the rest of the text."""
    end = 0
    for match in pattern.finditer(text):
        yield match, text[end : match.start()].strip(" \t,;")
        end = match.end()
    yield None, text[end:].strip(" \t,;")


def _days_of(column: str, first: str, last: str, problems: list[str]) -> list[date]:
    try:
        begins = date.fromisoformat(first)
        ends = date.fromisoformat(last) if last else begins
    except ValueError:
        problems.append(f"{column}: {f'{first}..{last}' if last else first!r} is no date of the calendar")
        return []
    if not 0 <= (ends - begins).days <= RANGE_DAYS_MAX:
        problems.append(f"{column}: {first}..{last} must be at most {RANGE_DAYS_MAX} days, the earlier date first")
        return []
    return [begins + timedelta(days=number) for number in range((ends - begins).days + 1)]


def _joined(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Adjacent and overlapping intervals (of fallbacks, or at a clock change) as one; empty ones are dropped."""
    current: Interval | None = None
    for begins, ends in intervals:
        if ends <= begins:
            continue
        if current is not None and begins <= current[1]:
            current = (current[0], max(current[1], ends))
            continue
        if current is not None:
            yield current
        current = (begins, ends)
    if current is not None:
        yield current


def _local_day(at_ms: int, zone: str) -> date:
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).date()


def _ms(instant: datetime) -> int:
    return int(instant.astimezone(UTC).timestamp()) * 1000
