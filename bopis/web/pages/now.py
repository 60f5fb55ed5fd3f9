"""The page of now: what happens in all stores, drawn again as it changes."""

import asyncio
import time

import structlog
from msgspec import Struct
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.errors import BopisError
from bopis.ports import Log
from bopis.services.dead_letters import letters
from bopis.services.payments.book import Concern, PaymentBook, has_concern
from bopis.web.pages.now_view import (
    LABELS_MAX,
    MAP_HEIGHT,
    MAP_WIDTH,
    OrderFigures,
    StoreFigures,
    Tile,
    Tone,
    age_text,
    dots,
    order_figures,
    order_tiles,
)
from bopis.web.pages.operations_workers import ProcessorState, workers_and_processors
from bopis.web.pages.page import Page, PageCall
from bopis.web.site import Site

FIGURES_S = 1.0
LOG_FIGURES_S = 5.0
# What is read from the log takes longer the more there is; it takes at most this share of the time.
LOG_FIGURES_SHARE = 10
FIRST_WAIT_S = 3.0
log = structlog.get_logger("bopis.web.pages.now")


class LogFigures(Struct, frozen=True, kw_only=True):
    """Figures that are read from the log, at an instant of this process's clock."""

    at_ms: int
    owed: int
    unknown: int
    dead_letters: int
    processors: tuple[ProcessorState, ...]


