"""Stores: where they are, their policy, and when they were heard from."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, select

from bopis.domain.inventory.rows import Rule, Store
from bopis.readside.engine import reading
from bopis.readside.errors import StoreUnknown
from bopis.readside.queries.answers import StoreAnswer, instant_or_none
from bopis.readside.schema import devices, store_policy
from bopis.readside.schema import stores as store_rows

_rules = msgspec.json.Decoder(dict[str, Rule]).decode


def all_stores(engine: Engine) -> list[StoreAnswer]:
    """Every store that was imported or heard from, by id."""
    with reading(engine) as connection:
        return _stores(connection, None)


def one_store(engine: Engine, store_id: str) -> StoreAnswer:
    """One store. Raises `StoreUnknown`."""
    with reading(engine) as connection:
        found = _stores(connection, store_id)
    if not found:
        raise StoreUnknown(store=store_id)
    return found[0]


def policies(connection: Connection, store: str | None = None) -> dict[str, Store]:
    """The policy of one store or of all, as the core knows it; a store without a row has the defaults."""
    query = select(store_policy)
    if store is not None:
        query = query.where(store_policy.c.store == store)
    return {
        row.store: Store(
            pickup=row.pickup, staleness_grace_minutes=row.staleness_grace_minutes, rules=_rules(row.rules)
        )
        for row in connection.execute(query)
    }


def heard(connection: Connection, store: str | None = None) -> dict[str, int]:
    """Up to when each store's devices have reported; stores without a device are left out."""
    query = select(devices.c.store, func.max(devices.c.heard_ms).label("heard_ms")).group_by(devices.c.store)
    if store is not None:
        query = query.where(devices.c.store == store)
    return {row.store: row.heard_ms for row in connection.execute(query)}


def _stores(connection: Connection, store: str | None) -> list[StoreAnswer]:
    query = select(store_rows)
    if store is not None:
        query = query.where(store_rows.c.store == store)
    places = {row.store: row for row in connection.execute(query)}
    ruled, heard_ms = policies(connection, store), heard(connection, store)
    return [
        _answer(name, places.get(name), ruled.get(name) or Store(), heard_ms.get(name))
        for name in sorted(places.keys() | ruled.keys() | heard_ms.keys())
    ]


def _answer(name: str, place: Any, policy: Store, heard_ms: int | None) -> StoreAnswer:
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
        pickup=policy.pickup,
        staleness_grace_minutes=policy.staleness_grace_minutes,
        rules={rule: msgspec.to_builtins(units) for rule, units in policy.rules.items()},
        heard_at=instant_or_none(heard_ms),
    )
