"""Hours as shops write them: fallbacks, comments, appointments, holidays, closures. Never shut or open for ever."""

from datetime import UTC, datetime

import pytest

from bopis.adapters.opening_hours import OsmHours
from bopis.domain.calendar.hours import is_open, open_minutes_between
from bopis.domain.calendar.store_hours import StoreHours
from tests.domain.calendar.shops import CHICAGO, LONDON, calendar, ms

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOURS = OsmHours(lambda: NOW)
BUCHAREST = "Europe/Bucharest"
DAYS = 14


def problems(opening_hours: str, **stated: str) -> list[str]:
    return HOURS.problems(StoreHours(opening_hours=opening_hours, time_zone=CHICAGO, **stated))


def opens(hours: str, day: str, zone: str = CHICAGO, **stated: str) -> int:
    """Open minutes of a day."""
    shop = calendar(hours, f"{day}T12:00", zone, days=3, **stated)
    return open_minutes_between(shop, shop.days[1], shop.days[2])


@pytest.mark.parametrize(
    "hours",
    [
        'Mo-Su 08:00-12:00 || "on call"',
        'Mo-Su 08:00-12:00 || "by appointment"',
        'Mo-Su 08:00-12:00 || unknown "on call"',
        'Mo-Su 08:00-12:00 || open "by appointment"',
        'Mo-Su 08:00-12:00; "by appointment"',
        'Mo-Su 08:00-12:00, "nach Vereinbarung"',
        'Mo-Su 08:00-12:00 "ring the bell; or || call"',
        'Mo-Su 08:00-12:00 open "ring"; || "sur rendez-vous"',
        'Mo-Su 08:00-12:00, Sa 14:00-16:00 "by appointment"',
        "Mo-Su 08:00-12:00; 2025 Dec 01-2025 Dec 24 08:00-20:00 || off",
        "Mo-Su 08:00-12:00;",
    ],
)
def test_o2_19_a_fallback_by_appointment_leaves_the_hours_as_they_are(hours: str) -> None:
    shop = calendar(hours, "2026-11-29T09:00", days=DAYS)

    assert problems(hours) == []
    assert [(ends - begins) // 60_000 for begins, ends in shop.opens] == [240] * (DAYS + 1)
    assert is_open(shop, ms("2026-12-07T08:00"))
    assert not is_open(shop, ms("2026-12-07T12:00"))


@pytest.mark.parametrize(
    ("hours", "day", "minutes"),
    [
        ('Tu,Th 09:00-11:00 || "by appointment"', "2026-11-29", 0),
        ('Tu,Th 09:00-11:00 || "by appointment"', "2026-12-01", 120),
        ("Mo-Fr 08:00-18:00 || Sa 09:00-12:00", "2026-12-05", 180),
        ("Mo-Fr 08:00-18:00; Sa off || Sa 09:00-12:00", "2026-12-05", 0),
        ('Mo-Fr 08:00-18:00; Sa "by appointment"', "2026-12-05", 0),
        ('Mo-Su 08:00-18:00; Sa 10:00-12:00 "by appointment"', "2026-12-05", 0),
        ('Mo-Su 08:00-18:00; Sa "ring the bell"', "2026-12-05", 0),
        ('Mo-Fr 08:00-18:00, Sa 10:00-12:00 "ring the bell"', "2026-12-05", 120),
    ],
)
def test_a_fallback_or_comment_opens_only_the_times_that_it_states(hours: str, day: str, minutes: int) -> None:
    assert opens(hours, day) == minutes


@pytest.mark.parametrize("hours", ['"by appointment"', "off", 'Mo-Fr "on call"', "unknown", "2025 Dec 10:00-12:00"])
def test_hours_without_an_open_time_are_refused(hours: str) -> None:
    found = problems(hours)

    assert len(found) == 1
    assert "no open time" in found[0]


@pytest.mark.parametrize(
    ("hours", "named"),
    [
        ("Mo-Sa 08:00-20:00; PH off", "public holidays (PH)"),
        ("Mo-Sa,PH 08:00-20:00", "holidays, for example US"),
        ("Mo-Sa 08:00-20:00; SH off", "school holidays (SH)"),
        ("Mo-Sa 08:00-20:00; SH,PH off", "school holidays (SH)"),
        ("09:00+", "09:00+ has no end"),
        ("Mo-Fr 09:00-17:00; Sa 09:00-12:00+", "12:00+ has no end"),
    ],
)
def test_o2_21_the_import_asks_for_what_nobody_said(hours: str, named: str) -> None:
    found = problems(hours)

    assert len(found) == 1
    assert named in found[0]


@pytest.mark.parametrize(
    "hours", ['Mo-Sa 08:00-20:00 "PHONE FIRST"', 'Mo-Sa 08:00-20:00 "PH ask"', "Mo-Sa 08:00-20:00"]
)
def test_o2_21_a_country_counts_whatever_letters_a_comment_has(hours: str) -> None:
    assert problems(hours) == []
    # The national days of Romania: 30 November and 1 December.
    assert opens(hours, "2026-11-30", BUCHAREST, holidays="RO") == 0
    assert opens(hours, "2026-12-01", BUCHAREST, holidays="RO") == 0
    assert opens(hours, "2026-12-02", BUCHAREST, holidays="RO") == 720
    assert opens(hours, "2026-11-30", BUCHAREST) == 720


@pytest.mark.parametrize("hours", ["Mo-Su 08:00-20:00", "Mo-Su 08:00-20:00; PH off", "Mo-Su 08:00-20:00, PH off"])
@pytest.mark.parametrize(
    ("country", "zone", "closed", "opened"),
    [
        ("US", CHICAGO, "2027-12-25", "2027-12-24"),
        ("US", CHICAGO, "2026-07-04", "2026-07-03"),
        ("US", CHICAGO, "2028-01-01", "2027-12-31"),
        ("GB", LONDON, "2027-12-25", "2027-12-27"),
        ("GB", LONDON, "2027-12-26", "2027-12-28"),
        ("AU-NSW", "Australia/Sydney", "2027-12-26", "2027-12-28"),
    ],
)
def test_o2_22_the_day_itself_is_kept(hours: str, country: str, zone: str, closed: str, opened: str) -> None:
    assert opens(hours, closed, zone, holidays=country) == 0
    assert opens(hours, opened, zone, holidays=country) == 720


@pytest.mark.parametrize(
    ("hours", "day", "minutes"),
    [
        ("Mo-Sa 08:00-20:00; PH 10:00-14:00", "2026-12-25", 240),
        ("Mo-Fr,PH 10:00-12:00,14:00-16:00", "2026-12-26", 240),
        ("Mo-Fr 10:00-12:00, PH 14:00-16:00", "2026-12-25", 240),
        ("Mo-Sa 08:00-20:00; PH -1 day 08:00-14:00; PH off", "2026-12-24", 360),
        ("Mo-Sa 08:00-20:00; Dec PH off", "2026-12-25", 0),
        ("Mo-Sa 08:00-20:00; Jan PH off", "2026-12-25", 720),
        ("Mo-Su 08:00-20:00; PH Sa off", "2026-12-25", 720),
        ("Mo-Su 08:00-20:00; PH Sa off", "2026-12-26", 0),
        ('Mo-Fr 08:00-20:00; PH off "merry" || Sa 10:00-12:00', "2026-12-26", 0),
    ],
)
def test_rules_for_public_holidays_mean_those_of_the_country(hours: str, day: str, minutes: int) -> None:
    assert opens(hours, day, LONDON, holidays="GB") == minutes


def test_without_a_country_ph_means_the_dates_that_are_listed() -> None:
    stated = {"holidays": "2026-12-01, 2026-12-24"}

    assert problems("Mo-Su 08:00-20:00; PH 10:00-12:00", **stated) == []
    assert opens("Mo-Su 08:00-20:00; PH 10:00-12:00", "2026-12-24", **stated) == 120
    assert opens("Mo-Su 08:00-20:00", "2026-12-24", **stated) == 0


@pytest.mark.parametrize(
    ("stated", "day", "minutes"),
    [
        ({"closures": "2026-12-24"}, "2026-12-24", 0),
        ({"closures": "2026-12-27..2026-12-31"}, "2026-12-29", 0),
        ({"closures": "2026-12-24; 2026-12-27/2026-12-31"}, "2026-12-31", 0),
        ({"closures": "2026-12-27 to 2026-12-31"}, "2026-12-26", 720),
        ({"holidays": "US", "closures": "2026-12-24", "openings": "2026-12-25"}, "2026-12-25", 720),
        ({"holidays": "US", "openings": "2026-12-25 10:00-12:00, 14:00-15:00"}, "2026-12-25", 180),
        (
            {"holidays": "US", "openings": "2026-12-24, 2026-12-25 10:00-14:00; 2026-12-26 10:00-11:00"},
            "2026-12-26",
            60,
        ),
        ({"closures": "2026-12-20..2026-12-31", "openings": "2026-12-24 10:00-14:00"}, "2026-12-24", 240),
    ],
)
def test_closures_and_openings_of_the_store_come_on_top(stated: dict[str, str], day: str, minutes: int) -> None:
    assert problems("Mo-Su 08:00-20:00", **stated) == []
    assert opens("Mo-Su 08:00-20:00", day, **stated) == minutes


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"closures": "Christmas"}, "closures: 'Christmas'"),
        ({"closures": "2026-02-30"}, "'2026-02-30'"),
        ({"closures": "2026-12-31..2026-12-24"}, "the earlier date first"),
        ({"openings": "2026-12-24 noon"}, "openings: 'noon'"),
        ({"openings": "2026-12-24 25:00-26:99"}, "cannot be parsed"),
        ({"openings": "2026-12-06"}, "openings: 2026-12-06 has no usual hours"),
        ({"holidays": "DE-XX"}, "DE-BY"),
    ],
)
def test_days_that_cannot_be_read_are_named(stated: dict[str, str], named: str) -> None:
    found = problems("Mo-Sa 08:00-20:00", **stated)

    assert len(found) == 1
    assert named in found[0]


