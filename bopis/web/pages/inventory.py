"""Inventory: the stock of all stores as a table, now or at an instant, and as a file of all of it."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace
from sqlalchemy import Engine
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.adapters.parquet import Column, ColumnKind, Row
from bopis.domain.inventory.rows import Terms
from bopis.domain.values import SKU_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.readside.engine import reading
from bopis.readside.errors import CellUnknown
from bopis.readside.queries.answers import HistoryClock, LevelAnswer
from bopis.readside.queries.at_instant import at
from bopis.readside.queries.stock_table import (
    StockCell,
    StockFilter,
    StockOrder,
    StockQuestion,
    StockTable,
    stock_table,
)
from bopis.services.catalogue import Catalogue
from bopis.web.answers import CursorNumber, decode_cursor, encode_cursor
from bopis.web.exports import EXPORT_ROWS, checked, download
from bopis.web.pages.fields import choice, instant_of
from bopis.web.pages.now_view import age_text
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem

ROWS = 50
FOUND_MAX = 1_000
COLUMNS = (
    *(Column(it) for it in ("store", "sku", "name", "unit", "category")),
    *(
        Column(it, ColumnKind.NUMBER)
        for it in (
            "available", "on_hand", "held", "in_doubt", "safety_stock", "walk_in_reserve", "staleness", "staged",
            "quarantined", "damaged",
        )
    ),
    Column("heard_at", ColumnKind.INSTANT),
)  # fmt: skip
Result = TypeVar("Result")
Short = Annotated[str, Meta(max_length=40)]


class TableFilter(Struct, frozen=True, kw_only=True):
    """Fields of the filter as a browser sends them; empty ones do not restrict.

    `search` is a part of a name, or the beginning of a SKU. `at` is an instant in UTC, on the clock `clock`.
    """

    search: Annotated[str, Meta(max_length=100)] = ""
    store: Annotated[str, Meta(max_length=STORE_LENGTH_MAX)] = ""
    category: Annotated[str, Meta(max_length=SKU_LENGTH_MAX)] = ""
    only: Short = ""
    sort: Short = ""
    at: Short = ""
    clock: Short = ""
    cursor: Annotated[str, Meta(max_length=400)] = ""


class TableRow(Struct, frozen=True, kw_only=True):
    """One SKU in one store, now or at the chosen instant. `atp` None: it has no history by then."""

    store: str
    sku: str
    name: str
    unit: str
    category: str
    atp: int | None
    terms: Terms | None
    staged: int
    quarantined: int
    damaged: int
    age: str


def question(asked: TableFilter, catalogue: Catalogue) -> StockQuestion:
    """The question behind the fields of the filter. Raises `Problem` for a value that is none of ours.

    What the catalogue finds is asked for by SKU; else the text is the beginning of a SKU, and the category that of the
    store's books.
    """
    after = decode_cursor(asked.cursor, tuple[str, str, CursorNumber]) if asked.cursor else None
    prefix, category = asked.search.strip(), asked.category.strip()
    skus = found_skus(catalogue, prefix, category)
    return StockQuestion(
        store=asked.store.strip(),
        skus=skus,
        prefix="" if skus else prefix,
        category="" if skus else category,
        only=choice(StockFilter, asked.only, StockFilter.ALL),
        order=choice(StockOrder, asked.sort, StockOrder.SKU),
        limit=ROWS,
        after=None if after is None else StockCell(*after),
    )


def found_skus(catalogue: Catalogue, search: str, category: str = "") -> tuple[str, ...]:
    """SKUs of the catalogue in a category, and that begin with a text or whose name contains it; at most `FOUND_MAX`,
    by SKU. None for an empty search."""
    text = search.casefold()
    if not text and not category:
        return ()
    found = [
        it.sku
        for it in catalogue.all()
        if (not category or it.category == category)
        and (it.sku.casefold().startswith(text) or text in it.name.casefold())
    ]
    return tuple(found[:FOUND_MAX])


async def ask(call: PageCall, query: Callable[[Engine], Result]) -> Result:
    """Run a query on the read side in a thread."""
    return await call.site.in_thread(lambda: query(call.site.engine()))


async def show(call: PageCall) -> Response:
    """The table, a page at a time."""
    asked: TableFilter = call.params
    catalogue = call.site.stock.catalogue
    wanted, instant = question(asked, catalogue), instant_of(asked.at)
    clock = choice(HistoryClock, asked.clock, HistoryClock.OCCURRED)

    def read(engine: Engine) -> tuple[StockTable, list[TableRow]]:
        with reading(engine) as connection:
            table = stock_table(connection, wanted, now=call.site.now())
            if instant is None:
                return table, [row_of(it, catalogue) for it in table.levels]
            rows = []
            for level in table.levels:
                try:
                    past = at(connection, level.store, level.sku, instant, clock)
                except CellUnknown:
                    rows.append(replace(row_of(level, catalogue), atp=None, terms=None))
                    continue
                rows.append(
                    replace(
                        row_of(level, catalogue), atp=past.atp, terms=past.terms, staged=past.staged,
                        quarantined=past.quarantined, damaged=past.damaged, age="",
                    )
                )  # fmt: skip
            return table, rows

    table, rows = await ask(call, read)
    cursor = encode_cursor(table.next) if table.next is not None else ""
    return call.page(
        "inventory.html", rows=rows, asked=asked, cursor=cursor, order=table.order.value, instant=instant,
        clock=clock.value, query=encoded_filter(asked), more_found=len(wanted.skus) == FOUND_MAX,
        stores=sorted(it.store_id for it in call.site.stock.routing.tables.stores()),
        categories=sorted({it.category for it in catalogue.all() if it.category}),
        is_filtered=asked != TableFilter(), filters=[it.value for it in StockFilter],
    )  # fmt: skip


def row_of(level: LevelAnswer, catalogue: Catalogue) -> TableRow:
    """A level for the table."""
    return TableRow(
        store=level.store,
        sku=level.sku,
        name=catalogue.known_name(level.sku),
        unit=catalogue.unit(level.sku),
        category=level.category or category_of(level.sku, catalogue),
        atp=level.atp,
        terms=level.terms,
        staged=level.staged,
        quarantined=level.quarantined,
        damaged=level.damaged,
        age=age_text(level.data_age_ms),
    )


def category_of(sku: str, catalogue: Catalogue) -> str:
    """The category that the catalogue gives a SKU; empty without one."""
    article = catalogue.get(sku)
    return article.category if article is not None else ""


def encoded_filter(asked: TableFilter) -> dict[str, str]:
    """The fields of the filter that are set, without the page."""
    names = ("search", "store", "category", "only", "sort", "at", "clock")
    return {name: value for name in names if (value := getattr(asked, name))}


async def export(call: PageCall) -> Response:
    """The filtered table as a file, all of its pages, as a stream: one page at a time is in memory."""
    asked: TableFilter = call.params
    if asked.at:
        raise Problem(400, "parameter-invalid", "The export is of now; ask /v1/.../at for one SKU at an instant.")
    wanted = replace(question(asked, call.site.stock.catalogue), limit=EXPORT_ROWS)
    return await download(call, "inventory", COLUMNS, await checked(_pages(call, wanted)))


async def _pages(call: PageCall, wanted: StockQuestion) -> AsyncIterator[Sequence[Row]]:
    catalogue = call.site.stock.catalogue
    while True:
        table = await _export_page(call, wanted)
        yield [export_row(it, catalogue) for it in table.levels]
        if table.next is None:
            return
        wanted = replace(wanted, after=table.next)


async def _export_page(call: PageCall, wanted: StockQuestion) -> StockTable:
    return await ask(call, lambda engine: stock_table(engine, wanted, now=call.site.now()))


def export_row(level: LevelAnswer, catalogue: Catalogue) -> Row:
    """A level as a row of the export, in the order of `COLUMNS`."""
    row, terms = row_of(level, catalogue), level.terms
    deductions = (terms.held, terms.in_doubt, terms.safety_stock, terms.walk_in_reserve, terms.staleness)
    words = (row.store, row.sku, row.name, row.unit, row.category)
    return (*words, level.atp, terms.on_hand, *deductions, row.staged, row.quarantined, row.damaged, level.heard_at)


PAGES = (
    Page(path="/inventory", show=show, right=Right.PAGES_HQ, params=TableFilter),
    Page(path="/inventory.csv", show=export, right=Right.PAGES_HQ, params=TableFilter),
    Page(path="/inventory.parquet", show=export, right=Right.PAGES_HQ, params=TableFilter),
)
