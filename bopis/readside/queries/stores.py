"""Stores: their place, their policy, and the time up to which they have reported."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from bopis.domain.calendar.store_hours import StatedHours
from bopis.domain.inventory.rows import StockRule, Store
from bopis.domain.inventory.staleness import LastReport, hours_of_store
from bopis.readside.engine import Source, reading
from bopis.readside.errors import StoreAbsent
from bopis.readside.queries.answers import StoreAnswer, instant_or_none
from bopis.readside.schema import devices, store_policy
from bopis.readside.schema import stores as store_rows

_hours = msgspec.json.Decoder(StatedHours).decode
_rules = msgspec.json.Decoder(dict[str, StockRule]).decode
hours = msgspec.json.Decoder(tuple[int, ...]).decode


def all_stores(source: Source) -> list[StoreAnswer]:
    """Every store that was imported, has a policy, or has reported, by id."""
    with reading(source) as connection:
        return _stores(connection, None)


def one_store(source: Source, store_id: str) -> StoreAnswer:
    """One store. Raises `StoreAbsent`."""
    with reading(source) as connection:
        found = _stores(connection, store_id)
    if not found:
        raise StoreAbsent(store=store_id)
    return found[0]


def policies(connection: Connection, store: str | None = None) -> dict[str, Store]:
    """Policies by store, of one store or of all. A store without a row has the defaults of `Store`."""
    query = select(store_policy)
    if store is not None:
        query = query.where(store_policy.c.store == store)
    return {
        row.store: Store(
            pickup=row.pickup,
            staleness_grace_minutes=row.staleness_grace_minutes,
            rules=_rules(row.rules),
            staleness_percent=row.staleness_percent,
        )
        for row in connection.execute(query)
    }


def last_reports(connection: Connection, store: str | None = None) -> dict[str, LastReport]:
    """The time up to which devices have reported, and the hours of their baskets, by store. Stores without a device are
    left out."""
    query = select(devices.c.store, devices.c.heard_ms, devices.c.baskets_by_hour)
    if store is not None:
        query = query.where(devices.c.store == store)
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        found.setdefault(row.store, []).append(row)
    return {
        name: LastReport(max(it.heard_ms for it in rows), hours_of_store(hours(it.baskets_by_hour) for it in rows))
        for name, rows in found.items()
    }


def _stores(connection: Connection, store: str | None) -> list[StoreAnswer]:
    query = select(store_rows)
    if store is not None:
        query = query.where(store_rows.c.store == store)
    places = {row.store: row for row in connection.execute(query)}
    policy_of, reports = policies(connection, store), last_reports(connection, store)
    return [
        _answer(name, places.get(name), policy_of.get(name) or Store(), reports.get(name))
        for name in sorted(places.keys() | policy_of.keys() | reports.keys())
    ]


def _answer(name: str, place: Any, policy: Store, report: LastReport | None) -> StoreAnswer:
    return StoreAnswer(
        store=name,
        name=place.name if place else name,
        street=place.street or "" if place else "",
        city=place.city if place else "",
        state=place.state if place else "",
        postal_code=place.postal_code if place else "",
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
        time_zone=place.time_zone if place else "UTC",
        hours=_hours(place.hours) if place and place.hours else None,
        pickup=policy.pickup,
        staleness_grace_minutes=policy.staleness_grace_minutes,
        staleness_percent=policy.staleness_percent,
        rules={rule: msgspec.to_builtins(units) for rule, units in policy.rules.items()},
        heard_at=instant_or_none(report.at_ms if report else None),
    )