def test_a_record_that_an_import_would_ask_about_still_has_a_calendar() -> None:
    stated = StoreHours(opening_hours="Mo-Sa 08:00-20:00; PH off", time_zone=BUCHAREST)

    assert HOURS.faults(stated) == []
    assert opens("Mo-Sa 08:00-20:00; PH off", "2026-12-01", BUCHAREST) == 720


@pytest.mark.parametrize(
    ("day", "zone", "minutes", "night"),
    [
        ("2027-03-14", CHICAGO, 12 * 60, 23 * 60),
        ("2026-11-01", CHICAGO, 12 * 60, 25 * 60),
        ("2027-03-28", LONDON, 12 * 60, 23 * 60),
        ("2027-10-31", LONDON, 12 * 60, 25 * 60),
        ("2027-04-04", "Australia/Sydney", 12 * 60, 25 * 60),
    ],
)
def test_a_day_on_which_clocks_change_has_its_hours_by_the_clock(day: str, zone: str, minutes: int, night: int) -> None:
    assert opens("Mo-Su 08:00-20:00", day, zone) == minutes
    assert opens('24/7 || "on call"', day, zone) == night
    assert opens("Mo-Su 00:00-24:00", day, zone) == night


def test_closed_days_have_names() -> None:
    stated = StoreHours(
        opening_hours="Mo-Su 08:00-20:00",
        time_zone=CHICAGO,
        holidays="US",
        closures="2026-12-24",
        openings="2026-12-25",
    )

    found = HOURS.closed_days(stated, ms("2026-12-20T09:00"), 14)

    assert [(it.day, it.name) for it in found] == [
        ("2026-12-24", "closed by the store"),
        ("2026-12-25", "Christmas Day"),
        ("2027-01-01", "New Year's Day"),
    ]
