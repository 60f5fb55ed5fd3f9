"""Stock of a store from the read side: levels, history, the state at an instant on either clock, and why."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar

from msgspec import Meta, Struct
from sqlalchemy import Engine

from bopis.access.roles import Right
from bopis.domain.values import SKU_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.readside.errors import CellUnknown, CursorInvalid, StoreAbsent
from bopis.readside.queries.answers import AtAnswer, HistoryClock, HistorySpan, LevelPage, MovementPage, Page
from bopis.readside.queries.at_instant import at
from bopis.readside.queries.current import levels
from bopis.readside.queries.history import history
from bopis.readside.queries.reasons import WhyAnswer, why
from bopis.web.answers import PageSize
from bopis.web.endpoint import Call, Endpoint, Provided
from bopis.web.problems import Problem

TAG = "stock"
Result = TypeVar("Result")
Store = Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]
Sku = Annotated[str, Meta(min_length=1, max_length=SKU_LENGTH_MAX)]
Cursor = Annotated[str, Meta(max_length=400)]


class LevelsQuery(Struct, frozen=True, kw_only=True):
    """A page of the levels of a store, by SKU; `sku` limits it to one."""

    store: Store
    sku: Annotated[str, Meta(max_length=SKU_LENGTH_MAX)] = ""
    limit: PageSize = 100
    cursor: Cursor = ""


class CellPath(Struct, frozen=True, kw_only=True):
    """A SKU in a store."""

    store: Store
    sku: Sku


class HistoryQuery(CellPath, frozen=True, kw_only=True):
    """Movements from `since` to before `until` on a clock: when they ``occurred``, or when they were ``recorded``."""

    since: datetime | None = None
    until: datetime | None = None
    clock: HistoryClock = HistoryClock.OCCURRED
    limit: PageSize = 100
    cursor: Cursor = ""


class AtQuery(CellPath, frozen=True, kw_only=True):
    """An instant on a clock: the truth as known today, or the books of that time."""

    instant: Annotated[datetime, Meta(tz=True)]
    clock: HistoryClock = HistoryClock.OCCURRED


async def read_levels(call: Call) -> LevelPage:
    """Levels of the SKUs of a store, each with the terms of what can be promised."""
    asked: LevelsQuery = call.params
    page = Page(limit=asked.limit, cursor=asked.cursor or None)
    return await _query(
        call, lambda engine: levels(engine, asked.store, asked.sku or None, now=call.site.now(), page=page)
    )


async def read_history(call: Call) -> MovementPage:
    """Movements of a SKU in a store, the newest first."""
    asked: HistoryQuery = call.params
    span = HistorySpan(
        since=asked.since, until=asked.until, clock=asked.clock, limit=asked.limit, cursor=asked.cursor or None
    )
    return await _query(call, lambda engine: history(engine, asked.store, asked.sku, span))


async def read_at(call: Call) -> AtAnswer:
    """What could be promised at an instant."""
    asked: AtQuery = call.params
    return await _query(call, lambda engine: at(engine, asked.store, asked.sku, asked.instant, asked.clock))


async def read_why(call: Call) -> WhyAnswer:
    """The messages behind each term of what can be promised now."""
    asked: CellPath = call.params
    return await _query(call, lambda engine: why(engine, asked.store, asked.sku, now=call.site.now()))


async def _query(call: Call, query: Callable[[Engine], Result]) -> Result:
    """Run a query on the read side. Raises `Problem` for what it does not know."""
    try:
        return await call.site.in_thread(lambda: query(call.site.engine()))
    except CursorInvalid as error:
        raise Problem(400, "cursor-invalid", str(error)) from error
    except (CellUnknown, StoreAbsent) as error:
        raise Problem(404, "stock-unknown", str(error)) from error


_CELL = "/v1/stores/{store}/stock/{sku}"
ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/stores/{store}/stock", handle=read_levels, right=Right.STOCK_READ, tag=TAG,
        summary="Levels of a store", params=LevelsQuery, answer=LevelPage, store="store", statuses=(400, 404, 503),
        provides=(Provided("sku", "$response.body#/levels/0/sku"), Provided("cursor", "$response.body#/next")),
    ),
    Endpoint(
        method="GET", path=f"{_CELL}/history", handle=read_history, right=Right.STOCK_READ, tag=TAG,
        summary="Movements of a SKU in a store", params=HistoryQuery, answer=MovementPage, store="store",
        statuses=(400, 404, 503), provides=(Provided("cursor", "$response.body#/next"),),
    ),
    Endpoint(
        method="GET", path=f"{_CELL}/at", handle=read_at, right=Right.STOCK_READ, tag=TAG,
        summary="What could be promised at an instant", params=AtQuery, answer=AtAnswer, store="store",
        statuses=(404, 503),
    ),
    Endpoint(
        method="GET", path=f"{_CELL}/why", handle=read_why, right=Right.STOCK_READ, tag=TAG,
        summary="Why that many can be promised", params=CellPath, answer=WhyAnswer, store="store", statuses=(404, 503),
    ),
)  # fmt: skip
