"""One SKU in one store: what can be promised term by term, the messages behind each term, and its history."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace
from sqlalchemy import Engine
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.adapters.parquet import Column, ColumnKind, Row
from bopis.domain.values import SKU_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.readside.engine import reading
from bopis.readside.errors import CellUnknown, CursorInvalid
from bopis.readside.queries.answers import (
    AtAnswer,
    HistoryClock,
    HistorySpan,
    LevelAnswer,
    MovementAnswer,
    MovementPage,
)
from bopis.readside.queries.at_instant import at
from bopis.readside.queries.current import levels
from bopis.readside.queries.history import history
from bopis.readside.queries.reasons import WhyAnswer, why
from bopis.services.counter.store_times import StoreTimes
from bopis.web.exports import EXPORT_ROWS, checked, download
from bopis.web.pages.fields import choice, instant_of
from bopis.web.pages.inventory import ask
from bopis.web.pages.now_view import age_text
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem

MOVEMENTS = 50
COLUMNS = (
    *(Column(it) for it in ("store", "sku", "kind")),
    *(Column(it, ColumnKind.NUMBER) for it in ("change", "applied", "on_hand_after")),
    Column("occurred_at", ColumnKind.INSTANT),
    Column("recorded_at", ColumnKind.INSTANT),
    *(Column(it) for it in ("source", "actor", "message_id", "reference")),
    Column("sequence", ColumnKind.NUMBER),
)


class CellQuery(Struct, frozen=True, kw_only=True):
    """A SKU in a store; `at` is an instant in UTC on the clock `clock`, `cursor` continues the history."""

    store: Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]
    sku: Annotated[str, Meta(min_length=1, max_length=SKU_LENGTH_MAX)]
    at: Annotated[str, Meta(max_length=40)] = ""
    clock: Annotated[str, Meta(max_length=40)] = ""
    cursor: Annotated[str, Meta(max_length=200)] = ""


class Term(Struct, frozen=True, kw_only=True):
    """One term of the equation: its sign, its units, and what it is."""

    sign: str
    units: int
    text: str
    rule: str = ""


class ShownMovement(Struct, frozen=True, kw_only=True):
    """One movement with both clocks on the clock of its store."""

    kind: str
    change: int
    applied: int
    after: int
    occurred: str
    recorded: str
    who: str
    reference: str


class ReadCell(Struct, frozen=True, kw_only=True):
    """Everything about the cell at one moment of the read side."""

    level: LevelAnswer | None
    why: WhyAnswer
    past: AtAnswer | None
    page: MovementPage


def equation(found: WhyAnswer | AtAnswer) -> list[Term]:
    """On hand minus every deduction; terms of no units are left out, on hand never."""
    terms = found.terms
    deductions = (
        (terms.held, "held for orders", ""),
        (terms.in_doubt, "in doubt", ""),
        (terms.safety_stock, "safety stock", terms.safety_stock_rule),
        (terms.walk_in_reserve, "walk-in reserve", terms.walk_in_reserve_rule),
        (terms.staleness, "withheld for stale till data", ""),
    )
    return [
        Term(sign="", units=terms.on_hand, text="on hand"),
        *(Term(sign="−", units=units, text=text, rule=rule) for units, text, rule in deductions if units),
    ]


async def show(call: PageCall) -> Response:
    """The cell now and, with an instant, then."""
    asked: CellQuery = call.params
    clock, instant = choice(HistoryClock, asked.clock, HistoryClock.OCCURRED), instant_of(asked.at)
    span = HistorySpan(clock=clock, limit=MOVEMENTS, cursor=asked.cursor or None)

    def read(engine: Engine) -> ReadCell:
        now = call.site.now()
        with reading(engine) as connection:
            explained = why(connection, asked.store, asked.sku, now=now)
            try:
                level = levels(connection, asked.store, asked.sku, now=now).levels[0]
            except CellUnknown:
                level = None
            past = None if instant is None else at(connection, asked.store, asked.sku, instant, clock)
            page = history(connection, asked.store, asked.sku, span)
        return ReadCell(level=level, why=explained, past=past, page=page)

    try:
        found = await ask(call, read)
    except CellUnknown:
        raise _unknown(asked) from None
    except CursorInvalid as error:
        raise Problem(400, "cursor-invalid", str(error)) from None
    times, catalogue = call.site.times(asked.store), call.site.stock.catalogue
    return call.page(
        "inventory-cell.html", asked=asked, cell=found, clock=clock.value, instant=instant,
        name=catalogue.known_name(asked.sku), unit=catalogue.unit(asked.sku), times=times, age_text=age_text,
        equation=equation(found.why), past_equation=equation(found.past) if found.past is not None else [],
        movements=[_movement(it, times) for it in found.page.movements],
        behind=[_movement(it, times) for it in found.why.on_hand.movements],
        count=_movement(found.why.on_hand.count, times) if found.why.on_hand.count is not None else None,
    )  # fmt: skip


async def export(call: PageCall) -> Response:
    """The whole history of the cell as a file, the newest movement first; one page at a time is in memory."""
    asked: CellQuery = call.params
    span = HistorySpan(clock=choice(HistoryClock, asked.clock, HistoryClock.OCCURRED), limit=EXPORT_ROWS)
    try:
        pages = await checked(_pages(call, asked, span))
    except CellUnknown:
        raise _unknown(asked) from None
    return await download(call, "history", COLUMNS, pages)


async def _pages(call: PageCall, asked: CellQuery, span: HistorySpan) -> AsyncIterator[Sequence[Row]]:
    while True:
        found = await ask(call, partial(history, store=asked.store, sku=asked.sku, span=span))
        yield [tuple(getattr(it, column.name) for column in COLUMNS) for it in found.movements]
        if found.next is None:
            return
        span = replace(span, cursor=found.next)


def _unknown(asked: CellQuery) -> Problem:
    return Problem(
        404, "stock-unknown", f"Store {asked.store} has no message about {asked.sku}. Codes compare exactly."
    )


def _movement(it: MovementAnswer, times: StoreTimes) -> ShownMovement:
    return ShownMovement(
        kind=it.kind,
        change=it.change,
        applied=it.applied,
        after=it.on_hand_after,
        occurred=f"{times.at(int(it.occurred_at.timestamp() * 1000)):%a %d %b %H:%M:%S}",
        recorded=f"{times.at(int(it.recorded_at.timestamp() * 1000)):%a %d %b %H:%M:%S}",
        who=it.actor or it.source,
        reference=it.reference or it.message_id,
    )


PAGES = (
    Page(path="/history.csv", show=export, right=Right.PAGES_HQ, params=CellQuery),
    Page(path="/history.parquet", show=export, right=Right.PAGES_HQ, params=CellQuery),
    Page(path="/inventory/{store}/{sku:path}", show=show, right=Right.PAGES_HQ, params=CellQuery),
)
