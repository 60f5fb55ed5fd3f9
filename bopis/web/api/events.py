"""Server-sent events: a stream of changes of an order, a store or a SKU (WHATWG HTML, section 9.2).

A stream says *that* something changed and how it is now; it is not the record. The record is the log: a reader that was
away reads the resource again, which the event ``resync`` asks for.
"""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse

from bopis.access.roles import OWN_STORES, Right, Role
from bopis.domain.orders.numbers import parse
from bopis.domain.values import SKU_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.web.endpoint import Call, Endpoint
from bopis.web.live.hub import Change, Listener
from bopis.web.problems import Problem

TAG = "events"
KEYS_MAX = 50
HEARTBEAT_S = 15
Store = Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]
Sku = Annotated[str, Meta(min_length=1, max_length=SKU_LENGTH_MAX)]
Number = Annotated[str, Meta(min_length=2, max_length=20)]


class EventsQuery(Struct, frozen=True, kw_only=True):
    """What to listen to; each may be repeated. `all` is everything, for headquarters."""

    order: Annotated[tuple[Number, ...], Meta(max_length=KEYS_MAX)] = ()
    store: Annotated[tuple[Store, ...], Meta(max_length=KEYS_MAX)] = ()
    sku: Annotated[tuple[Sku, ...], Meta(max_length=KEYS_MAX)] = ()
    all: bool = False


class LevelChanged(Struct, frozen=True, kw_only=True):
    """A store can promise another number of units of a SKU."""

    store: str
    sku: str
    available: int


class OrderChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order is in another state; `state` is empty for one that has ended."""

    order: str
    state: str = ""


async def stream(call: Call) -> EventSourceResponse:
    """Changes as they happen: events ``order``, ``level``, and ``resync`` when some were missed."""
    asked: EventsQuery = call.params
    if call.site.hub.count >= call.site.settings.web_streams_max:
        raise Problem(503, "too-many-streams", "Too many streams are open.", retry_after_s=10)
    listener = call.site.hub.listen(_keys(call, asked))
    return EventSourceResponse(_events(call, listener), ping=HEARTBEAT_S, headers={"X-Accel-Buffering": "no"})


def _keys(call: Call, asked: EventsQuery) -> set[str]:
    caller = call.caller
    numbers = [parse(it) or it.upper() for it in asked.order]
    for number in numbers:
        call.require_order(number)
    for store in asked.store:
        call.require_store(store)
    if caller.role is Role.CUSTOMER and (asked.store or asked.sku or asked.all):
        raise Problem(403, "other-order", "A customer's link reaches its own order only.")
    if caller.role in OWN_STORES and (asked.all or asked.sku):
        raise Problem(403, "other-store", "Name one of your stores.")
    keys = {f"order/{it}" for it in numbers} | {f"store/{it}" for it in asked.store} | {f"sku/{it}" for it in asked.sku}
    if asked.all:
        keys.add("*")
    if not keys:
        raise Problem(400, "parameter-missing", "Name an order, a store or a sku.")
    return keys


async def _events(call: Call, listener: Listener) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(event="open", data="{}", retry=2_000)
    try:
        while True:
            change = await listener.next(HEARTBEAT_S)
            if change is None:
                continue
            if change.is_lost:
                yield ServerSentEvent(event="resync", data="{}")
            yield _event(call, change)
    finally:
        listener.close()


def _event(call: Call, change: Change) -> ServerSentEvent:
    stock = call.site.stock
    if change.kind == "level":
        available = stock.available(change.store, change.sku, call.site.now_ms()).terms.atp
        data = msgspec.json.encode(LevelChanged(store=change.store, sku=change.sku, available=available))
    else:
        order = stock.routing.orders.get(change.order)
        state = order.state.value if order is not None else ""
        data = msgspec.json.encode(OrderChanged(order=change.order, state=state))
    return ServerSentEvent(event=change.kind, data=data.decode())


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/events", handle=stream, right=Right.EVENTS_READ, tag=TAG,
        summary="Changes as they happen", params=EventsQuery, media_type="text/event-stream", statuses=(400, 403, 503),
    ),
)  # fmt: skip
