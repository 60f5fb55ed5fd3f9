"""Counting at the counter: scan an article, write how much of it is there, see how the books differed.

A count is blind: the units in the books are shown only after it.
"""

import secrets
from datetime import datetime
from typing import Annotated

from cachetools import FIFOCache
from msgspec import Meta, Struct
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.adapters.barcodes import gtin14
from bopis.domain.inventory.events import CountRefused
from bopis.domain.inventory.messages import CountLine, StockCounted
from bopis.domain.quantities import EACH
from bopis.errors import BopisError
from bopis.web.pages.counter import NOTHING, Note, Store, form_of, refused, require_store, whole_page
from bopis.web.pages.counter_forms import quantity
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem
from bopis.web.site import Site

CODE_LENGTH_MAX = 400
KEYS_KEPT_MAX = 10_000
SHELF, ALL = "shelf", "all"


class CountQuery(Struct, frozen=True, kw_only=True):
    """The article to count: a SKU, or a code as scanned; none to choose one."""

    store: Store
    code: Annotated[str, Meta(max_length=CODE_LENGTH_MAX)] = ""


class CountResult(Struct, frozen=True, kw_only=True):
    """A count that was recorded, in words. `differs`: the books had another number."""

    counted: str
    staged: str
    books: str
    difference: str
    differs: bool


class CountPanel(Struct, frozen=True, kw_only=True):
    """The part of the page about one article; `sku` is empty while none is chosen."""

    sku: str = ""
    name: str = ""
    unit: str = EACH
    result: CountResult | None = None


class SentTimes:
    """When each form of a count was sent first: sent twice it is the same message, and so counts once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._times: FIFOCache[str, datetime] = FIFOCache(KEYS_KEPT_MAX)

    def of(self, message_id: str | None) -> datetime:
        """The time of the first call with this id; now without one."""
        now = self._site.now()
        return now if message_id is None else self._times.setdefault(message_id, now)


async def show(call: PageCall) -> Response:
    """The form of a count: the choice of an article, or its number."""
    asked: CountQuery = call.params
    require_store(call, asked.store)
    try:
        panel = CountPanel() if not asked.code.strip() else _panel_of(call.site, _sku(call.site, asked.code))
    except (Problem, BopisError) as error:
        return await _answer(call, asked.store, CountPanel(), _note_of(error))
    return await _answer(call, asked.store, panel, NOTHING)


async def record(call: PageCall) -> Response:
    """Record a count; the page shows how the books differed."""
    store = call.field("store")
    require_store(call, store)
    panel = CountPanel()
    try:
        sku = _sku(call.site, call.field("sku"))
        panel = _panel_of(call.site, sku)
        result = await call.site.in_thread(_send, call, store, sku)
    except (Problem, BopisError) as error:
        return await _answer(call, store, panel, _note_of(error))
    name = panel.name
    text = (
        f"{name}: counted. The books differed by {result.difference}."
        if result.differs
        else f"{name}: as in the books."
    )
    note = Note(text=text, kind="warn" if result.differs else "good")
    return await _answer(call, store, CountPanel(sku=sku, name=name, unit=panel.unit, result=result), note)


def _send(call: PageCall, store: str, sku: str) -> CountResult:
    """Send the count of a form and wait for its decision. Blocks. Raises `Problem` when it is refused."""
    form, site = form_of(call), call.site
    catalogue = site.stock.catalogue
    text, scope = form.one("counted"), form.one("scope", SHELF)
    if not text or scope not in (SHELF, ALL):
        raise Problem(422, "form-invalid", "Write how much is there, 0 for nothing, and what was counted.")
    units = quantity(text, catalogue.unit(sku))
    level = site.stock.routing.tables.level(store, sku)
    exchange, message_id = site.stock_exchange(), call.message_id(form.one("key"))
    body = StockCounted(lines=(CountLine(sku=sku, counted=units),), staged_counted=scope == ALL)
    at = site.keep(SentTimes).of(message_id)
    message = exchange.compose(call.site.author(call.caller), store, body, at=at, message_id=message_id)
    reply = exchange.request(message, site.settings.read_wait_seconds)
    if reply.event(CountRefused) is not None:
        raise Problem(409, "count-refused", "Too much was recorded since this count: count it again.")
    staged = 0 if scope == ALL else level.staged
    change = units + staged - level.on_hand
    return CountResult(
        counted=catalogue.quantity(units, sku),
        staged=catalogue.quantity(staged, sku) if staged else "",
        books=catalogue.quantity(level.on_hand, sku),
        difference=f"{'+' if change > 0 else ''}{catalogue.quantity(change, sku)}",
        differs=bool(change),
    )


def _sku(site: Site, code: str) -> str:
    """The SKU of a code. Raises `Problem` for one that has no shelf of its own, and `SkuNotInCatalogue`."""
    if not code.strip():
        raise Problem(422, "article-missing", "Scan or type the article.")
    sku = site.stock.catalogue.sku_of(code, gtin14)
    article = site.stock.catalogue.get(sku)
    if article is not None and article.components:
        parts = ", ".join(site.stock.catalogue.name(it.sku) for it in article.components)
        raise Problem(422, "kit-not-counted", f"{article.name or sku} is a set: count what it is made of ({parts}).")
    return sku


def _panel_of(site: Site, sku: str) -> CountPanel:
    catalogue = site.stock.catalogue
    return CountPanel(sku=sku, name=catalogue.name(sku), unit=catalogue.unit(sku))


def _note_of(error: Problem | BopisError) -> Note:
    if isinstance(error, BopisError):
        return refused(error)
    return Note(text=error.detail, kind="bad", status=error.status)


async def _answer(call: PageCall, store: str, panel: CountPanel, note: Note) -> Response:
    """The form for htmx, or the whole page for a browser without scripts."""
    if call.request.headers.get("hx-request") != "true":
        return await whole_page(call, store, "", note, panel)
    values = {"store": store, "count": panel, "note": note, "new_key": lambda: secrets.token_hex(8)}
    return call.page("counter-count.html", **values)


PAGES = (
    Page(path="/counter/count", show=show, right=Right.STOCK_REPORT, params=CountQuery),
    Page(path="/counter/count", show=record, right=Right.STOCK_REPORT, method="POST"),
)
