"""The hours of a store: the usual week and its rules, the checks of the import, and the promises that do not fit."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.access.roles import Role
from bopis.adapters.opening_hours import OsmHours
from bopis.domain.calendar.store_hours import StoreHours
from bopis.domain.values import HOUR_MS
from bopis.services.counter.store_times import StoreTimes
from bopis.services.store_directory import StoreRecord
from bopis.web.access.sessions import new_session
from bopis.web.pages.stores_hours import (
    FIELDS,
    RULES,
    WEEK,
    HoursQuery,
    at_risk,
    draft_of,
    drafted,
    usual_week,
    written_week,
)
from bopis.web.problems import Problem
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, World
from tests.web.counter.world import World as Pages

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOURS = OsmHours(lambda: NOW)
STORE = StoreRecord(store_id=S1, name="Main Street", opening_hours="Mo-Fr 08:00-20:00; Sa 09:00-14:00")
spans = st.sampled_from(["", "08:00-20:00", "09:00-12:00,14:00-18:00", "00:00-24:00"])


@pytest.mark.parametrize(
    ("rules", "week"),
    [
        ("24/7", ("00:00-24:00",) * 7),
        ("Mo-Fr 08:00-20:00; Sa 09:00-14:00", ("08:00-20:00",) * 5 + ("09:00-14:00", "")),
        ("Mo,We 08:00-12:00,14:00-18:00", ("08:00-12:00, 14:00-18:00", "", "08:00-12:00, 14:00-18:00", *("",) * 4)),
        ("Mo-Su 09:00-18:00; We off", ("09:00-18:00",) * 2 + ("",) + ("09:00-18:00",) * 4),
        ("Mo-Fr 08:00-20:00; PH off", None),
        ("Jun-Aug Mo-Fr 08:00-20:00", None),
        ('Mo-Fr 08:00-20:00 "by appointment"', None),
    ],
)
def test_rules_with_a_usual_week_are_shown_by_weekday(rules: str, week: tuple[str, ...] | None) -> None:
    assert usual_week(StoreHours(opening_hours=rules, time_zone="America/Chicago"), HOURS) == week


@given(st.tuples(*[spans] * 7).filter(any))
def test_a_week_that_is_written_is_the_week_that_was_typed(week: tuple[str, ...]) -> None:
    written = written_week(week)

    assert HOURS.problems(StoreHours(opening_hours=written, time_zone="UTC")) == []
    assert usual_week(StoreHours(opening_hours=written, time_zone="UTC"), HOURS) == tuple(
        it.replace(",", ", ") for it in week
    )


def test_the_present_hours_come_out_of_the_form_as_they_went_in() -> None:
    asked = draft_of(STORE, HOURS)

    assert asked.kind == WEEK
    assert drafted(STORE, asked, HOURS).hours == STORE.hours


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mo": "8 to 20"}, "cannot be parsed"),
        ({"kind": RULES, "opening_hours": "whenever"}, "cannot be parsed"),
        ({"kind": RULES, "opening_hours": ""}, "never open"),
        ({"holidays": "Nowhere"}, "neither a date"),
        ({"closures": "2026-13-01"}, "no date of the calendar"),
        ({"openings": "tomorrow"}, "no date"),
        ({"cutoff": "4pm"}, "not a time of day"),
        ({"kind": RULES, "opening_hours": "Mo-Fr 08:00-20:00; PH off"}, "name their country"),
    ],
)
def test_hours_are_refused_as_the_import_refuses_them(fields: dict[str, str], words: str) -> None:
    week = {"kind": WEEK, "mo": "08:00-20:00"}

    with pytest.raises(Problem, match=words):
        drafted(STORE, HoursQuery(store=S1, **week | fields), HOURS)


def test_an_empty_field_clears_and_new_hours_forget_who_changed_the_last_ones() -> None:
    store = StoreRecord(
        store_id=S1, name="Main Street", closures="2026-12-24", hours_changed_by="kim", hours_reason="storm"
    )
    asked = HoursQuery(store=S1, kind=WEEK, mo="08:00–20:00", tu="closed")

    then = drafted(store, asked, HOURS)

    assert (then.opening_hours, then.closures, then.hours_changed_by) == ("Mo 08:00-20:00", "", "")
    assert (then.name, then.capacity_minutes) == (store.name, store.capacity_minutes)


@pytest.mark.parametrize(
    ("recipe", "rules", "words"),
    [
        ("promised", "24/7", ""),
        ("promised", "closed until it is promised", "and the store is closed until then"),
        ("promised", "closed when it is promised", "when the store is closed"),
        ("ready", "24/7", ""),
        ("ready", "closed for good", "and the store is closed until then"),
        ("handed_over", "closed for good", ""),
    ],
)
def test_promises_that_do_not_fit_are_named(recipe: str, rules: str, words: str) -> None:
    world: Any = getattr(recipes, recipe)(World())
    order, now_ms = world.order(), world.now_ms
    ready_ms = order.at(S1).ready_by_ms
    opens = {
        "24/7": ((now_ms - HOUR_MS, now_ms + 400 * HOUR_MS),),
        "closed until it is promised": ((ready_ms, ready_ms + HOUR_MS),),
        "closed when it is promised": ((now_ms, ready_ms - HOUR_MS),),
        "closed for good": (),
    }[rules]
    calendar = HOURS.calendar(StoreHours(opening_hours="24/7", time_zone="UTC"), now_ms, 20)

    found = at_risk([order], S1, type(calendar)(opens=opens, days=calendar.days), StoreTimes(), now_ms)

    assert [words in it.text for it in found] == ([True] if words else [])


async def test_only_who_may_change_policies_saves_and_only_with_a_reason(tmp_path: Any) -> None:
    pages = Pages(tmp_path)
    draft = dict.fromkeys(FIELDS, "") | {"kind": WEEK, "mo": "08:00-20:00"}
    manager, associate = (new_session("kim", role, ("S1",)) for role in (Role.STORE_MANAGER, Role.STORE_ASSOCIATE))
    operator = new_session("hq", Role.HQ_OPERATOR)
    async with pages.browser(operator) as client:
        form = await client.get("/stores/S1/hours")
        preview = await client.get("/stores/S1/hours", params=draft)
        unknown = await client.get("/stores/S9/hours")
        fields = draft | {"csrf": _field(preview, "csrf"), "seen": _field(preview, "seen")}
        without = await client.post("/stores/S1/hours", data=fields)
        changed = await client.post("/stores/S1/hours", data=fields | {"reason": "winter", "seen": "other"})
    async with pages.browser(associate) as client:
        refused = await client.get("/stores/S1/hours")
    async with pages.browser(manager) as client:
        other = await client.get("/stores/S2/hours")

    assert (form.status_code, unknown.status_code) == (200, 404)
    assert all(it in preview.text for it in ("Effect of this draft", "all day", "All 0 open orders fit"))
    assert (without.status_code, changed.status_code) == (422, 409)
    assert (refused.status_code, other.status_code) == (403, 403)


def _field(page: httpx.Response, name: str) -> str:
    return page.text.rpartition(f'name="{name}" value="')[2].partition('"')[0]
