"""Articles as the stock log has them, and what it counts under codes that are none.

The second fold keeps the rows of the inventory, with those of the catalogue: what a code means here is what it means
for the next message about it. A partition without a catalogue knows no unknown code.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, and_, case, distinct, func, literal, select

from bopis.domain.inventory.articles import CataloguedArticle
from bopis.domain.inventory.catalogue import resolved
from bopis.domain.inventory.rows import ARTICLE_PREFIX, KIT_PREFIX, MARK_KEY, Row, row_type
from bopis.readside.engine import Source, reading
from bopis.readside.queries.answers import instant
from bopis.readside.schema import fold_rows, levels, movements, stores

UNKNOWN_MAX = 1_000
COUNT = "count"


class UnknownAnswer(Struct, frozen=True, kw_only=True):
    """Messages of one source under a code that is no article with a shelf, or of a store that was never imported.

    ``now`` is the SKU that the code means since, ``kit`` whether it is one; ``units`` are the change of on hand.
    """

    store: str
    code: str
    source: str
    first_at: datetime
    last_at: datetime
    messages: int
    units: int
    now: str = ""
    kit: bool = False


class UnknownCounts(Struct, frozen=True, kw_only=True):
    """Codes in stores, and stores, that no catalogue and no import knows."""

    codes: int
    stores: int


class _CatalogueRows:
    """Rows of the catalogue in one partition, as the core reads them."""

    def __init__(self, connection: Connection, partition: int) -> None:
        self._connection = connection
        self._partition = partition

    def get(self, key: str) -> Row | None:
        column = fold_rows.c
        query = select(column.row).where(column.partition == self._partition, column.key == key)
        found = self._connection.execute(query).scalar()
        return None if found is None else msgspec.msgpack.decode(found, type=row_type(key))


def article(source: Source, code: str) -> CataloguedArticle | None:
    """The article of a code in any form; None for one that no article has, and without a catalogue."""
    with reading(source) as connection:
        partition = _partition(connection)
        return None if partition is None else resolved(cast(Any, _CatalogueRows(connection, partition)), code)


def articles(source: Source, skus: Iterable[str]) -> dict[str, CataloguedArticle]:
    """The articles and kits with exactly these SKUs."""
    wanted = dict.fromkeys(skus)
    with reading(source) as connection:
        partition = _partition(connection)
        if partition is None or not wanted:
            return {}
        keys = [prefix + sku for sku in wanted for prefix in (ARTICLE_PREFIX, KIT_PREFIX)]
        query = select(fold_rows.c.row).where(fold_rows.c.partition == partition, fold_rows.c.key.in_(keys))
        rows = connection.execute(query).scalars()
        found = [msgspec.msgpack.decode(row, type=CataloguedArticle) for row in rows]
    return {it.sku: it for it in found}


def is_kit(store_partition: ColumnElement[int], sku: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a SKU is a kit, which has no shelf and so no level of its own."""
    kits = fold_rows.alias()
    return (
        select(literal(1)).where(kits.c.partition == store_partition, kits.c.key == literal(KIT_PREFIX) + sku).exists()
    )


def unknown_codes(source: Source) -> list[UnknownAnswer]:
    """What is counted under codes that are no article with a shelf, by store, code and source."""
    cells = _unknown_cells().subquery()
    is_cell = and_(cells.c.store == movements.c.store, cells.c.sku == movements.c.sku)
    by = (movements.c.store, movements.c.sku, movements.c.source)
    query = _movements(movements.c.sku).join(cells, is_cell).group_by(*by).order_by(*by).limit(UNKNOWN_MAX)
    with reading(source) as connection:
        found = [_answer(row) for row in connection.execute(query)]
        known = {code: article(connection, code) for code in dict.fromkeys(it.code for it in found)}
    return [_with_article(it, known[it.code]) for it in found]


def unknown_stores(source: Source) -> list[UnknownAnswer]:
    """What is counted in stores that were never imported, by store and source; none while no store was."""
    never = _unknown_stores().subquery()
    by = (movements.c.store, movements.c.source)
    query = _movements(literal("")).join(never, never.c.store == movements.c.store)
    with reading(source) as connection:
        return [_answer(row) for row in connection.execute(query.group_by(*by).order_by(*by).limit(UNKNOWN_MAX))]


def unknown_counts(source: Source) -> UnknownCounts:
    """How many codes in stores, and how many stores, are unknown."""
    with reading(source) as connection:
        codes, stores_found = (
            connection.execute(select(func.count()).select_from(found.subquery())).scalar() or 0
            for found in (_unknown_cells(), _unknown_stores())
        )
    return UnknownCounts(codes=codes, stores=stores_found)


def _unknown_cells() -> Select[Any]:
    mark, shelf = fold_rows.alias(), fold_rows.alias()
    has_shelf = and_(shelf.c.partition == levels.c.partition, shelf.c.key == literal(ARTICLE_PREFIX) + levels.c.sku)
    return (
        select(levels.c.store, levels.c.sku)
        .join(mark, and_(mark.c.partition == levels.c.partition, mark.c.key == MARK_KEY))
        .where(~select(literal(1)).where(has_shelf).exists())
    )


def _unknown_stores() -> Select[Any]:
    imported = select(stores.c.store)
    return select(levels.c.store).where(levels.c.store.not_in(imported), imported.exists()).distinct()


def _movements(code: Any) -> Select[Any]:
    column = movements.c
    return select(
        column.store,
        code.label("code"),
        column.source,
        func.min(column.occurred_ms),
        func.max(column.occurred_ms),
        # A message moves several SKUs of a store.
        func.count(distinct(column.offset)),
        func.sum(case((column.kind == COUNT, column.applied), else_=column.change)),
    )


def _answer(row: Any) -> UnknownAnswer:
    store, code, source, first_ms, last_ms, messages, units = row
    return UnknownAnswer(
        store=store,
        code=code,
        source=source,
        first_at=instant(first_ms),
        last_at=instant(last_ms),
        messages=messages,
        units=int(units),
    )


def _with_article(answer: UnknownAnswer, known: CataloguedArticle | None) -> UnknownAnswer:
    if known is None:
        return answer
    return msgspec.structs.replace(answer, now=known.sku, kit=bool(known.components))


def _partition(connection: Connection) -> int | None:
    """A partition that has the catalogue: each of them has the whole of it."""
    return connection.execute(select(func.min(fold_rows.c.partition)).where(fold_rows.c.key == MARK_KEY)).scalar()
