"""Begin of work, cut-offs and pickup windows, counted in store days."""

from bisect import bisect_right
from collections.abc import Sequence

from bopis.domain.calendar.hours import Calendar, add_open_minutes, next_opening, opening_of_day, store_day

HOURS_PER_DAY = 24


def work_begins(calendar: Calendar, at_ms: int) -> int | None:
    """Begin of work requested at an instant; None outside of the calendar.

    At once in open hours before the day's cut-off, else at the next opening; after the cut-off on a later day.
    """
    day = store_day(calendar, at_ms)
    if day is None:
        return None
    if not calendar.cutoffs or at_ms < calendar.cutoffs[day]:
        return next_opening(calendar, at_ms)
    # After the cut-off the work begins on a later store day, even if the store is still open.
    return next_opening(calendar, calendar.days[day + 1])


def ready_by(calendar: Calendar, at_ms: int, minutes: int) -> int | None:
    """End of work of a number of open minutes; None when the calendar ends before."""
    begins = work_begins(calendar, at_ms)
    return None if begins is None else add_open_minutes(calendar, begins, minutes)


def pickup_days(calendar: Calendar, at_ms: int, count: int) -> tuple[int, ...]:
    """Midnights of the next ``count`` days on which goods requested at an instant can be collected.

    Goods of a day must be requested before the cut-off of the open day before it. The calendar must reach back to the
    open day before ``at_ms``.
    """
    found: list[int] = []
    before: int | None = None
    for day, midnight in enumerate(calendar.days[:-1]):
        if opening_of_day(calendar, day) is None:
            continue
        if before is not None and at_ms < calendar.cutoffs[before]:
            found.append(midnight)
            if len(found) == count:
                break
        before = day
    return tuple(found)


def window_end(closings: Sequence[int], ready_ms: int, hours: int) -> int | None:
    """End of a pickup window of a number of hours, in store days; None when too few closings are known.

    Each 24 hours, or part of them, are one store day. The day on which the goods became ready is not counted (nor the
    next one, when the store had closed by then); the window ends at the closing of the last day.
    """
    days = -(-hours // HOURS_PER_DAY)
    last = bisect_right(closings, ready_ms) + days
    return closings[last] if last < len(closings) else None
