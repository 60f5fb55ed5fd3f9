"""Cut-offs and pickup windows."""

import pytest

from bopis.domain.calendar.hours import closings_after
from bopis.domain.calendar.pickup_window import ready_by, window_end, work_begins
from tests.domain.calendar.shops import WEEKDAYS, calendar, ms


@pytest.mark.parametrize(
    ("at", "begins"),
    [
        ("2026-06-15T07:00", "2026-06-15T08:00"),
        ("2026-06-15T15:59", "2026-06-15T15:59"),
        ("2026-06-15T16:00", "2026-06-16T08:00"),
        ("2026-06-20T16:00", "2026-06-22T08:00"),  # Saturday; Sunday is closed
        ("2026-06-21T10:00", "2026-06-22T08:00"),
    ],
)
def test_work_after_the_cut_off_begins_on_the_next_open_day(at: str, begins: str) -> None:
    shop = calendar(WEEKDAYS, at, cutoff="16:00")

    assert work_begins(shop, ms(at)) == ms(begins)


def test_the_cut_off_is_a_wall_clock_time_also_when_clocks_change() -> None:
    shop = calendar("Mo-Su 08:00-20:00", "2026-03-08T10:00", cutoff="16:00")

    assert work_begins(shop, ms("2026-03-08T15:59")) == ms("2026-03-08T15:59")
    assert work_begins(shop, ms("2026-03-08T16:00")) == ms("2026-03-09T08:00")


def test_a_promise_of_120_open_minutes_after_the_cut_off_is_ready_two_hours_after_opening() -> None:
    shop = calendar(WEEKDAYS, "2026-06-15T17:00", cutoff="16:00")

    assert ready_by(shop, ms("2026-06-15T17:00"), 120) == ms("2026-06-16T10:00")


@pytest.mark.parametrize(
    ("ready", "ends"),
    [
        ("2026-06-15T10:00", "2026-06-18T20:00"),  # Monday to Thursday
        ("2026-06-18T10:00", "2026-06-22T20:00"),  # Thursday; Sunday does not count
        ("2026-06-20T19:59", "2026-06-24T20:00"),  # Saturday; Monday, Tuesday, Wednesday
        ("2026-06-15T20:30", "2026-06-19T20:00"),  # staged after closing: counted from Tuesday
    ],
)
def test_a_pickup_window_of_72_hours_is_three_whole_store_days(ready: str, ends: str) -> None:
    closings = closings_after(calendar(WEEKDAYS, "2026-06-15T09:00"), ms("2026-06-15T09:00"), 14)

    assert window_end(closings, ms(ready), 72) == ms(ends)


def test_a_window_longer_than_the_known_closings_is_not_invented() -> None:
    assert window_end((10, 20), 5, 72) is None
