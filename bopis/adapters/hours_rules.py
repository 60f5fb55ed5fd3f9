"""Rules of opening hours as shops mean them, brought into the form that the library evaluates exactly.

The library (opening-hours-py) opens a rule that is only a comment around the clock, loses what follows a fallback, and
knows public holidays by the day that offices observe. So the text is taken apart here: fallbacks become calendars of
their own, times by appointment are not open, and ``PH`` becomes the dates that shops keep.

Source of the syntax: https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta

from msgspec import Struct
from msgspec.structs import replace

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LEAP_YEAR = 2024
OPEN, OFF, UNKNOWN = "open", "off", "unknown"
ALL_DAY = "00:00-24:00"

# Comments that mean "not without an appointment", in the languages of many shops. Another comment beside times is a
# note: the times are open.
_APPOINTMENT = re.compile(
    r"appointment|arrangement|agreement|on call|on request|by request|reservation|vereinbarung|termin|absprache|anfrage"
    r"|rendez|sur demande|cita|reserva|appuntament|su richiesta|afspraak|marca[cç][aã]o|umówi|telefonicz|programare",
    re.IGNORECASE,
)
_COMMENT = re.compile(r'"[^"]*"?')
_MARK = "\x00"  # stands for a comment while the text is taken apart
_TIME = re.compile(r"\d:\d\d|24/7")
_NO_END = re.compile(r"\d{1,2}:\d{2}\s*\+")
_STATE = re.compile(rf"\s*\b(open|off|closed|unknown)\b\s*{_MARK}?\s*$", re.IGNORECASE)
# A comma between two rules, not between days or times: a time, a comment or a state before it, a name or a year after.
_ADDED = re.compile(
    rf"(?:(?<=\d:\d\d)|(?<=24/7)|(?<={_MARK}..)|(?<=\boff)|(?<=closed)|(?<=\bopen)|(?<=unknown))"
    rf"\s*,\s*(?=[A-Za-z{_MARK}]|\d{{4}}\b)",
    re.IGNORECASE,
)
_WEEKDAY = r"(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_WEEKDAYS = rf"{_WEEKDAY}(?:\s*-\s*{_WEEKDAY})?(?:\[[^\]]*\])?(?:\s*[+-]\s*\d+\s*days?)?"
_HOLIDAY = r"PH(?:\s*[+-]\s*\d+\s*days?)?"
_DAYS = re.compile(
    rf"\b(?:{_WEEKDAYS}\s*,\s*)*{_HOLIDAY}(?:\s*,\s*(?:{_WEEKDAYS}|{_HOLIDAY}))*"
    rf"(?:\s+(?P<also>{_WEEKDAYS}(?:\s*,\s*{_WEEKDAYS})*))?(?=[\s:]|$)",
    re.IGNORECASE,
)
_DAY_OF_MONTH = re.compile(rf"\b({'|'.join(MONTHS)})\s+(\d{{1,2}})(?![\d:])", re.IGNORECASE)
_OFFSET = re.compile(r"([+-])\s*(\d+)")


class HoursRule(Struct, frozen=True):
    """One rule: days and times, and whether they are open, off or not to be promised. An ``added`` rule adds its times;
    another one replaces those of the rules before it on its days."""

    text: str
    state: str = OPEN
    added: bool = False

    def __str__(self) -> str:
        text = self.text or "24/7"
        return text if self.state == OPEN else f"{text} {self.state}"


# Rules in order. A store is open when any of its groups is; the later ones are fallbacks.
Group = tuple[HoursRule, ...]


def read_groups(text: str) -> tuple[Group, ...]:
    """The rules of opening hours without comments; those that open nothing are left out."""
    groups: list[Group] = []
    off: list[HoursRule] = []
    for part in _marked(text).split("||"):
        rules = [rule for rule in _rules(part) if rule is not None]
        if any(rule.state == OPEN for rule in rules):
            # An earlier "off" also means the fallback.
            groups.append((*rules, *(replace(rule, added=False) for rule in off)))
        off += [rule for rule in rules if rule.state == OFF and rule.text]
    return tuple(groups)


def names_public_holidays(text: str) -> bool:
    """Whether opening hours speak of public holidays; not in a comment."""
    return re.search(r"\bPH\b", _marked(text), re.IGNORECASE) is not None


def rule_problems(text: str) -> list[str]:
    """Errors of rules that can be read and still cannot be answered."""
    plain, found = _marked(text), []
    if re.search(r"\b(sunrise|sunset|dawn|dusk)\b", plain, re.IGNORECASE):
        found.append(f"opening_hours {text!r} follow the sun; write clock times")
    if end := _NO_END.search(plain):
        found.append(f"opening_hours {text!r}: {end.group()} has no end; write one, for example 09:00-18:00")
    if re.search(r"\bSH\b", plain, re.IGNORECASE):
        found.append(f"opening_hours {text!r}: school holidays (SH) are not known; write their dates in closures")
    for month, day in _DAY_OF_MONTH.findall(plain):
        if int(day) > monthrange(LEAP_YEAR, MONTHS.index(month.title()) + 1)[1]:
            found.append(f"opening_hours {text!r}: there is no {month} {day}")
    return found


def with_dates(group: Group, holidays: Sequence[date], is_on: Callable[[str, date], bool]) -> Group:
    """The rules with dates instead of ``PH``. `is_on` says whether days in OpenStreetMap's words include a date."""
    found: list[HoursRule] = []
    for rule in group:
        run = _DAYS.search(rule.text)
        if run is None:
            found.append(rule)
            continue
        before, after = rule.text[: run.start()].strip(), rule.text[run.end() :].strip(" :")
        also = run["also"] or ""
        parts = [it.strip() for it in run.group().removesuffix(also).split(",")]
        weekdays = ",".join(it for it in parts if not it.upper().startswith("PH"))
        if weekdays:
            found.append(replace(rule, text=f"{before} {weekdays} {after}".strip()))
        dates = [day for it in parts if it.upper().startswith("PH") for day in _moved(holidays, it)]
        dates = [day for day in dates if all(is_on(days, day) for days in (before, also) if days)]
        if dates:
            added = rule.added and rule.state == OPEN
            found.append(replace(rule, text=f"{day_list(dates)} {after}".strip(), added=added))
    return tuple(found)


