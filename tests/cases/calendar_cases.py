"""Cases about pickup days, decided by the calendar."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bopis.domain.calendar.pickup_window import pickup_days
from tests.domain.calendar.shops import LONDON, calendar, ms

Answers = tuple[Any, Any]  # ours, theirs

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONDAY = 9  # of January 2023: a week without a holiday
HOURS = "Mo-Sa 10:00-18:00"


def pickup_date(given: dict[str, Any], expect: Any) -> Answers:
    if "requested" in given:
        at = given["requested"]
        shop = calendar(HOURS, at, LONDON, holidays=" ".join(given["closed_dates"]), cutoff="10:00")
        days = pickup_days(shop, ms(at, LONDON), given["n"])
        return [_local(it).day for it in days], expect
    at = f"2023-01-{MONDAY + WEEKDAYS.index(given['day']):02}T{given['time']}"
    shop = calendar(HOURS, at, given["tz"], cutoff="10:00")
    [day] = pickup_days(shop, ms(at, given["tz"]), 1)
    return WEEKDAYS[_local(day).weekday()], expect


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(LONDON))