class Board:
    """The figures of one site. All browsers share them: each is computed once for all that look."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._figures: OrderFigures | None = None
        self._figures_at = 0.0
        self._log_figures: LogFigures | None = None
        self._log_read_at = 0.0
        self._log_read_s = 0.0
        self._reading: asyncio.Task[None] | None = None

    def orders(self) -> OrderFigures:
        """The figures of the open orders, at most `FIGURES_S` old. Call it on the loop."""
        now = time.monotonic()
        if self._figures is None or now - self._figures_at > FIGURES_S:
            self._figures = order_figures(self._site.stock.routing.orders.all(), self._site.now_ms())
            self._figures_at = now
        return self._figures

    async def of_log(self) -> LogFigures | None:
        """The newest figures from the log; None while there are none yet. While the log is away, the last ones."""
        due = max(LOG_FIGURES_S, LOG_FIGURES_SHARE * self._log_read_s)
        if self._reading is None and time.monotonic() - self._log_read_at > due:
            self._reading = asyncio.create_task(self._read())
        if self._log_figures is None and self._reading is not None:
            await asyncio.wait([self._reading], timeout=FIRST_WAIT_S)
        return self._log_figures

    async def _read(self) -> None:
        began = time.monotonic()
        try:
            self._log_figures = await self._site.in_thread(_read_log, self._site)
        except BopisError as error:
            log.warning("figures_wait", cause=str(error))
        finally:
            self._log_read_at, self._log_read_s = time.monotonic(), time.monotonic() - began
            self._reading = None


def _read_log(site: Site) -> LogFigures:
    with site.desk() as desk:
        owed, unknown = _concerned(desk.payments)
        _, processors = workers_and_processors(site, desk.reader)
        return LogFigures(
            at_ms=site.now_ms(),
            owed=owed,
            unknown=unknown,
            dead_letters=_open_letters(site, desk.reader),
            processors=tuple(processors),
        )


def _concerned(book: PaymentBook) -> tuple[int, int]:
    """How many payments are owed, and of how many an answer is unknown."""
    book.refresh()
    owed = unknown = 0
    for payment in book.all():
        owed += has_concern(payment, Concern.OWED)
        unknown += has_concern(payment, Concern.UNKNOWN)
    return owed, unknown


def _open_letters(site: Site, reader: Log) -> int:
    return sum(it.mark is None for it in letters(reader, site.settings.topic_prefix))


def store_figures(site: Site) -> list[StoreFigures]:
    """Every store with its data age and load, by id. Call it on the loop."""
    tables, orders, now_ms = site.stock.routing.tables, site.stock.routing.orders, site.now_ms()
    found = []
    for record in sorted(tables.stores(), key=lambda it: it.store_id):
        policy = tables.policy(record.store_id)
        heard_ms = tables.heard(record.store_id, policy)
        found.append(
            StoreFigures(
                record=record,
                age_ms=None if heard_ms is None else max(0, now_ms - heard_ms),
                grace_minutes=policy.staleness_grace_minutes,
                pickup=policy.pickup and not record.closed,
                orders=len(orders.in_store(record.store_id)),
                minutes=sum(it.minutes for it in orders.work(record.store_id)),
            )
        )
    return found


def log_tiles(figures: LogFigures | None, now_ms: int, may_operate: bool) -> list[Tile]:
    """The tiles that are read from the log; while nothing was read they say so."""
    operations = "/operations" if may_operate else "/"
    if figures is None:
        note = "the log does not answer yet"
        return [
            Tile(id="tile-payments", label="Payments to look at", value="–", note=note, href="/payments"),
            Tile(id="tile-letters", label="Dead letters", value="–", note=note, href=f"{operations}#letters"),
            Tile(id="tile-processors", label="Processors", value="–", note=note, href=f"{operations}#processors"),
        ]
    age_ms = now_ms - figures.at_ms
    since = f", {age_text(age_ms)} ago" if age_ms > 3_000 * LOG_FIGURES_S else ""
    payments = figures.owed + figures.unknown
    lag = sum(it.lag or 0 for it in figures.processors)
    down = [it.name for it in figures.processors if it.tone is Tone.BAD]
    concern = "owed" if figures.owed or not figures.unknown else "unknown"
    return [
        Tile(
            id="tile-payments", label="Payments to look at", value=f"{payments:,}",
            note=f"{figures.owed:,} owed, {figures.unknown:,} without an answer{since}",
            href=f"/payments?concern={concern}", tone=Tone.WARN if payments else Tone.NONE,
        ),
        Tile(
            id="tile-letters", label="Dead letters", value=f"{figures.dead_letters:,}",
            note=("none is open" if not figures.dead_letters else "open: retry or discard them") + since,
            href=f"{operations}#letters", tone=Tone.BAD if figures.dead_letters else Tone.NONE,
        ),
        Tile(
            id="tile-processors", label="Processors",
            value=f"{len(figures.processors) - len(down)} of {len(figures.processors)}",
            note=(f"no report: {', '.join(down)}" if down else f"all report, lag {lag:,}") + since,
            href=f"{operations}#processors", tone=Tone.BAD if down else Tone.NONE,
        ),
    ]  # fmt: skip


def store_tiles(site: Site, stores: list[StoreFigures]) -> list[Tile]:
    """The tiles about data that come from stores."""
    ages = sorted((it.age_ms, it.record.store_id) for it in stores if it.age_ms is not None)
    stale = sum(it.tone in ("old", "silent") for it in stores)
    rate = site.stock.changes.per_second()
    return [
        Tile(
            id="tile-rate", label="Stock changes", value=f"{rate:,.1f} /s", href="/inventory",
            note="levels changed by tills, picks and counts, mean of the last minute",
        ),
        Tile(
            id="tile-age", label="Oldest store data", value=age_text(ages[-1][0]) if ages else "–",
            note=f"store {ages[-1][1]}; {stale:,} of {len(stores):,} beyond their grace time" if ages
            else "no till has reported yet",
            href="#stores", tone=Tone.WARN if stale else Tone.NONE,
        ),
    ]  # fmt: skip


async def show(call: PageCall) -> Response:
    """The whole page."""
    return call.page("now.html", **await _tiles(call), **_stores(call))


async def show_tiles(call: PageCall) -> Response:
    """The tiles alone."""
    return call.page("now-tiles.html", **await _tiles(call))


async def show_stores(call: PageCall) -> Response:
    """Map and table of the stores alone."""
    return call.page("now-stores.html", **_stores(call))


async def _tiles(call: PageCall) -> dict[str, object]:
    site = call.site
    site.require_ready()
    board, now_ms = site.keep(Board), site.now_ms()
    orders, of_log = board.orders(), await board.of_log()
    stores = store_figures(site)
    tiles = [
        *order_tiles(orders, site.times().among(it.store for it in orders.risks), now_ms),
        *log_tiles(of_log, now_ms, call.caller.may(Right.OPERATIONS_READ)),
        *store_tiles(site, stores),
    ]
    urgent = [f"{it.label}: {it.value}" for it in tiles if it.tone is Tone.BAD]
    return {
        "tiles": tiles,
        "orders": orders,
        "processors": of_log.processors if of_log is not None else (),
        "status": "; ".join(urgent) or "Nothing is urgent.",
    }


def _stores(call: PageCall) -> dict[str, object]:
    call.site.require_ready()
    stores = store_figures(call.site)
    return {
        "stores": stores,
        "dots": dots(stores),
        "width": MAP_WIDTH,
        "height": MAP_HEIGHT,
        "labels": len(stores) <= LABELS_MAX,
        "age_text": age_text,
    }


PAGES = (
    Page(path="/", show=show, right=Right.PAGES_HQ),
    Page(path="/parts/now/tiles", show=show_tiles, right=Right.PAGES_HQ),
    Page(path="/parts/now/stores", show=show_stores, right=Right.PAGES_HQ),
)
