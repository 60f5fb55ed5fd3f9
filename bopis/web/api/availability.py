"""Availability: what stores can promise of SKUs now, answered from memory."""

from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.adapters.barcodes import gtin14
from bopis.domain.inventory.rows import Terms
from bopis.domain.values import SKU_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.geography import metres_between
from bopis.services.catalogue import kits_available
from bopis.services.errors import SkuNotInCatalogue
from bopis.services.store_directory import StoreRecord
from bopis.web.answers import instant, note_age, with_etag
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import Problem

TAG = "availability"
SKUS_MAX, STORES_MAX, CELLS_MAX = 200, 200, 5_000
NEAR_STORES = 10
Sku = Annotated[str, Meta(min_length=1, max_length=SKU_LENGTH_MAX)]
Store = Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]
Skus = Annotated[tuple[Sku, ...], Meta(min_length=1, max_length=SKUS_MAX)]
Stores = Annotated[tuple[Store, ...], Meta(max_length=STORES_MAX)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]


class _Question(NamedTuple):
    """SKUs to answer about, with or without their terms, at one instant."""

    skus: list[str]
    explain: bool
    now_ms: int


class AvailabilityRequest(Struct, frozen=True, kw_only=True):
    """As the query, for many SKUs at once."""

    skus: Skus
    stores: Stores = ()
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    limit: Annotated[int, Meta(ge=1, le=STORES_MAX)] = NEAR_STORES
    explain: bool = False


class AvailabilityQuery(AvailabilityRequest, frozen=True, kw_only=True):
    """SKUs or GTINs (repeat `sku`), and the stores: named ones (repeat `store`), or the `limit` nearest to a point.
    Without either, the stores that have any of the SKUs in their books."""

    skus: Skus = msgspec.field(name="sku")
    stores: Stores = msgspec.field(name="store", default=())


class AvailabilityTerms(Struct, frozen=True, kw_only=True):
    """The terms of what can be promised: on hand - held - in doubt - withheld, at least 0."""

    on_hand: int
    held: int
    in_doubt: int
    safety_stock: int
    walk_in_reserve: int
    staleness: int


