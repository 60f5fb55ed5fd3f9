"""`stores show` and `stores list` tell the hours and closures that the system works with."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import msgspec
from rich.console import Console

from bopis.adapters.opening_hours import OsmHours
from bopis.cli.app.render import plain, table
from bopis.cli.master.store_text import calendar_document, calendar_lines, facts, list_row, store_calendar
from bopis.domain.calendar.store_hours import StatedHours
from bopis.readside.queries.answers import StoreAnswer

AT = datetime(2026, 12, 22, 18, tzinfo=UTC)
HOURS = OsmHours(lambda: AT)
STATED: dict[str, Any] = {
    "opening_hours": "Mo-Fr 00:00-24:00; Sa 08:00-20:00",
    "holidays": "US",
    "closures": "2026-12-28",
    "openings": "2027-01-01 10:00-14:00",
    "cutoff": "16:00",
    "capacity_minutes": 90,
}


def store(**changed: Any) -> StoreAnswer:
    hours = StatedHours(time_zone="America/Chicago", **{**STATED, **changed.pop("stated", {})})
    about: dict[str, Any] = {
        "store": "319",
        "name": "Main Street",
        "street": "1 Main St",
        "city": "Springfield",
        "state": "IL",
        "postal_code": "62701",
        "latitude": 39.8,
        "longitude": -89.65,
        "time_zone": "America/Chicago",
        "hours": hours,
        "pickup": True,
        "staleness_grace_minutes": 5,
        "staleness_percent": 100,
        "rules": {},
        "heard_at": None,
    }
    return StoreAnswer(**{**about, **changed})


def test_o2_24_show_tells_hours_closures_cut_off_and_capacity() -> None:
    shown = dict(facts(store(), 3))
    calendar = store_calendar(store(), AT, HOURS)

    assert shown["hours"] == STATED["opening_hours"]
    assert (shown["holidays"], shown["closures"], shown["cut-off"]) == ("US", "2026-12-28", "16:00")
    assert shown["capacity"] == "90 min of picking in an open hour"
    assert shown["coordinates"] == "39.8, -89.65"
    assert list(calendar_lines(calendar)) == [
        "next days",
        "  Tue 22 Dec  open 24 hours",
        "  Wed 23 Dec  open 24 hours",
        "  Thu 24 Dec  open 24 hours",
        "  Fri 25 Dec  closed",
        "  Sat 26 Dec  08:00–20:00",
        "  Sun 27 Dec  closed",
        "  Mon 28 Dec  closed",
        "next holidays and closures",
        "  Fri 25 Dec  closed  (Christmas Day)",
        "  Mon 28 Dec  closed  (closed by the store)",
        "  Fri  1 Jan  10:00–14:00  (New Year's Day)",
        "  Mon 18 Jan  closed  (Martin Luther King Jr. Day)",
        "  Mon 15 Feb  closed  (Washington's Birthday)",
    ]


def test_o2_24_the_document_has_the_same() -> None:
    document = calendar_document(store_calendar(store(), AT, HOURS))

    assert document["next_days"][4] == {
        "day": "2026-12-26",
        "all_day": False,
        "times": [{"from": "08:00", "to": "20:00"}],
    }
    assert document["next_closures"][0] == {"name": "Christmas Day", "day": "2026-12-25", "all_day": False, "times": []}
    assert msgspec.to_builtins(store())["hours"]["cutoff"] == "16:00"


def test_a_store_that_an_earlier_version_recorded_says_so() -> None:
    shown = dict(facts(store(hours=None, latitude=None, longitude=None), 0))

    assert shown["hours"] == "not known: import the store again"
    assert "no alternative" in shown["coordinates"]
    assert list(calendar_lines(store_calendar(store(hours=None), AT, HOURS))) == []


def test_o2_24_the_list_fits_80_columns() -> None:
    out = StringIO()
    grid = table("store", "name", "place", "pickup", "today", "rules", "last till")
    for it in (
        store(name="Bahnhofstraße Untergeschoss", city="Frankfurt am Main", state="Hessen"),
        store(stated={"opening_hours": "Mo-Su 08:00-12:00,14:00-18:30"}),
        store(pickup=False, rules={"store": {"safety_stock": 3}}, hours=None),
    ):
        grid.add_row(*map(plain, list_row(it, AT, HOURS)))

    Console(file=out, width=80).print(grid)

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "open 24 hours" in out.getvalue()
    assert "Springfield" in out.getvalue()
