"""Times as people type them.

Parsed here and not by dateparser, because that guesses: it takes 2026-13-01 for 13 January, "14" for the 14th of the
month and an hour that a clock change skips for a real one, and it takes half a second to load. A time typed at a stock
count must be exact or refused.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, NamedTuple

import typer

from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import TimeUnreadable, Usage

_AGO = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)(?:\s+ago)?")
_UNIT_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_IN = re.compile(r"in\s+(\d{1,6})\s*(s|m|min|h|d|w)")
_DAY = re.compile(r"(today|yesterday|tomorrow)(?:\s+(.+))?")
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")

OnDate = Annotated[
    str | None,
    typer.Option(
        "--on", metavar="DATE", help="Count goods expected by then, for example 2026-12-01 or 2026-12-01T08:00."
    ),
]


class ReadTime(NamedTuple):
    """An instant, and whether its zone was assumed because none was given."""

    at: datetime
    zone_assumed: bool

    @property
    def at_ms(self) -> int:
        return int(self.at.timestamp() * 1000)


def read_time(text: str, zone: tzinfo = UTC, now: datetime | None = None) -> ReadTime:
    """The instant in `2026-03-01T14:00+01:00`, `2026-03-01 14:00`, `14:00` (today), `tomorrow 14:00`, `90m` (ago),
    `in 3d` or `now`. Raises `TimeUnreadable`.

    A time without a zone is in `zone`. Of the hour that a clock change repeats, the first is meant; the hour that it
    skips does not exist and is refused.
    """
    typed = text.strip()
    moment = (now or datetime.now(UTC)).astimezone(zone)
    if typed == "now":
        return ReadTime(moment, False)
    if (ago := _AGO.fullmatch(typed)) is not None:
        return ReadTime(moment - timedelta(seconds=int(ago[1]) * _UNIT_SECONDS[ago[2]]), False)
    if (later := _IN.fullmatch(typed)) is not None:
        return ReadTime(moment + timedelta(seconds=int(later[1]) * _UNIT_SECONDS[later[2]]), False)
    try:
        at = _calendar_time(typed, moment.date())
    except ValueError:
        raise TimeUnreadable(text=text) from None
    if at.tzinfo is not None:
        return ReadTime(at, False)
    placed = at.replace(tzinfo=zone)
    # A local time that a clock change skips comes back from UTC as another one.
    if placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        raise TimeUnreadable(text=f"{text} (skipped by the clock change in {zone})")
    return ReadTime(placed, True)


def read_future_time(ctx: CommandContext, text: str, zone: tzinfo) -> datetime:
    """A future instant in UTC; `zone` is meant where the text has none. Raises `Usage` for one that has passed."""
    read = read_time(text, zone)
    if read.at <= datetime.now(UTC):
        raise Usage(problem=f"{text} has passed. Give a date in the future, for example 2030-12-01T08:00.")
    if read.zone_assumed:
        ctx.note(f"Date taken as {read.at.isoformat(timespec='minutes')} ({zone}).")
    return read.at.astimezone(UTC)


def _calendar_time(text: str, today: date) -> datetime:
    """A day, a clock time of today, or both. Raises `ValueError`."""
    if (day := _DAY.fullmatch(text)) is not None:
        return datetime.combine(today + timedelta(days=_DAYS[day[1]]), _clock_time(day[2] or "00:00"))
    if _CLOCK.fullmatch(text):
        return datetime.combine(today, _clock_time(text))
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return datetime.combine(date.fromisoformat(text), time())
    return datetime.fromisoformat(text.replace(" ", "T", 1))


def _clock_time(text: str) -> time:
    return time.fromisoformat(text if text[1:2] != ":" else f"0{text}")