class SkuAvailability(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of a SKU that a store can promise now, in the SKU's smallest unit."""

    sku: str
    available: int
    unit: str = ""
    incoming: int = 0
    expected: datetime | None = None
    terms: AvailabilityTerms | None = None


class StoreAvailability(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One store. `reported` is when one of its devices reported last; `metres` the distance to the point."""

    store: str
    name: str
    pickup: bool
    skus: tuple[SkuAvailability, ...]
    reported: datetime | None = None
    metres: int | None = None


class Availability(Struct, frozen=True, kw_only=True):
    """The stores that were asked about, or the nearest ones first. The header `Bopis-Age` says how many seconds ago the
    answer was as new as the log."""

    stores: tuple[StoreAvailability, ...]


async def read(call: Call) -> Response:
    """What stores can promise of some SKUs now. `ETag` and `If-None-Match` are supported."""
    answer = _availability(call, call.params)
    note_age(call)
    return with_etag(call, answer)


async def read_bulk(call: Call) -> Availability:
    """As the query, for up to 200 SKUs and 200 stores."""
    answer = _availability(call, call.body)
    note_age(call)
    return answer


def _availability(call: Call, wanted: AvailabilityRequest) -> Availability:
    call.site.require_ready()
    skus = [_resolved(call, code) for code in wanted.skus]
    near = _point(wanted)
    stores = _stores(call, wanted, skus, near)
    if len(stores) * len(skus) > CELLS_MAX:
        raise Problem(422, "too-many-cells", f"At most {CELLS_MAX} pairs of SKU and store at once.")
    now_ms = call.site.now_ms()
    question = _Question(skus, wanted.explain, now_ms)
    return Availability(stores=tuple(_store(call, record, metres, question) for record, metres in stores))


def _resolved(call: Call, code: str) -> str:
    """The SKU of a code; a code that no catalogue knows is taken as a SKU, which may be in the books without one."""
    try:
        return call.site.stock.catalogue.sku_of(code, gtin14)
    except SkuNotInCatalogue:
        if call.site.stock.routing.tables.carriers(code):
            return code
        raise


def _point(wanted: AvailabilityRequest) -> tuple[float, float] | None:
    if (wanted.latitude is None) is not (wanted.longitude is None):
        raise Problem(422, "point-incomplete", "Give latitude and longitude, or neither.")
    if wanted.latitude is None or wanted.longitude is None:
        return None
    return wanted.latitude, wanted.longitude


def _stores(
    call: Call, wanted: AvailabilityRequest, skus: list[str], near: tuple[float, float] | None
) -> list[tuple[StoreRecord, int | None]]:
    stock = call.site.stock
    if wanted.stores:
        found = []
        for name in wanted.stores:
            record = stock.routing.tables.record(name)
            if record is None:
                raise Problem(404, "store-unknown", f"There is no store {name}.")
            found.append(record)
    else:
        parts = {part.sku for sku in skus for part in stock.catalogue.parts(sku)}
        found = [it for name in stock.stores_with(parts) if (it := stock.routing.tables.record(name)) is not None]
        found = [it for it in found if not it.closed]
    placed = [(it, _metres(near, it)) for it in found]
    if wanted.stores:
        return placed
    far = 1 << 40
    placed.sort(key=lambda it: (far if it[1] is None else it[1], it[0].store_id))
    return placed[: wanted.limit]


def _metres(near: tuple[float, float] | None, record: StoreRecord) -> int | None:
    if near is None or record.latitude is None or record.longitude is None:
        return None
    return round(metres_between(near, (record.latitude, record.longitude)))


def _store(call: Call, record: StoreRecord, metres: int | None, question: _Question) -> StoreAvailability:
    stock, store = call.site.stock, record.store_id
    found = []
    heard_ms: int | None = None
    pickup = not record.closed
    for sku in question.skus:
        parts = stock.catalogue.parts(sku)
        terms: dict[str, Terms] = {}
        for part in parts:
            available = stock.available(store, part.sku, question.now_ms)
            terms[part.sku] = available.terms
            heard_ms, pickup = available.heard_ms, pickup and available.is_pickup
        atp = {part: it.atp for part, it in terms.items()}
        units = kits_available(parts, atp.__getitem__)
        coming = stock.routing.tables.on_their_way(store, sku)
        found.append(
            SkuAvailability(
                sku=sku,
                available=units,
                unit=stock.catalogue.unit(sku),
                incoming=sum(it.units for it in coming),
                expected=instant(min((it.expected_ms for it in coming if it.expected_ms), default=0)),
                terms=_explained(terms[sku]) if question.explain and sku in terms else None,
            )
        )
    return StoreAvailability(
        store=store, name=record.name, pickup=pickup, skus=tuple(found), reported=instant(heard_ms), metres=metres
    )


def _explained(terms: Terms) -> AvailabilityTerms:
    return AvailabilityTerms(
        on_hand=terms.on_hand,
        held=terms.held,
        in_doubt=terms.in_doubt,
        safety_stock=terms.safety_stock,
        walk_in_reserve=terms.walk_in_reserve,
        staleness=terms.staleness,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/availability", handle=read, right=Right.AVAILABILITY_READ, tag=TAG,
        summary="Units that stores can promise now", params=AvailabilityQuery, answer=Availability,
        statuses=(304, 404, 422, 503), request_headers=("If-None-Match",),
    ),
    Endpoint(
        method="POST", path="/v1/availability", handle=read_bulk, right=Right.AVAILABILITY_READ, tag=TAG,
        summary="Units that stores can promise now, for many SKUs", body=AvailabilityRequest, answer=Availability,
        statuses=(404, 422, 503),
    ),
)  # fmt: skip
