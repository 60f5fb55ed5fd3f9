"""Open minutes, closings and store days, with clocks that change and days that are closed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.calendar.hours import (
    Calendar,
    add_open_minutes,
    closings_after,
    day_minutes,
    days_between,
    is_open,
    next_opening,
    open_minutes_between,
    opening_of_day,
    store_day,
)
from bopis.domain.values import HOUR_MS, MINUTE_MS
from tests.domain.calendar.shops import CHICAGO, LONDON, WEEKDAYS, calendar, ms


@pytest.mark.parametrize(
    ("at", "minutes", "ready"),
    [
        ("2026-06-15T10:00", 120, "2026-06-15T12:00"),
        ("2026-06-15T19:00", 120, "2026-06-16T09:00"),
        ("2026-06-15T22:00", 120, "2026-06-16T10:00"),
        ("2026-06-20T19:00", 120, "2026-06-22T09:00"),  # Saturday evening; Sunday is closed
        ("2026-06-15T18:00", 120, "2026-06-15T20:00"),  # done just when the store closes
        ("2026-06-15T18:00", 121, "2026-06-16T08:01"),
        ("2026-06-14T12:00", 0, "2026-06-15T08:00"),  # nothing to do, but nobody is there before Monday
        ("2026-06-15T06:00", 720 * 2, "2026-06-16T20:00"),
    ],
)
def test_a_promise_counts_only_minutes_in_which_the_store_is_open(at: str, minutes: int, ready: str) -> None:
    shop = calendar(WEEKDAYS, at)

    assert add_open_minutes(shop, ms(at), minutes) == ms(ready)


def test_a_public_holiday_and_a_named_day_are_closed() -> None:
    shop = calendar("Mo-Su 08:00-20:00; PH off", "2026-12-23T12:00", holidays="US 2026-12-24")

    days = [opening_of_day(shop, it) is not None for it in range(1, 6)]

    assert days == [True, False, False, True, True]  # 23rd open, 24th named, 25th Christmas, 26th open


def test_a_country_closes_its_holidays_when_the_hours_do_not_speak_of_them() -> None:
    shop = calendar("Mo-Su 08:00-20:00", "2026-12-25T00:00", holidays="US")

    assert next_opening(shop, ms("2026-12-25T00:00")) == ms("2026-12-26T08:00")


@pytest.mark.parametrize(
    ("day", "hours", "zone"),
    [("2026-03-08", 23, CHICAGO), ("2026-11-01", 25, CHICAGO), ("2026-03-29", 23, LONDON), ("2026-10-25", 25, LONDON)],
)
def test_a_store_day_has_23_or_25_hours_when_clocks_change(day: str, hours: int, zone: str) -> None:
    shop = calendar("24/7", f"{day}T12:00", zone)

    index = store_day(shop, ms(f"{day}T12:00", zone))

    assert index is not None
    assert day_minutes(shop, index) == hours * 60
    assert open_minutes_between(shop, shop.days[index], shop.days[index + 1]) == hours * 60


def test_minutes_over_a_change_of_the_clock_are_those_that_pass() -> None:
    shop = calendar("24/7", "2026-03-07T12:00")

    ready = add_open_minutes(shop, ms("2026-03-08T01:30"), 60)

    assert ready == ms("2026-03-08T03:30")


def test_a_store_that_opens_at_the_same_wall_clock_opens_23_hours_later_in_spring() -> None:
    shop = calendar("Mo-Su 08:00-20:00", "2026-03-07T12:00")

    saturday, sunday = ms("2026-03-07T08:00"), next_opening(shop, ms("2026-03-07T20:00"))

    assert sunday is not None
    assert sunday - saturday == 23 * HOUR_MS


def test_the_day_is_the_stores_own_and_not_that_of_the_server() -> None:
    instant = ms("2026-06-15T23:30", "Pacific/Honolulu")  # the 16th in London already
    honolulu = calendar("24/7", "2026-06-15T23:30", "Pacific/Honolulu")

    index = store_day(honolulu, instant)

    assert index is not None
    assert honolulu.days[index] == ms("2026-06-15T00:00", "Pacific/Honolulu")


def test_a_lunch_break_is_not_a_closing() -> None:
    shop = calendar("Mo-Sa 08:00-12:00,13:00-18:00", "2026-06-15T09:00")

    closings = closings_after(shop, ms("2026-06-15T09:00"), 2)

    assert closings == (ms("2026-06-15T18:00"), ms("2026-06-16T18:00"))


def test_a_night_belongs_to_the_day_it_began_on() -> None:
    shop = calendar("Fr,Sa 20:00-02:00", "2026-06-19T21:00")

    closings = closings_after(shop, ms("2026-06-19T21:00"), 2)

    assert closings == (ms("2026-06-20T02:00"), ms("2026-06-21T02:00"))


LUNCH = (("08", "12"), ("13", "18"))


@pytest.mark.parametrize(
    ("hours", "opens"),
    [
        ("Mo-Su 08:00-12:00,13:00-18:00", [(f"{day}T{a}", f"{day}T{b}") for day in (16, 17) for a, b in LUNCH]),
        ("Mo-Su 20:00-02:00", [("16T00", "16T02"), ("16T20", "17T02"), ("17T20", "18T00")]),
        ("24/7", [("16T00", "18T00")]),
    ],
)
def test_days_between_have_their_own_opening_hours_and_cut_offs(hours: str, opens: list[tuple[str, str]]) -> None:
    shop = calendar(hours, "2026-06-15T09:00", cutoff="16:00")

    part = days_between(shop, ms("2026-06-16T10:00"), ms("2026-06-17T18:00"))

    assert part.days == tuple(ms(f"2026-06-{day}T00:00") for day in (16, 17, 18))
    assert part.cutoffs == tuple(ms(f"2026-06-{day}T16:00") for day in (16, 17))
    assert part.opens == tuple((ms(f"2026-06-{begin}:00"), ms(f"2026-06-{end}:00")) for begin, end in opens)


def test_days_between_end_with_the_calendar() -> None:
    shop = calendar(WEEKDAYS, "2026-06-15T09:00", days=3)

    assert days_between(shop, 0, ms("2027-01-01T00:00")) == shop


def test_a_store_that_never_closes_ends_its_days_at_midnight() -> None:
    shop = calendar("24/7", "2026-06-15T09:00", days=3)

    assert closings_after(shop, ms("2026-06-15T09:00"), 9) == tuple(ms(f"2026-06-{day}T00:00") for day in (16, 17, 18))


def test_what_lies_beyond_the_calendar_is_not_promised() -> None:
    shop = calendar(WEEKDAYS, "2026-06-15T09:00", days=2)

    assert add_open_minutes(shop, ms("2026-06-15T09:00"), 10_000) is None
    assert next_opening(shop, ms("2026-07-15T09:00")) is None
    assert store_day(shop, ms("2026-07-15T09:00")) is None


@st.composite
def shops(draw: st.DrawFn) -> Calendar:
    """Any calendar of two weeks: random open intervals, days of 24 hours."""
    bounds = sorted(draw(st.sets(st.integers(0, 14 * 24 * 60), min_size=2, max_size=40)))
    opens = [(a * MINUTE_MS, b * MINUTE_MS) for a, b in zip(bounds[::2], bounds[1::2], strict=False)]
    return Calendar(opens=tuple(opens), days=tuple(range(0, 15 * 24 * HOUR_MS, 24 * HOUR_MS)))


@given(shop=shops(), at=st.integers(0, 14 * 24 * 60), minutes=st.integers(1, 3_000))
def test_adding_open_minutes_passes_exactly_so_many(shop: Calendar, at: int, minutes: int) -> None:
    ready = add_open_minutes(shop, at * MINUTE_MS, minutes)

    if ready is None:
        assert open_minutes_between(shop, at * MINUTE_MS, shop.until_ms) < minutes
    else:
        assert open_minutes_between(shop, at * MINUTE_MS, ready) == minutes
        assert is_open(shop, ready - 1)


@given(shop=shops(), at=st.integers(0, 14 * 24 * 60))
def test_the_next_opening_is_the_first_open_minute(shop: Calendar, at: int) -> None:
    """Judged by walking over the minutes, one by one."""
    minutes = range(at, 14 * 24 * 60 + 1)

    first = next((it * MINUTE_MS for it in minutes if any(a <= it * MINUTE_MS < b for a, b in shop.opens)), None)

    assert next_opening(shop, at * MINUTE_MS) == first
