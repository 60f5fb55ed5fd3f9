"""Open intervals of a store over a period, in the store's own days.

Nothing here knows a time zone: the adapter that makes a calendar converts wall-clock times to instants. A day has its
real length (23 or 25 hours when clocks change), and the server's own zone cannot leak in.
"""

from bisect import bisect_left, bisect_right

from msgspec import Struct

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS

Interval = tuple[int, int]
NIGHT_MS = 6 * HOUR_MS  # opening times that end this soon after midnight belong to the day on which they began


class Calendar(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Open intervals ``[from, to)`` in order, never touching, between the first and the last of ``days``.

    ``days`` are the midnights of the store's own days, one more than there are days. ``cutoffs`` is the latest
    instant for today's work of each day; empty when the store takes work until it closes.
    """

    opens: tuple[Interval, ...]
    days: tuple[int, ...]
    cutoffs: tuple[int, ...] = ()

    @property
    def from_ms(self) -> int:
        """First instant that the calendar covers."""
        return self.days[0]

    @property
    def until_ms(self) -> int:
        """First instant after the period that the calendar covers."""
        return self.days[-1]


def is_open(calendar: Calendar, at_ms: int) -> bool:
    """Whether the store is open at an instant."""
    index = _interval_at_or_before(calendar, at_ms)
    return index >= 0 and at_ms < calendar.opens[index][1]


def next_opening(calendar: Calendar, at_ms: int) -> int | None:
    """First open instant at or after ``at_ms``; None when the calendar ends before."""
    if is_open(calendar, at_ms):
        return at_ms
    index = bisect_left(calendar.opens, (at_ms, 0))
    return calendar.opens[index][0] if index < len(calendar.opens) else None


def open_ms_between(calendar: Calendar, from_ms: int, to_ms: int) -> int:
    """Open milliseconds from one instant up to another; 0 when the second is not later."""
    total = 0
    for begins, ends in calendar.opens[max(_interval_at_or_before(calendar, from_ms), 0) :]:
        if begins >= to_ms:
            break
        total += max(0, min(ends, to_ms) - max(begins, from_ms))
    return total


def open_minutes_between(calendar: Calendar, from_ms: int, to_ms: int) -> int:
    """Whole open minutes from one instant up to another."""
    return open_ms_between(calendar, from_ms, to_ms) // MINUTE_MS


def add_open_ms(calendar: Calendar, at_ms: int, open_ms: int) -> int | None:
    """Instant by which a number of open milliseconds has passed; None when the calendar ends before.

    Adding 0 gives the next open instant: work finished while the store is closed is ready when it opens.
    """
    begins = next_opening(calendar, at_ms)
    if begins is None:
        return None
    left = open_ms
    for opens, closes in calendar.opens[_interval_at_or_before(calendar, begins) :]:
        start = max(opens, begins)
        if closes - start >= left:
            return start + left
        left -= closes - start
    return None


def add_open_minutes(calendar: Calendar, at_ms: int, minutes: int) -> int | None:
    """Instant by which a number of open minutes has passed; None when the calendar ends before."""
    return add_open_ms(calendar, at_ms, minutes * MINUTE_MS)


def store_day(calendar: Calendar, at_ms: int) -> int | None:
    """Index of the store day that an instant lies in; None outside of the calendar."""
    if not calendar.from_ms <= at_ms < calendar.until_ms:
        return None
    return bisect_right(calendar.days, at_ms) - 1


def day_minutes(calendar: Calendar, day: int) -> int:
    """How long a store day is by the clock: 1,440 minutes, or 1,380 and 1,500 when clocks change."""
    return (calendar.days[day + 1] - calendar.days[day]) // MINUTE_MS


def opening_of_day(calendar: Calendar, day: int) -> int | None:
    """The first open instant of a store day; None when it is closed all day."""
    begins = next_opening(calendar, calendar.days[day])
    return begins if begins is not None and begins < calendar.days[day + 1] else None


def opening_times(calendar: Calendar, day: int) -> tuple[Interval, ...]:
    """Opening times of a store day as a person names them; empty when it is closed all day.

    The hours after midnight of an evening belong to that evening. Longer times are divided at midnight, so that a day
    that is open all day has the one interval from its midnight to the next.
    """
    begins, ends = calendar.days[day], calendar.days[day + 1]
    found = []
    for opens, closes in calendar.opens:
        if closes <= begins or opens >= ends:
            continue
        before = calendar.days[day - 1] if day else opens
        if before < opens < begins and closes <= begins + NIGHT_MS:
            continue  # the night of the day before
        own_night = begins < opens and ends < closes <= ends + NIGHT_MS
        found.append((max(opens, begins), closes if own_night else min(closes, ends)))
    return tuple(found)


def closings(calendar: Calendar) -> tuple[int, ...]:
    """Closings of the store, one per store day with opening hours: the end of the day's last open interval.

    An interval past midnight belongs to the day on which it began. A store that never closes ends its days at midnight,
    because its days could not be counted otherwise.
    """
    by_day: dict[int, int] = {}
    for begins, ends in calendar.opens:
        first = bisect_right(calendar.days, begins) - 1
        # Less than a day: the interval closes the day on which it began.
        if ends - begins < DAY_MS:
            by_day[first] = ends
            continue
        last = bisect_left(calendar.days, ends)
        for day in range(first, last):
            by_day[day] = min(ends, calendar.days[day + 1])
    return tuple(sorted(by_day.values()))


def closings_after(calendar: Calendar, at_ms: int, count: int) -> tuple[int, ...]:
    """The next ``count`` closings after an instant, one per store day; fewer when the calendar ends."""
    every = closings(calendar)
    first = bisect_right(every, at_ms)
    return every[first : first + count]


def days_between(calendar: Calendar, from_ms: int, to_ms: int) -> Calendar:
    """Calendar of the store days from the day of ``from_ms`` to the end of the day of ``to_ms``, as far as they go."""
    first = max(bisect_right(calendar.days, from_ms) - 1, 0)
    last = min(max(bisect_left(calendar.days, to_ms), first + 1), len(calendar.days) - 1)
    begins, ends = calendar.days[first], calendar.days[last]
    opens = tuple(
        (max(opens, begins), min(closes, ends)) for opens, closes in calendar.opens if opens < ends and closes > begins
    )
    return Calendar(opens=opens, days=calendar.days[first : last + 1], cutoffs=calendar.cutoffs[first:last])


def _interval_at_or_before(calendar: Calendar, at_ms: int) -> int:
    """The index of the last interval that begins at or before an instant; -1 when none does."""
    return bisect_right(calendar.opens, at_ms, key=_begin) - 1


def _begin(interval: Interval) -> int:
    return interval[0]
