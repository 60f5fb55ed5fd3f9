"""Cut-offs, pickup days and pickup windows, counted in the store's own days."""

from bisect import bisect_right
from collections.abc import Sequence

from bopis.domain.calendar.hours import Calendar, add_open_minutes, next_opening, opening_of_day, store_day

HOURS_PER_DAY = 24


def work_begins(calendar: Calendar, at_ms: int) -> int | None:
    """When work that was asked for at an instant begins: at once in open hours before the day's cut-off, else
    when the store opens next, after the cut-off on a later day."""
    day = store_day(calendar, at_ms)
    if day is None:
        return None
    if not calendar.cutoffs or at_ms < calendar.cutoffs[day]:
        return next_opening(calendar, at_ms)
    return next_opening(calendar, calendar.days[day + 1])


def ready_by(calendar: Calendar, at_ms: int, minutes: int) -> int | None:
    """When work of so many open minutes is done; None when the calendar ends before."""
    begins = work_begins(calendar, at_ms)
    return None if begins is None else add_open_minutes(calendar, begins, minutes)


def pickup_days(calendar: Calendar, at_ms: int, count: int) -> tuple[int, ...]:
    """The days (as their midnights) that goods asked for at an instant can be collected on, when each day's goods
    must be asked for before the cut-off of the open day before it.

    The calendar must reach back to the open day before ``at_ms``.
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
    """The end of a pickup window of so many hours in store days; None when too few closings are known.

    Every 24 hours, or part of them, are one whole store day. The day in which the goods became ready (or the next
    one, when the store was closed by then) is not counted, and the window ends when the store closes on the last.
    """
    days = -(-hours // HOURS_PER_DAY)
    last = bisect_right(closings, ready_ms) + days
    return closings[last] if last < len(closings) else None
