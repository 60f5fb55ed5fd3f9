"""Orders: one, a list, the timeline of one, and why each store was chosen."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from bopis.access.roles import OWN_STORES, Principal, Right
from bopis.domain.orders.numbers import parse
from bopis.domain.orders.state import LineState, Order
from bopis.domain.payments.state import Payment
from bopis.domain.values import STORE_LENGTH_MAX, epoch_ms
from bopis.ports import ListKey, OrderFilter, list_key
from bopis.services.counter.errors import OrderUnknown
from bopis.services.counter.event_text import EventText
from bopis.services.counter.masking import masked
from bopis.services.counter.order_history import read_order_history
from bopis.web.answers import CursorNumber, PageSize, decode_cursor, encode_cursor, note_age, with_etag
from bopis.web.api.order_view import OrderRow, OrderView, order_row, order_view
from bopis.web.endpoint import Call, Endpoint, Provided
from bopis.web.live.log_pool import LogDesk
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.orders import ORDER_EVENTS

TAG = "orders"
Number = Annotated[str, Meta(min_length=2, max_length=20)]


class OrderPath(Struct, frozen=True, kw_only=True):
    """The number of an order, with or without its dash."""

    order: Number


class OrderQuery(OrderPath, frozen=True, kw_only=True):
    """`after` waits until the position of an earlier answer is decided."""

    after: Annotated[str, Meta(max_length=200)] = ""


class OrdersQuery(Struct, frozen=True, kw_only=True):
    """Filters of a list; `ended` includes orders that have ended. `cursor` continues a list."""

    store: Annotated[str, Meta(max_length=STORE_LENGTH_MAX)] = ""
    state: LineState | None = None
    customer: Annotated[str, Meta(max_length=128)] = ""
    number: Annotated[str, Meta(max_length=20)] = ""
    since: datetime | None = None
    before: datetime | None = None
    ended: bool = False
    limit: PageSize = 50
    cursor: Annotated[str, Meta(max_length=400)] = ""


class OrderPage(Struct, frozen=True, kw_only=True):
    """The newest orders first; `cursor` is empty on the last page."""

    orders: tuple[OrderRow, ...]
    cursor: str


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """One event: when it happened, when the log had it, who caused it, in words and as data."""

    id: str
    type: str
    text: str
    happened: datetime
    actor: str
    source: str
    data: Any


class Timeline(Struct, frozen=True, kw_only=True):
    """Every event of an order in the log's order."""

    order: str
    events: tuple[TimelineEntry, ...]


class Decisions(Struct, frozen=True, kw_only=True):
    """Every choice of a store with its request, facts, eliminations and ranks."""

    order: str
    decisions: tuple[Any, ...]


class CustomerContact(Struct, frozen=True, kw_only=True):
    """Name and contacts, masked unless the caller may read them; empty after an erasure."""

    id: str
    erased: bool
    fields: dict[str, str]


async def read(call: Call) -> Response:
    """One order as it is now."""
    asked: OrderQuery = call.params
    await wait_for_position(call, asked.after)
    order = await find(call, asked.order)
    note_age(call)
    return with_etag(call, view_of(call.site, order))


async def read_list(call: Call) -> OrderPage:
    """Orders, the newest first."""
    asked: OrdersQuery = call.params
    wanted = OrderFilter(
        prefix=asked.number.upper().replace("-", ""),
        store=own_store(call.caller, asked.store),
        state=asked.state,
        customer=asked.customer or None,
        placed_since_ms=epoch_ms(asked.since) if asked.since is not None else None,
        placed_before_ms=epoch_ms(asked.before) if asked.before is not None else None,
        ended=asked.ended,
        after=ListKey(*decode_cursor(asked.cursor, tuple[CursorNumber, str])) if asked.cursor else None,
    )
    found = await call.site.in_thread(_find, call.site, wanted, asked.limit + 1)
    page = found[: asked.limit]
    rest = ""
    if len(found) > asked.limit:
        placed, number = list_key(page[-1])
        rest = encode_cursor((-placed, number))
    return OrderPage(orders=tuple(order_row(it) for it in page), cursor=rest)


async def read_timeline(call: Call) -> Timeline:
    """Every event of an order, with its actor and both clocks."""
    order = await find(call, call.params.order)
    history = await call.site.in_thread(_history, call.site, order)
    words = EventText(call.site.times(order.store).about(order), call.site.stock.catalogue, order.lines)
    entries = tuple(
        TimelineEntry(
            id=it.id,
            type=ORDER_EVENTS.type_name(type(it.data)),
            text=words.sentence(it.data),
            happened=it.time,
            actor=it.actor if isinstance(it.actor, str) else "",
            source=it.source,
            data=msgspec.to_builtins(it.data),
        )
        for it in history.events
    )
    return Timeline(order=order.order, events=entries)


