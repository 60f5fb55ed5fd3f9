"""Times as people write them."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from bopis.commands.errors import TimeUnreadable

_AGO = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)(?:\s+ago)?")
_AGO_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_IN = re.compile(r"in\s+(\d{1,6})\s*(s|m|min|h|d|w)")
_DAY = re.compile(r"(today|yesterday|tomorrow)(?:\s+(.+))?")
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


class ReadTime(NamedTuple):
    """An instant, and whether its zone was said or assumed."""

    at: datetime
    zone_assumed: bool

    @property
    def at_ms(self) -> int:
        return int(self.at.timestamp() * 1000)


def read_time(text: str, zone: tzinfo = UTC, now: datetime | None = None) -> ReadTime:
    """The instant in `2026-03-01T14:00+01:00`, `2026-03-01 14:00`, `14:00` (today), `tomorrow 14:00`, `90m` (ago),
    `in 3d` or `now`.

    A time without a zone is in `zone`. The hour that a clock change repeats is taken the first time; the hour
    that it skips does not exist and is refused.
    """
    said = text.strip()
    moment = (now or datetime.now(UTC)).astimezone(zone)
    if said == "now":
        return ReadTime(moment, False)
    if (ago := _AGO.fullmatch(said)) is not None:
        return ReadTime(moment - timedelta(seconds=int(ago[1]) * _AGO_SECONDS[ago[2]]), False)
    if (ahead := _IN.fullmatch(said)) is not None:
        return ReadTime(moment + timedelta(seconds=int(ahead[1]) * _AGO_SECONDS[ahead[2]]), False)
    try:
        if (day := _DAY.fullmatch(said)) is not None:
            at = datetime.combine(moment.date() + timedelta(days=_DAYS[day[1]]), _clock(day[2] or "00:00"))
        elif _CLOCK.fullmatch(said):
            at = datetime.combine(moment.date(), _clock(said))
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", said):
            at = datetime.combine(date.fromisoformat(said), time())
        else:
            at = datetime.fromisoformat(said.replace(" ", "T", 1))
    except ValueError:
        raise TimeUnreadable(text=text) from None
    if at.tzinfo is not None:
        return ReadTime(at, False)
    placed = at.replace(tzinfo=zone)
    if placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        raise TimeUnreadable(text=f"{text} (skipped by the clock change in {zone})")
    return ReadTime(placed, True)


def _clock(text: str) -> time:
    return time.fromisoformat(text if text[1:2] != ":" else f"0{text}")
