"""A store as people read it: its hours as stated, the next days, and what else the system works with."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from bopis.adapters.opening_hours import OsmHours
from bopis.cli.stock.level_text import ago, till_age
from bopis.domain.calendar.store_hours import ClosedDay
from bopis.readside.queries.answers import StoreAnswer
from bopis.services.opening_days import OpeningDay, opening_days

DAYS_SHOWN = 7
CLOSED_DAYS_AHEAD = 60
CLOSED_DAYS_SHOWN_MAX = 10
OPEN_ALL_DAY = "open 24 hours"
LABEL_WIDTH = 12
UNKNOWN_HOURS = "not known: import the store again"


class StoreCalendar(NamedTuple):
    """The next opening days of a store, and its next holidays and closures with the hours on them."""

    days: list[OpeningDay]
    closed: list[tuple[ClosedDay, OpeningDay]]


def store_calendar(store: StoreAnswer, at: datetime, hours: OsmHours) -> StoreCalendar:
    """The next days of a store; empty where its hours are not known or not valid."""
    if store.hours is None or hours.faults(store.hours):
        return StoreCalendar([], [])
    at_ms = int(at.timestamp() * 1000)
    days = opening_days(store.hours, hours, at_ms, CLOSED_DAYS_AHEAD)
    by_date = {day.begins.date().isoformat(): day for day in days}
    special = hours.closed_days(store.hours, at_ms, CLOSED_DAYS_AHEAD)
    return StoreCalendar(days[:DAYS_SHOWN], [(it, by_date[it.day]) for it in special if it.day in by_date])


def calendar_document(calendar: StoreCalendar) -> dict[str, Any]:
    """The calendar as part of a JSON document."""
    return {
        "next_days": [_day_document(day) for day in calendar.days],
        "next_closures": [{"name": named.name, **_day_document(day)} for named, day in calendar.closed],
    }


def facts(store: StoreAnswer, holds: int) -> Iterator[tuple[str, str]]:
    """Labels and values of a store."""
    address = ", ".join(part for part in (store.street, store.city, store.state, store.postal_code) if part)
    yield "store", f"{store.store}  {store.name}"
    yield "place", address or "-"
    placed = store.latitude is not None and store.longitude is not None
    nowhere = "not known: the store is no alternative for orders of others"
    yield "coordinates", f"{store.latitude}, {store.longitude}" if placed else nowhere
    yield "time zone", store.time_zone
    stated = store.hours
    yield "hours", UNKNOWN_HOURS if stated is None else stated.opening_hours
    if stated is not None:
        for label, value in (
            ("holidays", stated.holidays or "none"),
            ("closures", stated.closures),
            ("openings", stated.openings),
            ("cut-off", stated.cutoff or "none: orders of the day are taken until the store closes"),
            ("capacity", _capacity(stated.capacity_minutes)),
        ):
            if value:
                yield label, value
    closed = stated is not None and stated.closed
    yield "pickup", "closed for good" if closed else "on" if store.pickup else "OFF"
    yield "rules", rules_text(store) or "none"
    yield "tills", f"{till_age(age_ms(store))}; grace period {store.staleness_grace_minutes} min"
    yield "holds", f"{holds} active"


def calendar_lines(calendar: StoreCalendar) -> Iterator[str]:
    """The next days, and the next holidays and closures."""
    if calendar.days:
        yield "next days"
    for day in calendar.days:
        yield f"  {day_text(day.begins.date())}  {hours_text(day)}"
    shown = calendar.closed[:CLOSED_DAYS_SHOWN_MAX]
    if shown:
        yield "next holidays and closures"
    for named, day in shown:
        yield f"  {day_text(day.begins.date())}  {hours_text(day)}  ({named.name})"


def today_text(store: StoreAnswer, at: datetime, hours: OsmHours) -> str:
    """The opening times of today, for a list."""
    if store.hours is None or hours.faults(store.hours):
        return "?"
    [today] = opening_days(store.hours, hours, int(at.timestamp() * 1000), 1)
    return hours_text(today)


def hours_text(day: OpeningDay) -> str:
    """``08:00–20:00``, ``open 24 hours`` or ``closed``."""
    return OPEN_ALL_DAY if day.all_day else day.spans or "closed"


def day_text(day: date) -> str:
    return f"{day:%a} {day.day:2} {day:%b}"


def rules_text(store: StoreAnswer) -> str:
    """The store's stock rules: ``sku:4011: safety stock 3; store: walk in reserve 1``."""
    rules = []
    for name, terms in sorted(store.rules.items()):
        units = ", ".join(f"{term.replace('_', ' ')} {number}" for term, number in terms.items())
        rules.append(f"{name}: {units}")
    return "; ".join(rules)


def list_row(store: StoreAnswer, at: datetime, hours: OsmHours) -> tuple[str, ...]:
    """A store in a list: id, name, place, pickup, hours of today, number of rules, age of its last till message."""
    place = ", ".join(part for part in (store.city, store.state) if part)
    closed = store.hours is not None and store.hours.closed
    pickup = "closed" if closed else "on" if store.pickup else "OFF"
    rules = str(len(store.rules) or "")
    return store.store, store.name, place, pickup, today_text(store, at, hours), rules, ago(age_ms(store))


def age_ms(store: StoreAnswer) -> int | None:
    """The age of the store's last till message."""
    if store.heard_at is None:
        return None
    return max(0, int((datetime.now(UTC) - store.heard_at).total_seconds() * 1000))


def _capacity(minutes: int | None) -> str:
    if minutes is None:
        return UNKNOWN_HOURS
    return f"{minutes} min of picking in an open hour" if minutes else "none: it takes no pickups"


def _day_document(day: OpeningDay) -> dict[str, Any]:
    times = [{"from": opens, "to": closes} for opens, closes in day.times]
    return {"day": day.begins.date().isoformat(), "all_day": day.all_day, "times": times}