def written(group: Iterable[HoursRule]) -> str:
    """The rules as the library reads them."""
    text = ""
    for rule in group:
        separator = "" if not text else ", " if rule.added else "; "
        text += f"{separator}{rule}"
    return text


def day_list(days: Iterable[date]) -> str:
    """Dates in OpenStreetMap's words."""
    return ",".join(f"{day.year} {MONTHS[day.month - 1]} {day.day:02}" for day in sorted(set(days)))


def _marked(text: str) -> str:
    """The text with a mark for each comment: one of appointments, or another."""
    return _COMMENT.sub(lambda found: f"{_MARK}{'ap' if _APPOINTMENT.search(found.group()) else 'no'}", text)


def _rules(part: str) -> Iterator[HoursRule | None]:
    for normal in part.split(";"):
        for number, text in enumerate(_ADDED.split(normal)):
            if text.strip():
                yield _rule(text, added=number > 0)


def _rule(text: str, added: bool) -> HoursRule | None:
    """One rule; None if it opens nothing and takes nothing back."""
    by_appointment, has_comment = f"{_MARK}ap" in text, _MARK in text
    plain = re.sub(rf"{_MARK}..", "", text).strip()
    stated = _STATE.search(plain)
    state = stated.group(1).lower() if stated is not None else ""
    days = plain[: stated.start()].strip() if stated is not None else plain
    if state in ("off", "closed"):
        return HoursRule(days, OFF)
    # A comment without times and without "open" says that the hours are not known.
    if state == UNKNOWN or by_appointment or (has_comment and not state and not _TIME.search(days)):
        # Without days, or added to other times, it takes no open time back.
        return None if added or not days else HoursRule(days, UNKNOWN)
    return HoursRule(days, OPEN, added)


def _moved(holidays: Sequence[date], text: str) -> list[date]:
    offset = _OFFSET.search(text)
    days = 0 if offset is None else int(offset.group(2)) * (1 if offset.group(1) == "+" else -1)
    return [day + timedelta(days=days) for day in holidays]
