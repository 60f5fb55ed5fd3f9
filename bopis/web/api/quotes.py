"""Quotes: when each store would have a basket ready, the alternatives, and a split. Nothing is reserved."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from bopis.access.roles import Right
from bopis.adapters.barcodes import gtin14
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX
from bopis.domain.sourcing.decision import Assignment
from bopis.domain.sourcing.request import Allowances, Request, RequestLine
from bopis.web.answers import instant, note_age
from bopis.web.api.availability import Store
from bopis.web.api.placing import BasketLine, Point, SlotDetails, geo_point, slot_of
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import Problem

TAG = "availability"
STORES_MAX = 50
# No order has this number: its characters are none of an order number.
QUOTE = "quote"


class QuoteRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A basket, and the stores to ask; without stores, the best ones for the point, or anywhere."""

    lines: Annotated[tuple[BasketLine, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    stores: Annotated[tuple[Store, ...], Meta(max_length=STORES_MAX)] = ()
    near: Point | None = None
    slot: SlotDetails | None = None
    later: bool = False
    split: bool = False


class QuotedLine(Struct, frozen=True, kw_only=True):
    """Units of a line (its place in the basket, from 1) that a store would take."""

    line: int
    quantity: int


class StoreQuote(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a store would have its part ready."""

    store: str
    name: str
    ready_by: datetime | None
    lines: tuple[QuotedLine, ...]
    by_transfer: bool = False


class MissingStock(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a store cannot serve the basket, as a reason code and the missing units."""

    store: str
    reason: str
    missing: dict[str, int] = {}


class Quote(Struct, frozen=True, kw_only=True):
    """`possible` are complete answers for the stores asked, the soonest first; `together` is a split over several
    stores or the best store where none was named; `refused` are stores that cannot serve it."""

    possible: tuple[StoreQuote, ...]
    together: tuple[StoreQuote, ...]
    refused: tuple[MissingStock, ...]


async def quote(call: Call) -> Quote:
    """When the basket would be ready, by store."""
    asked: QuoteRequest = call.body
    call.site.require_ready()
    note_age(call)
    lines = _lines(call, asked)
    possible: list[StoreQuote] = []
    refused: list[MissingStock] = []
    now_ms = call.site.now_ms()
    for store in dict.fromkeys(asked.stores):
        if call.site.stock.routing.tables.record(store) is None:
            raise Problem(404, "store-unknown", f"There is no store {store}.")
        answer = call.site.stock.decide(_request(asked, lines, store, alone=True), now_ms).answer
        own = next((it for it in answer.assignments if it.store == store), None)
        if own is not None and len(answer.assignments) == 1:
            possible.append(_quoted(call, own))
            continue
        against = next((it for it in answer.eliminated if it.store == store), None)
        reason = against.reason.value if against is not None else "not_routed"
        missing = {it.sku: it.wanted - it.available for it in against.missing} if against is not None else {}
        refused.append(MissingStock(store=store, reason=reason, missing=missing))
    together: tuple[StoreQuote, ...] = ()
    if not asked.stores or (not possible and asked.split):
        first = asked.stores[0] if asked.stores else None
        answer = call.site.stock.decide(_request(asked, lines, first, alone=False), now_ms).answer
        together = tuple(_quoted(call, it) for it in (answer.assignments or answer.offers))
    possible.sort(key=lambda it: (it.ready_by is None, it.ready_by, it.store))
    return Quote(possible=tuple(possible), together=together, refused=tuple(refused))


def _lines(call: Call, asked: QuoteRequest) -> tuple[RequestLine, ...]:
    catalogue = call.site.stock.catalogue
    found = []
    for number, line in enumerate(asked.lines, 1):
        sku = catalogue.sku_of(line.sku, gtin14)
        article = catalogue.get(sku)
        components = article.components if article is not None else ()
        found.append(RequestLine(line=number, sku=sku, quantity=line.quantity, components=components))
    return tuple(found)


def _request(asked: QuoteRequest, lines: tuple[RequestLine, ...], store: str | None, *, alone: bool) -> Request:
    allows = Allowances(later=asked.later, alternatives=not alone, split=asked.split and not alone, offers=not alone)
    slot = None if asked.slot is None else slot_of(asked.slot)
    near = None if asked.near is None else geo_point(asked.near)
    return Request(order=QUOTE, attempt=1, lines=lines, store=store, slot=slot, place=near, allows=allows)


def _quoted(call: Call, it: Assignment) -> StoreQuote:
    record = call.site.stock.routing.tables.record(it.store)
    return StoreQuote(
        store=it.store,
        name=record.name if record is not None else "",
        ready_by=instant(it.ready_by_ms),
        lines=tuple(QuotedLine(line=line.line, quantity=line.quantity) for line in it.lines),
        by_transfer=bool(it.transfers) or it.stock_from_ms is not None,
    )


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/quotes", handle=quote, right=Right.AVAILABILITY_READ, tag=TAG,
        summary="When a basket would be ready, by store", body=QuoteRequest, answer=Quote, statuses=(404, 422, 503),
    ),
)  # fmt: skip