async def read_decisions(call: Call) -> Decisions:
    """Why each store was chosen: every decision with the facts that it was made from."""
    order = await find(call, call.params.order)
    history = await call.site.in_thread(_history, call.site, order)
    return Decisions(order=order.order, decisions=tuple(msgspec.to_builtins(it) for it in history.decisions))


async def read_customer(call: Call) -> CustomerContact:
    """Name and contacts of an order's customer."""
    order = await find(call, call.params.order)
    fields = await call.site.in_thread(customer_fields, call.site, order)
    return CustomerContact(id=order.customer.id, erased=fields is None, fields=fields or {})


def customer_fields(site: Site, order: Order, *, in_full: bool = True) -> dict[str, str] | None:
    """The customer's name and contacts, masked unless `in_full`; None after an erasure. Blocks."""
    if not order.customer.sealed:
        return {}
    found = site.secrets.open(order.customer.id, order.customer.sealed)
    if found is None or in_full:
        return found
    return {name: masked(name, value) for name, value in found.items()}


async def find(call: Call, text: str) -> Order:
    """The order of a number that the caller may see. Raises `Problem`, also for an order of somebody else."""
    number = parse(text) or text.upper()
    call.require_order(number)
    order = await call.site.in_thread(_get, call.site, number)
    if order is None or not _is_in_own_store(call.caller, order):
        raise OrderUnknown(order=text[:STORE_LENGTH_MAX])
    return order


def view_of(site: Site, order: Order) -> OrderView:
    """An order for the API."""
    return order_view(order, site.times(order.store), site.stock.catalogue, site.stock.store_labels().names)


def own_store(caller: Principal, asked: str) -> str | None:
    """The store that a list is limited to. Raises `Problem` for a store that is not the caller's."""
    if caller.role not in OWN_STORES:
        return asked or None
    if not asked and len(caller.stores) == 1:
        return next(iter(caller.stores))
    if not asked or not caller.may_in(asked):
        raise Problem(403, "other-store", f"Name one of your stores: {', '.join(sorted(caller.stores)) or 'none'}.")
    return asked


async def wait_for_position(call: Call, after: str) -> None:
    """Wait until the message of an earlier answer is decided. Raises `Problem` when it takes too long."""
    if not after:
        return
    topic, _, place = after.partition("/")
    partition, _, offset = place.partition("/")
    if topic not in ("orders", "payments", "stock", "notices") or not (partition.isdigit() and offset.isdigit()):
        raise Problem(400, "position-invalid", "Take the position from the header Bopis-Position of an answer.")
    is_there = await call.site.in_thread(call.site.wait_decided, topic, int(partition), int(offset))
    if not is_there:
        raise Problem(503, "not-decided", "The message is not decided yet; ask again.", retry_after_s=1)


def _is_in_own_store(caller: Principal, order: Order) -> bool:
    if caller.role not in OWN_STORES:
        return True
    stores = {order.store, *(it.store for it in order.work), *(line.store for line in order.lines)}
    return bool(stores & caller.stores)


def _get(site: Site, number: str) -> Order | None:
    with site.desk() as desk:
        return desk.orders.get(number)


def _find(site: Site, wanted: OrderFilter, limit: int) -> list[Order]:
    with site.desk() as desk:
        return desk.orders.find(wanted, limit)


def _history(site: Site, order: Order) -> Any:
    with site.desk() as desk:
        return read_order_history(desk.reader, order, desk.projection)


def read_payment(desk: LogDesk, order: str) -> Payment | None:
    """The payment of an order as the log has it now. Blocks."""
    desk.payments.refresh(order)
    return desk.payments.get(order)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/orders", handle=read_list, right=Right.ORDERS_READ, tag=TAG,
        summary="Orders, the newest first", params=OrdersQuery, answer=OrderPage, statuses=(400, 503),
        provides=(Provided("order", "$response.body#/orders/0/order"), Provided("cursor", "$response.body#/cursor")),
    ),
    Endpoint(
        method="GET", path="/v1/orders/{order}", handle=read, right=Right.ORDERS_READ, tag=TAG,
        summary="One order as it is now", params=OrderQuery, answer=OrderView, statuses=(304, 404, 503),
        request_headers=("If-None-Match",),
    ),
    Endpoint(
        method="GET", path="/v1/orders/{order}/timeline", handle=read_timeline, right=Right.ORDERS_READ, tag=TAG,
        summary="Every event of an order", params=OrderPath, answer=Timeline, statuses=(404, 503),
    ),
    Endpoint(
        method="GET", path="/v1/orders/{order}/decisions", handle=read_decisions, right=Right.ORDERS_READ, tag=TAG,
        summary="Why each store was chosen", params=OrderPath, answer=Decisions, statuses=(404, 503),
    ),
    Endpoint(
        method="GET", path="/v1/orders/{order}/customer", handle=read_customer, right=Right.CUSTOMERS_READ, tag=TAG,
        summary="Name and contacts of the customer", params=OrderPath, answer=CustomerContact, statuses=(404, 503),
    ),
)  # fmt: skip
