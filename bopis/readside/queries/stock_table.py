"""The stock of all stores as one table: search, filters and pages that stay fast at millions of levels.

Each kind of question is answered by walking an index in the order of the page: the primary key (store, SKU), the index
of SKUs, that of categories, or that of levels with few units. A page begins after the last cell of the page before, so
the thousandth page costs as much as the first.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, and_, or_, select

from bopis.domain.inventory.rows import Store
from bopis.domain.inventory.staleness import LastReport
from bopis.domain.values import MINUTE_MS, epoch_ms
from bopis.readside.engine import SQLITE, Source, reading
from bopis.readside.queries.answers import ROWS_DEFAULT, ROWS_MAX, LevelAnswer
from bopis.readside.queries.articles import is_kit
from bopis.readside.queries.current import level_answer
from bopis.readside.queries.stores import last_reports, policies
from bopis.readside.schema import free_units, is_low, levels

# Sorts behind every character of a SKU in SQLite's order of bytes.
_HIGHEST = "\U0010ffff"


class StockOrder(StrEnum):
    """The order of the table. ``units``: the fewest free units first, within one store."""

    SKU = "sku"
    STORE = "store"
    UNITS = "units"


class StockFilter(StrEnum):
    """Which levels are listed. ``low``: at most `FREE_UNITS_LOW_MAX` free units; ``negative``: on hand below zero;
    ``stale``: in stores whose devices have been silent for longer than their grace time."""

    ALL = "all"
    LOW = "low"
    NEGATIVE = "negative"
    STALE = "stale"


class StockCell(NamedTuple):
    """The last cell of a page: the next one begins after it. `units` are its free units."""

    store: str
    sku: str
    units: int = 0


class StockQuestion(Struct, frozen=True, kw_only=True):
    """A page of the table. Empty fields do not restrict; `skus` are exact codes, `prefix` is the beginning of one."""

    store: str = ""
    skus: tuple[str, ...] = ()
    prefix: str = ""
    category: str = ""
    only: StockFilter = StockFilter.ALL
    order: StockOrder = StockOrder.SKU
    limit: int = ROWS_DEFAULT
    after: StockCell | None = None

    @property
    def rows(self) -> int:
        return max(1, min(self.limit, ROWS_MAX))


class StockTable(Struct, frozen=True, kw_only=True):
    """A page of levels in `order`, which is the one asked for where an index has it."""

    levels: tuple[LevelAnswer, ...]
    order: StockOrder
    next: StockCell | None


class PolicyEffect(NamedTuple):
    """One SKU of a store under the present policy and under another one."""

    now: LevelAnswer
    then: LevelAnswer


def stock_table(source: Source, asked: StockQuestion, *, now: datetime) -> StockTable:
    """A page of the levels of all stores, or of one."""
    now_ms, order = epoch_ms(now), effective_order(asked)
    with reading(source) as connection:
        policy_of, reports = policies(connection), last_reports(connection)
        stale = _stale(policy_of, reports, now_ms) if asked.only is StockFilter.STALE else []
        if asked.only is StockFilter.STALE and not stale:
            return StockTable(levels=(), order=order, next=None)
        is_binary = connection.dialect.name == SQLITE
        query = _ordered(_filtered(asked, stale, is_binary), order, asked.after).limit(asked.rows + 1)
        rows = connection.execute(query).all()
    shown = rows[: asked.rows]
    last = shown[-1] if len(rows) > asked.rows else None
    return StockTable(
        levels=tuple(
            level_answer(row, policy_of.get(row.store) or Store(), reports.get(row.store), now_ms) for row in shown
        ),
        order=order,
        next=None if last is None else StockCell(last.store, last.sku, last.on_hand - last.held - last.in_doubt),
    )


def effective_order(asked: StockQuestion) -> StockOrder:
    """The order in which a question can be answered without reading all levels."""
    if asked.store:
        return StockOrder.UNITS if asked.order is StockOrder.UNITS else StockOrder.SKU
    if asked.only is not StockFilter.ALL:
        return StockOrder.STORE
    if asked.skus or asked.prefix or asked.category:
        return StockOrder.SKU
    return StockOrder.SKU if asked.order is StockOrder.UNITS else asked.order


def policy_effects(source: Source, store: str, policy: Store, *, now: datetime) -> Iterator[PolicyEffect]:
    """Every SKU of a store of which another number could be promised under another policy, by SKU."""
    now_ms = epoch_ms(now)
    query = select(levels).where(levels.c.store == store, ~is_kit(levels.c.partition, levels.c.sku))
    with reading(source) as connection:
        present = policies(connection, store).get(store) or Store()
        report = last_reports(connection, store).get(store)
        for row in connection.execute(query.order_by(levels.c.sku)):
            effect = PolicyEffect(level_answer(row, present, report, now_ms), level_answer(row, policy, report, now_ms))
            if effect.now.atp != effect.then.atp:
                yield effect


def _stale(policy_of: dict[str, Store], reports: dict[str, LastReport], now_ms: int) -> list[str]:
    grace = Store().staleness_grace_minutes
    grace_of = {store: policy.staleness_grace_minutes for store, policy in policy_of.items()}
    return [
        store
        for store, report in sorted(reports.items())
        if now_ms - report.at_ms > grace_of.get(store, grace) * MINUTE_MS
    ]


def _filtered(asked: StockQuestion, stale: list[str], is_binary: bool) -> Select[Any]:
    column = levels.c
    query = select(levels).where(~is_kit(column.partition, column.sku))
    if asked.store:
        query = query.where(column.store == asked.store)
    if asked.skus:
        query = query.where(column.sku.in_(_rest(asked, is_binary)))
    if asked.prefix:
        query = query.where(column.sku.startswith(asked.prefix, autoescape=True))
        if is_binary:
            # SQLite walks its index for a range alone; its LIKE does not tell capitals from small letters.
            query = query.where(column.sku.between(asked.prefix, asked.prefix + _HIGHEST))
    if asked.category:
        query = query.where(column.category == asked.category)
    if asked.only is StockFilter.LOW:
        query = query.where(is_low)
    elif asked.only is StockFilter.NEGATIVE:
        # Fewer than none on hand are few free units, too, and those have an index.
        query = query.where(is_low, column.on_hand < 0)
    elif asked.only is StockFilter.STALE:
        query = query.where(column.store.in_(stale))
    return query


def _rest(asked: StockQuestion, is_binary: bool) -> tuple[str, ...]:
    """The exact codes of a page and the pages after it. SQLite sorts text as Python does; others may not."""
    if asked.after is None or not is_binary or effective_order(asked) is not StockOrder.SKU:
        return asked.skus
    after = asked.after.sku
    return tuple(it for it in asked.skus if it >= after)


def _ordered(query: Select[Any], order: StockOrder, after: StockCell | None) -> Select[Any]:
    column = levels.c
    if order is StockOrder.UNITS:
        query = query.order_by(free_units, column.sku)
        return query if after is None else query.where(_behind(free_units, after.units, column.sku, after.sku))
    if order is StockOrder.STORE:
        query = query.order_by(column.store, column.sku)
        return query if after is None else query.where(_behind(column.store, after.store, column.sku, after.sku))
    query = query.order_by(column.sku, column.store)
    return query if after is None else query.where(_behind(column.sku, after.sku, column.store, after.store))


def _behind(first: Any, first_value: Any, second: Any, second_value: Any) -> ColumnElement[bool]:
    """Behind a pair of values. The first condition alone bounds the walk of the index; both together are exact."""
    return and_(first >= first_value, or_(first > first_value, second > second_value))
