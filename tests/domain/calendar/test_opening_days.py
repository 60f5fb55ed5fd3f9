"""Opening times of a day as a person names them: whole days, nights and days that are divided at midnight."""

import pytest

from bopis.adapters.opening_hours import OsmHours
from bopis.domain.calendar.store_hours import StoreHours
from bopis.services.opening_days import opening_days
from tests.domain.calendar.shops import CHICAGO, ms

ALL_DAY = "00:00–24:00"
SUNDAY = "2026-11-29T11:00"


def spans(hours: str, at: str = SUNDAY, count: int = 7, **stated: str) -> list[str]:
    """The times of the days from an instant on."""
    store = StoreHours(opening_hours=hours, time_zone=CHICAGO, **stated)
    return [day.spans for day in opening_days(store, OsmHours(), ms(at), count)]


@pytest.mark.parametrize("hours", ["Mo-Su 00:00-24:00", "24/7", "Mo-Fr 00:00-24:00; Sa,Su 00:00-24:00"])
def test_o2_26_a_store_that_never_closes_is_open_all_day_every_day(hours: str) -> None:
    store = StoreHours(opening_hours=hours, time_zone=CHICAGO)

    days = opening_days(store, OsmHours(), ms(SUNDAY), 7)

    assert [day.all_day for day in days] == [True] * 7
    assert [day.begins.isoformat() for day in days][:2] == ["2026-11-29T00:00:00-06:00", "2026-11-30T00:00:00-06:00"]


@pytest.mark.parametrize(
    ("hours", "week"),
    [
        (
            "Mo-Fr 00:00-24:00; Sa,Su 08:00-20:00",
            ["08:00–20:00", ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, "08:00–20:00"],
        ),
        ("Sa 08:00-24:00; Su 00:00-12:00", ["00:00–12:00", "", "", "", "", "", "08:00–24:00"]),
        ("Fr,Sa 20:00-02:00", ["", "", "", "", "", "20:00–02:00", "20:00–02:00"]),
        ("Mo-Su 20:00-24:00; Tu off", ["20:00–24:00", "20:00–24:00", "", *["20:00–24:00"] * 4]),
        ("Mo-Su 08:00-12:00,14:00-18:00", ["08:00–12:00, 14:00–18:00"] * 7),
        ("Sa 00:00-24:00; Su 00:00-02:00", ["00:00–02:00", "", "", "", "", "", ALL_DAY]),
    ],
)
def test_o2_26_times_are_divided_as_a_person_would(hours: str, week: list[str]) -> None:
    assert spans(hours) == week


@pytest.mark.parametrize("at", ["2026-11-01T11:00", "2027-03-14T11:00"])
def test_a_day_on_which_clocks_change_is_open_all_day_too(at: str) -> None:
    assert spans("24/7", at, 3) == [ALL_DAY] * 3
    assert spans("Mo-Su 00:00-24:00", at, 3) == [ALL_DAY] * 3


def test_a_holiday_is_closed() -> None:
    assert spans("24/7", "2026-12-24T09:00", 3, holidays="US") == [ALL_DAY, "", ALL_DAY]
