"""Stores: how they are now, and one store with its queue, capacity, key figures, hours and policy."""

from datetime import timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Engine
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.store_queue import NEVER_MS, Colour, WorkItem, queue
from bopis.errors import BopisError
from bopis.readside.engine import reading
from bopis.readside.kpi.catalogue import DEFINITIONS
from bopis.readside.queries.kpi import KpiGroup, KpiGrouping, KpiSpan, kpis, open_time
from bopis.services.counter.store_times import StoreTimes
from bopis.services.opening_days import opening_days
from bopis.services.store_directory import StoreRecord
from bopis.web.api.stores import StorePath
from bopis.web.pages.inventory import ask
from bopis.web.pages.now import store_figures
from bopis.web.pages.now_view import age_text
from bopis.web.pages.page import Page, PageCall, as_json
from bopis.web.problems import Problem
from bopis.web.store_agents import agents_of

KPI_DAYS = 14
DAYS_SHOWN = 7
CLOSED_DAYS = 60
SHOWN_MAX = 100
# The charts by day: the name of each series, its key figure (none: orders promised) and figure, and a factor.
CHARTS = (
    ("Orders promised", (("promised", "", "", 1),)),
    ("Ready by the promise, %", (("ready in time, %", "time_to_ready", "within_promise", 100),)),
    (
        "Minutes to ready",
        (("half took at most", "time_to_ready", "p50_minutes", 1), ("nine of ten", "time_to_ready", "p90_minutes", 1)),
    ),
)
PERCENT = 100
TONES = {Colour.RED: "bad", Colour.YELLOW: "warn", Colour.GREEN: "good", Colour.GREY: ""}


class QueueRow(Struct, frozen=True, kw_only=True):
    """One entry of a store's queue, with its due time on the store's clock."""

    order: str
    shown: str
    step: str
    tone: str
    due: str
    lines: int
    units: int
    picker: str
    place: str
    customer: str


class Chart(Struct, frozen=True, kw_only=True):
    """A chart, and the same numbers as a table."""

    title: str
    content: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | int | None, ...]], ...]


def queue_rows(items: list[WorkItem], times: StoreTimes) -> list[QueueRow]:
    """The queue of a store for its page, as `bopis pickup queue` lists it."""
    return [
        QueueRow(
            order=it.order,
            shown=shown(it.order),
            step=it.step.text + (f" {it.sku}" if it.sku else ""),
            tone=TONES[it.colour],
            due=times.instant(it.due_ms, it.store) if it.due_ms < NEVER_MS else "–",
            lines=it.lines,
            units=it.units,
            picker=it.picker,
            place=it.location,
            customer=f"waits since {times.instant(it.waiting_since_ms, it.store)} {it.where} {it.spot}".strip()
            if it.waiting_since_ms
            else "",
        )
        for it in items
    ]


def charts(groups: list[KpiGroup]) -> list[Chart]:
    """Key figures by day as charts; none without a day."""
    if not groups:
        return []
    found = []
    for title, series in CHARTS:
        columns = [
            [it.visits if not kpi else _scaled(it.kpis[kpi][figure], factor) for it in groups]
            for _, kpi, figure, factor in series
        ]
        names = tuple(name for name, *_ in series)
        content = {
            "days": [it.name for it in groups],
            "series": [{"name": name, "values": values} for name, values in zip(names, columns, strict=True)],
        }
        rows = tuple((it.name, tuple(column[at] for column in columns)) for at, it in enumerate(groups))
        found.append(Chart(title=title, content=as_json(content), names=names, rows=rows))
    return found


def _scaled(value: float | int | None, factor: int) -> float | None:
    return None if value is None else round(value * factor, 1)


def figure_text(name: str, value: float | int | None) -> str:
    """A key figure as the command line prints it."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1f} min" if name.endswith("minutes") else f"{value * PERCENT:.1f} %"


async def show_list(call: PageCall) -> Response:
    """All stores."""
    call.site.require_ready()
    agents = {it.store: it for it in await agents_of(call)}
    return call.page("stores.html", stores=store_figures(call.site), age_text=age_text, agents=agents)


async def show(call: PageCall) -> Response:
    """One store."""
    return await store_page(call, record_of(call))


def record_of(call: PageCall) -> StoreRecord:
    """The store of the page. Raises `Problem`."""
    call.site.require_ready()
    record = call.site.stock.routing.tables.record(call.params.store)
    if record is None:
        raise Problem(404, "store-unknown", f"There is no store {call.params.store}. `bopis stores list` lists them.")
    return record


async def store_page(call: PageCall, record: StoreRecord, status: int = 200, **values: Any) -> Response:
    """The page of a store; `values` are those of a preview or of a saved policy."""
    site, store = call.site, record.store_id
    now_ms = site.now_ms()
    tables, orders = site.stock.routing.tables, site.stock.routing.orders
    figures = next(it for it in store_figures(site) if it.record.store_id == store)
    times = site.times(store)
    now = times.at(now_ms)
    items = queue(orders.in_store(store), store, now_ms)
    try:
        days = await site.in_thread(opening_days, record.hours, site.hours, now_ms, DAYS_SHOWN)
        closed = await site.in_thread(site.hours.closed_days, record.hours, now_ms, CLOSED_DAYS)
    except BopisError:
        days, closed = [], []
    groups, week, missing = await _kpis(call, store)
    agents = await agents_of(call, store)
    shared = {
        "record": record,
        "figures": figures,
        "queue": queue_rows(items[:SHOWN_MAX], times),
        "queue_count": len(items),
        "load_percent": min(999, round(figures.minutes * PERCENT / max(1, record.capacity_minutes))),
        "now_text": f"{now:%a %d %b %H:%M}",
        "days": days,
        "closed": closed,
        "charts": charts(groups),
        "week": week,
        "missing": missing,
        "definitions": DEFINITIONS,
        "agent": agents[0] if agents else None,
        "figure_text": figure_text,
        "age_text": age_text,
        "policy": tables.policy(store),
        "is_open": any(opens <= now < ends for day in days for opens, ends in day.opens),
        "preview": None,
        "note": "",
        "refusal": "",
        "draft": None,
    }  # fmt: skip
    return call.page("store.html", status, **shared | values)


async def _kpis(call: PageCall, store: str) -> tuple[list[KpiGroup], KpiGroup | None, str]:
    """Key figures by day and of the last seven days, as `bopis kpi show --store` has them."""
    now = call.site.now()

    def read(engine: Engine) -> tuple[list[KpiGroup], KpiGroup | None]:
        with reading(engine) as connection:
            open_ms = open_time(connection, call.site.hours)
            span = KpiSpan(since=now - timedelta(days=KPI_DAYS), until=now, store=store)
            week = KpiSpan(since=now - timedelta(days=7), until=now, store=store)
            by_day = kpis(connection, span, KpiGrouping.DAY, open_ms)
            return by_day, next(iter(kpis(connection, week, KpiGrouping.ALL, open_ms)), None)

    try:
        return *(await ask(call, read)), ""
    except Problem as problem:
        return [], None, problem.detail


PAGES = (
    Page(path="/stores", show=show_list, right=Right.PAGES_HQ),
    Page(path="/stores/{store}", show=show, right=Right.PAGES_HQ, params=StorePath, store="store"),
)
