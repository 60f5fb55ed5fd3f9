"""The store of an order: which others could have its goods, and the change to one of them."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from bopis.access.roles import Principal, Right, Role
from bopis.domain.orders.messages import MoveOrder
from bopis.domain.orders.routing import is_movable, next_request
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import Initiator
from bopis.domain.sourcing.decision import Assignment
from bopis.domain.sourcing.request import Allowances, Exclusion
from bopis.domain.values import TEXT_LENGTH_MAX
from bopis.web.answers import KEY_HEADER, POSITION_HEADER, idempotency_key, instant, note_age, position_of
from bopis.web.api.availability import Store
from bopis.web.api.order_commands import TAG, CommandAnswer, answer_of, ended_of
from bopis.web.api.orders import OrderPath, find
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import Problem
from bopis.web.site import Site

CUSTOMERS = (Role.CUSTOMER, Role.SHOP_FRONT)


class StoreChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The store that is to have the order; `reason` is required of staff and is kept."""

    store: Store
    reason: Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)] = ""


class OtherStore(Struct, frozen=True, kw_only=True):
    """A store that could have all open lines, and when they would be ready."""

    store: str
    name: str
    ready_by: datetime | None


class OtherStores(Struct, frozen=True, kw_only=True):
    """The best other stores first. `may_change` is false once picking has begun; then there are none."""

    order: str
    may_change: bool
    stores: tuple[OtherStore, ...]


async def other_stores(call: Call) -> OtherStores:
    """Stores to which the order could be changed now; nothing is reserved."""
    order = await find(call, call.params.order)
    call.site.require_ready()
    note_age(call)
    found = tuple(
        OtherStore(store=it.store, name=name_of(call.site, it.store), ready_by=instant(it.ready_by_ms))
        for it in alternatives(call.site, order)
    )
    return OtherStores(order=order.order, may_change=is_movable(order), stores=found)


async def change_store(call: Call) -> CommandAnswer:
    """Change the store of all open lines. The new store holds them before the old one releases them."""
    order = await find(call, call.params.order)
    key = idempotency_key(call)
    return await call.site.in_thread(send, call, order, call.body, key)


def alternatives(site: Site, order: Order) -> tuple[Assignment, ...]:
    """Other stores that could have all open lines of an order, the best first, as routing would offer them."""
    if not is_movable(order):
        return ()
    numbers = [line.line for line in order.live]
    request = next_request(order, numbers)
    here = {line.store for line in order.live}
    if len(here) == 1:
        excluded = tuple(Exclusion(store=store) for store in here if store)
        request = replace(request, excluded=(*request.excluded, *excluded))
    answer = site.stock.decide(replace(request, allows=Allowances(offers=True)), site.now_ms()).answer
    # Stock that is on its way cannot be held yet.
    return tuple(it for it in (*answer.offers, *answer.assignments) if it.stock_from_ms is None)


def name_of(site: Site, store: str) -> str:
    """The name of a store; its id when it has none."""
    record = site.stock.routing.tables.record(store)
    return record.name if record is not None and record.name else store


def send(call: Call, order: Order, given: StoreChange, key: str) -> CommandAnswer:
    """Change the store of an order and wait for the outcome; `key` makes a repeat harmless, empty for none. Blocks.

    Raises `Problem` for an unknown store and without a reason of staff, and the errors of `OrderDesk.move`.
    """
    site = call.site
    if site.stock.routing.tables.record(given.store) is None:
        raise Problem(404, "store-unknown", f"There is no store {given.store}.")
    message = MoveOrder(store=given.store, by=initiator_of(call.caller), reason=given.reason.strip())
    if message.by is Initiator.STAFF and not message.reason:
        raise Problem(422, "reason-missing", "Give the reason of the change in words; it is kept with the order.")
    desk = site.order_desk(call.caller, lambda number: ended_of(site, number))
    reply = desk.move(order.order, message, call.message_id(key), site.stock.catalogue)
    call.headers[POSITION_HEADER] = position_of(reply.sent.placed)
    return answer_of(site, order.order, reply)


def initiator_of(caller: Principal) -> Initiator:
    """For whom a caller changes an order: customers and shop fronts for the customer, all others as staff."""
    return Initiator.CUSTOMER if caller.role in CUSTOMERS else Initiator.STAFF


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/orders/{order}/stores", handle=other_stores, right=Right.ORDERS_READ, tag=TAG,
        summary="Other stores that could have the order", params=OrderPath, answer=OtherStores, statuses=(404, 503),
    ),
    Endpoint(
        method="POST", path="/v1/orders/{order}/store", handle=change_store, right=Right.ORDERS_CHANGE, tag=TAG,
        summary="Change the store of an order", params=OrderPath, body=StoreChange, answer=CommandAnswer,
        statuses=(404, 409, 422, 503), request_headers=(KEY_HEADER,),
    ),
)  # fmt: skip
