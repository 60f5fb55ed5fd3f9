"""The present: what every SKU in a store stands at, and which stores can promise one."""

from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from typing import Any, NamedTuple

from sqlalchemy import Engine, select

from bopis.domain.inventory.availability import terms
from bopis.domain.inventory.rows import Level, Store
from bopis.domain.values import epoch_ms
from bopis.readside.engine import reading
from bopis.readside.errors import CellUnknown
from bopis.readside.queries.answers import FoundAnswer, LevelAnswer, LevelPage, Page, instant_or_none
from bopis.readside.queries.places import heard, policies
from bopis.readside.schema import levels as level_rows
from bopis.readside.schema import stores as store_rows

EARTH_RADIUS_KM = 6371.0088
STORES_FOUND_MAX = 50

Point = tuple[float, float]


def levels(engine: Engine, store: str, sku: str | None = None, *, now: datetime, page: Page = Page()) -> LevelPage:
    """What a store has of one SKU or of all, by SKU. Raises `CellUnknown` for a SKU it never heard of."""
    query = select(level_rows).where(level_rows.c.store == store).order_by(level_rows.c.sku).limit(page.rows + 1)
    if sku is not None:
        query = query.where(level_rows.c.sku == sku)
    elif page.cursor is not None:
        query = query.where(level_rows.c.sku > page.cursor)
    with reading(engine) as connection:
        policy = policies(connection, store).get(store) or Store()
        heard_ms = heard(connection, store).get(store)
        rows = connection.execute(query).all()
    if sku is not None and not rows:
        raise CellUnknown(store=store, sku=sku)
    found = tuple(_level(row, policy, heard_ms, epoch_ms(now)) for row in rows[: page.rows])
    return LevelPage(levels=found, next=found[-1].sku if len(rows) > page.rows else None)


def find(engine: Engine, sku: str, near: Point | None = None, minimum: int = 1, *, now: datetime) -> list[FoundAnswer]:
    """Stores that take pickups and can promise so many of a SKU: nearest first, else by what they can promise."""
    found = [
        found_answer(row, level, near)
        for row, level, pickup in carrying(engine, sku, now)
        if pickup and level.atp >= minimum
    ]
    return nearest(found)


def nearest(found: list[FoundAnswer]) -> list[FoundAnswer]:
    """The nearest first, else those that can promise most; so many are told at most."""
    found.sort(key=lambda it: (it.distance_km is None, it.distance_km or 0.0, -it.atp, it.store))
    return found[:STORES_FOUND_MAX]


def carrying(engine: Engine, sku: str, now: datetime) -> list[tuple[Any, LevelAnswer, bool]]:
    """Each store that has a SKU in its books: its row, what it stands at, and whether the store takes pickups."""
    query = (
        select(level_rows, store_rows.c.name, store_rows.c.city, store_rows.c.state, store_rows.c.latitude,
               store_rows.c.longitude)
        .join(store_rows, store_rows.c.store == level_rows.c.store, isouter=True)
        .where(level_rows.c.sku == sku)
    )  # fmt: skip
    with reading(engine) as connection:
        ruled, heard_ms = policies(connection), heard(connection)
        rows = connection.execute(query).all()
    found = []
    for row in rows:
        policy = ruled.get(row.store) or Store()
        found.append((row, _level(row, policy, heard_ms.get(row.store), epoch_ms(now)), policy.pickup))
    return found


def empty_level(engine: Engine, store: str, sku: str, now: datetime) -> LevelAnswer:
    """What a store stands at with a SKU that never was in its books: nothing, by its own rules."""
    with reading(engine) as connection:
        policy = policies(connection, store).get(store) or Store()
        heard_ms = heard(connection, store).get(store)
    return _level(_Nothing(store, sku), policy, heard_ms, epoch_ms(now))


class _Nothing(NamedTuple):
    """A row of a level that is not there."""

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


def distance_km(here: Point, there: Point) -> float:
    """Great-circle distance between two points given as degrees of latitude and longitude (haversine)."""
    north, south = radians(here[0]), radians(there[0])
    half_lat, half_lon = (south - north) / 2, radians(there[1] - here[1]) / 2
    chord = sin(half_lat) ** 2 + cos(north) * cos(south) * sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, chord)))


def found_answer(row: Any, level: LevelAnswer, near: Point | None) -> FoundAnswer:
    """A level with the place of its store, and how far that is."""
    is_placed = near is not None and row.latitude is not None and row.longitude is not None
    return FoundAnswer(
        store=row.store,
        name=row.name or row.store,
        city=row.city or "",
        state=row.state or "",
        distance_km=round(distance_km(near, (row.latitude, row.longitude)), 2) if near and is_placed else None,
        atp=level.atp,
        terms=level.terms,
        heard_at=level.heard_at,
    )


def _level(row: Any, policy: Store, heard_ms: int | None, now_ms: int) -> LevelAnswer:
    level = Level(
        on_hand=row.on_hand,
        held=row.held,
        in_doubt=row.in_doubt,
        sold_since_ms=row.sold_since_ms,
        sold=row.sold,
        sold_before=row.sold_before,
        category=row.category,
    )
    found = terms(level, row.sku, policy, heard_ms, now_ms)
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
        heard_at=instant_or_none(heard_ms),
        data_age_ms=None if heard_ms is None else max(0, now_ms - heard_ms),
    )
