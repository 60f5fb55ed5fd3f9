"""Current stock: the level of every SKU in a store, and the stores that can promise a SKU."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from bopis.domain.inventory.availability import terms
from bopis.domain.inventory.rows import Level, Store
from bopis.domain.inventory.staleness import LastReport
from bopis.domain.values import epoch_ms
from bopis.geography import Point, metres_between
from bopis.readside.engine import Source, reading
from bopis.readside.errors import CellUnknown
from bopis.readside.queries.answers import (
    FoundAnswer,
    LevelAnswer,
    LevelPage,
    Page,
    StoreAnswer,
    StoreSearch,
    instant_or_none,
)
from bopis.readside.queries.articles import is_kit
from bopis.readside.queries.stores import last_reports, policies
from bopis.readside.schema import levels as level_rows
from bopis.readside.schema import stores as store_rows

METRES_PER_KM = 1000
STORES_FOUND_MAX = 50


class Stocked(NamedTuple):
    """A SKU in the books of a store. `place` has the store's name and place: a row, or a `StoreAnswer`."""

    place: Any
    level: LevelAnswer
    pickup: bool


def levels(source: Source, store: str, sku: str | None = None, *, now: datetime, page: Page = Page()) -> LevelPage:
    """Levels of one SKU or of all SKUs of a store, by SKU. Raises `CellUnknown` for a SKU without a level."""
    # One row more than the page shows whether another page follows.
    query = select(level_rows).where(level_rows.c.store == store).order_by(level_rows.c.sku).limit(page.rows + 1)
    query = query.where(~is_kit(level_rows.c.partition, level_rows.c.sku))
    if sku is not None:
        query = query.where(level_rows.c.sku == sku)
    elif page.cursor is not None:
        query = query.where(level_rows.c.sku > page.cursor)
    with reading(source) as connection:
        policy = policies(connection, store).get(store) or Store()
        report = last_reports(connection, store).get(store)
        rows = connection.execute(query).all()
    if sku is not None and not rows:
        raise CellUnknown(store=store, sku=sku)
    found = tuple(level_answer(row, policy, report, epoch_ms(now)) for row in rows[: page.rows])
    return LevelPage(levels=found, next=found[-1].sku if len(rows) > page.rows else None)


def on_hand(source: Source) -> dict[tuple[str, str], int]:
    """On hand of every level, by (store, SKU)."""
    query = select(level_rows.c.store, level_rows.c.sku, level_rows.c.on_hand)
    with reading(source) as connection:
        return {(store, sku): units for store, sku, units in connection.execute(query)}


def find(
    source: Source, search: StoreSearch, *, now: datetime, limit: int | None = STORES_FOUND_MAX
) -> list[FoundAnswer]:
    """Stores that take pickups and can promise enough units: the nearest first, else those with the most units."""
    found = [
        found_answer(stocked, search.near)
        for stocked in stocked_in(source, search.sku, now)
        if stocked.pickup and stocked.level.atp >= search.minimum
    ]
    return nearest(found)[:limit]


def nearest(found: Iterable[FoundAnswer]) -> list[FoundAnswer]:
    """The nearest first, then those without a distance; among equals those with the most units."""
    return sorted(found, key=lambda it: (it.distance_km is None, it.distance_km or 0.0, -it.atp, it.store))


def stocked_in(source: Source, sku: str, now: datetime) -> list[Stocked]:
    """Every store that has a SKU in its books."""
    place = store_rows.c
    query = (
        select(level_rows, place.name, place.city, place.state, place.latitude, place.longitude)
        # A store with stock by hand may never have been imported.
        .join(store_rows, place.store == level_rows.c.store, isouter=True)
        .where(level_rows.c.sku == sku, ~is_kit(level_rows.c.partition, level_rows.c.sku))
    )
    with reading(source) as connection:
        policy_of, reports = policies(connection), last_reports(connection)
        rows = connection.execute(query).all()
    found = []
    for row in rows:
        policy = policy_of.get(row.store) or Store()
        found.append(Stocked(row, level_answer(row, policy, reports.get(row.store), epoch_ms(now)), policy.pickup))
    return found


def empty_level(connection: Connection, store: str, sku: str, now: datetime) -> LevelAnswer:
    """The level of a SKU that is not in a store's books: no units, under the store's rules."""
    policy = policies(connection, store).get(store) or Store()
    return level_answer(_NoRow(store, sku), policy, last_reports(connection, store).get(store), epoch_ms(now))


class _NoRow(NamedTuple):
    """The row of a level that does not exist."""

    store: str
    sku: str
    on_hand: int = 0
    held: int = 0
    staged: int = 0
    in_doubt: int = 0
    quarantined: int = 0
    damaged: int = 0
    counted_ms: int = -1
    sold_since_ms: int = 0
    sold: int = 0
    sold_before: int = 0
    category: str = ""


def found_answer(stocked: Stocked, near: Point | None) -> FoundAnswer:
    """A level with its store's place and the distance from a point."""
    place: Any | StoreAnswer = stocked.place
    level = stocked.level
    kilometres = None
    if near is not None and place.latitude is not None and place.longitude is not None:
        kilometres = round(metres_between(near, (place.latitude, place.longitude)) / METRES_PER_KM, 2)
    return FoundAnswer(
        store=level.store,
        name=place.name or level.store,
        city=place.city or "",
        state=place.state or "",
        distance_km=kilometres,
        atp=level.atp,
        terms=level.terms,
        heard_at=level.heard_at,
    )


def level_answer(row: Any, policy: Store, report: LastReport | None, now_ms: int) -> LevelAnswer:
    """A row of the levels, with the terms of what can be promised at an instant under a policy."""
    level = Level(
        on_hand=row.on_hand,
        held=row.held,
        in_doubt=row.in_doubt,
        sold_since_ms=row.sold_since_ms,
        sold=row.sold,
        sold_before=row.sold_before,
        category=row.category,
    )
    found = terms(level, row.sku, policy, report, now_ms)
    return LevelAnswer(
        store=row.store,
        sku=row.sku,
        category=row.category,
        atp=found.atp,
        terms=found,
        staged=row.staged,
        quarantined=row.quarantined,
        damaged=row.damaged,
        counted_at=instant_or_none(row.counted_ms),
        heard_at=instant_or_none(report.at_ms if report else None),
        data_age_ms=max(0, now_ms - report.at_ms) if report else None,
    )
