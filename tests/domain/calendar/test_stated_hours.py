"""What stores state about their hours, read or refused by name."""

import pytest

from bopis.adapters.opening_hours import OsmHours
from bopis.domain.calendar.store_hours import StoreHours

HOURS = OsmHours()


@pytest.mark.parametrize(
    "hours",
    ["24/7", "Mo-Sa 08:00-20:00", "Mo-Fr 09:00-12:30,14:00-18:00; Sa 09:00-13:00", "Fr,Sa 20:00-02:00"],
)
def test_hours_in_the_words_of_openstreetmap_are_read(hours: str) -> None:
    assert HOURS.problems(StoreHours(opening_hours=hours, time_zone="America/Chicago")) == []


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"opening_hours": "Monday to Friday"}, "opening_hours 'Monday to Friday'"),
        ({"opening_hours": "Mo-Fr 25:00-26:99"}, "Mo-Sa 08:00-20:00"),
        ({"opening_hours": "sunrise-sunset"}, "clock times"),
        ({"holidays": "Christmas"}, "'Christmas'"),
        ({"holidays": "2026-13-01"}, "'2026-13-01'"),
        ({"holidays": "US CA"}, "US and CA"),
        ({"holidays": "ZZ"}, "'ZZ'"),
        ({"cutoff": "24:00"}, "cutoff '24:00'"),
        ({"cutoff": "4 pm"}, "16:00"),
    ],
)
def test_hours_that_cannot_be_read_are_named(stated: dict[str, str], named: str) -> None:
    whole = {"opening_hours": "24/7", "time_zone": "America/Chicago", **stated}

    problems = HOURS.problems(StoreHours(**whole))

    assert len(problems) == 1
    assert named in problems[0]
