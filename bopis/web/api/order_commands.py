"""Commands to an order: of customers and shop fronts (cancel, arrive, extend, answer), and of store staff (accept,
pick, stage, hand over, return). Each waits for its decision, and answers with the events that it caused."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from bopis.access.roles import OWN_STORES, Principal, Right, Role
from bopis.domain.inventory.messages import Condition
from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import LinePart, PickedLine, ReturnedLine
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import (
    ORDER_LINES_MAX,
    Arrival,
    Document,
    EndReason,
    Initiator,
    LineNumber,
    RejectReason,
    StagingLocation,
)
from bopis.domain.values import Quantity, Units
from bopis.services.counter.code_check import LineChoice, Presented, hand_over
from bopis.services.counter.event_text import EventText
from bopis.services.counter.guidance import guidance
from bopis.services.counter.refusal_text import ended_text, unpaid_text
from bopis.services.exchange import Reply
from bopis.web.answers import KEY_HEADER, POSITION_HEADER, idempotency_key, position_of
from bopis.web.api.availability import Sku, Store
from bopis.web.api.orders import OrderPath, find
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.orders import ORDER_EVENTS

TAG = "order commands"
Text = Annotated[str, Meta(max_length=500)]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some units of a line."""

    line: LineNumber
    quantity: Quantity


Lines = Annotated[tuple[LineNumber, ...], Meta(max_length=ORDER_LINES_MAX)]
Parts = Annotated[tuple[Part, ...], Meta(max_length=ORDER_LINES_MAX)]


class Cancellation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of the order, or only these lines and parts of lines."""

    reason: EndReason = EndReason.CUSTOMER_WISH
    lines: Lines = ()
    parts: Parts = ()


class ArrivalNotice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer is here: at the counter, in a bay (`spot` is its number), or at a locker."""

    store: Store = ""
    where: Arrival = Arrival.COUNTER
    spot: Annotated[str, Meta(max_length=64)] = ""


class Extension(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when the goods are kept; an instant with a UTC offset."""

    until: Annotated[datetime, Meta(tz=True)]
    store: Store = ""


class AlternativeAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to an offer of other stores; without a store all are refused."""

    attempt: Annotated[int, Meta(ge=1)]
    store: Store = ""


class SubstituteAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to an offer of another article for a line."""

    line: LineNumber
    accept: bool


class AtStore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The store that acts; by default the only one that has work of the order."""

    store: Store = ""


class Rejection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines that the store does not prepare, and why."""

    reason: RejectReason
    store: Store = ""
    lines: Lines = ()
    parts: Parts = ()


class Picked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units found and missing of a line; `sku` names the component of a kit."""

    line: LineNumber
    picked: Units
    missing: Units = 0
    sku: Sku | None = None


class Pick(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units found and missing."""

    lines: Annotated[tuple[Picked, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    store: Store = ""


class SubstituteOffer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another article for a line; `unit_price` in minor units, by default the line's."""

    line: LineNumber
    sku: Sku
    unit_price: int | None = None


class Staging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the goods are put for the customer."""

    location: StagingLocation
    store: Store = ""
    lines: Lines = ()


class Withdrawal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods that are not ready after all."""

    store: Store = ""
    lines: Lines = ()
    parts: Parts = ()
    reason: Text = ""


class HandOverRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hand-over against a pickup code or the content of the QR code, else against an identity document. `proxy` is who
    collects for the customer."""

    code: Annotated[str, Meta(max_length=400)] = ""
    document: Document = Document.NONE
    proxy: Annotated[str, Meta(max_length=200)] = ""
    signature: Annotated[str, Meta(max_length=200)] = ""
    store: Store = ""
    lines: Lines = ()
    parts: Parts = ()


class Returned(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a line that came back, in one condition."""

    line: LineNumber
    quantity: Quantity
    condition: Condition = Condition.SELLABLE


class Return(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods that the customer brought back to a store."""

    lines: Annotated[tuple[Returned, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    store: Store = ""


class EventView(Struct, frozen=True, kw_only=True):
    """One event in words and as data."""

    type: str
    text: str
    data: Any


class CommandAnswer(Struct, frozen=True, kw_only=True):
    """The events that a command caused; none when it was sent before. `next_steps` are for staff."""

    order: str
    state: str
    events: tuple[EventView, ...]
    next_steps: tuple[str, ...]


class PutBack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods of a task that are on the shelf again."""

    task: Annotated[str, Meta(min_length=1, max_length=128)]


Body = Callable[[Site, Order, Any, Principal], Any]


class OrderCommand(NamedTuple):
    """A command that the API and the pages send: the last part of its path, its message, its type, its right."""

    path: str
    body: Body
    kind: type[Struct]
    right: Right
    summary: str


def command(it: OrderCommand) -> Callable[[Call], Any]:
    """A handler that sends one command. The header `Idempotency-Key` is its message's id: a repeat changes nothing."""

    async def handle(call: Call) -> CommandAnswer:
        order = await find(call, call.params.order)
        key = idempotency_key(call)
        return await call.site.in_thread(send, call, order, it.body, call.body, key)

    return handle


def send(call: Call, order: Order, body: Body, given: Any, key: str) -> CommandAnswer:
    """Send a command to an order and wait for its decision; `key` makes a repeat harmless, empty for none. Blocks.

    Raises `Problem` for another store's order, and the errors of `OrderDesk.command`.
    """
    site = call.site
    message = body(site, order, given, call.caller)
    store = getattr(message, "store", "")
    if store:
        call.require_store(store)
    desk = site.order_desk(call.caller, lambda number: ended_of(site, number))
    reply = desk.command(order.order, message, call.message_id(key))
    call.headers[POSITION_HEADER] = position_of(reply.sent.placed)
    return answer_of(site, order.order, reply)


def answer_of(site: Site, number: str, reply: Reply) -> CommandAnswer:
    """The events of a reply in words, and the order's state after them. Blocks."""
    with site.desk() as desk:
        order = desk.orders.get(number)
    times = site.times(order.store if order is not None else "")
    catalogue = site.stock.catalogue
    words = EventText(times.about(order), catalogue, order.lines) if order is not None else EventText(times, catalogue)
    events = tuple(
        EventView(
            type=ORDER_EVENTS.type_name(type(it.data)),
            text=words.sentence(it.data),
            data=msgspec.to_builtins(it.data),
        )
        for it in reply.events
    )
    return CommandAnswer(
        order=number,
        state=order.state.value if order is not None else "",
        events=events,
        next_steps=tuple(guidance(order, catalogue)) if order is not None else (),
    )


def ended_of(site: Site, number: str) -> str:
    """How an order ended, or what of it is not paid, for the text of a refusal."""
    with site.desk() as desk:
        order = desk.orders.get(number)
    if order is None:
        return ""
    return ended_text(order, site.times(order.store).about(order), site.stock.catalogue) or unpaid_text(order)


def store_of(order: Order, named: str, caller: Principal) -> str:
    """The store that a command is about: the one named, else the only one that has work or goods of the order."""
    if named:
        return named
    stores = list(dict.fromkeys(it.store for it in order.live if it.store))
    stores = stores or list(dict.fromkeys(it.store for it in order.work)) or [order.store]
    own = [it for it in stores if caller.role in OWN_STORES and it in caller.stores]
    if len(own or stores) > 1:
        raise Problem(422, "store-missing", f"Stores {', '.join(stores)} have parts of this order; name one.")
    return (own or stores)[0]


def _parts(parts: tuple[Part, ...]) -> tuple[LinePart, ...]:
    return tuple(LinePart(line=it.line, quantity=it.quantity) for it in parts)


def _cancel(_site: Site, _order: Order, it: Cancellation, caller: Principal) -> m.CancelOrder:
    is_customer = caller.role in (Role.CUSTOMER, Role.SHOP_FRONT)
    if is_customer and it.reason is not EndReason.CUSTOMER_WISH:
        raise Problem(422, "reason-not-allowed", "Customers and shop fronts cancel for the reason customer_wish.")
    by = Initiator.CUSTOMER if it.reason is EndReason.CUSTOMER_WISH else Initiator.STAFF
    return m.CancelOrder(by=by, reason=it.reason, lines=it.lines, parts=_parts(it.parts))


def _arrive(_site: Site, order: Order, it: ArrivalNotice, caller: Principal) -> m.CustomerArrived:
    return m.CustomerArrived(store=store_of(order, it.store, caller), where=it.where, spot=it.spot)


def _extend(_site: Site, order: Order, it: Extension, caller: Principal) -> m.ExtendPickup:
    return m.ExtendPickup(store=store_of(order, it.store, caller), until=it.until.astimezone(UTC))


def _answer_alternative(_site: Site, _order: Order, it: AlternativeAnswer, _caller: Principal) -> Any:
    if not it.store:
        return m.RefuseAlternative(attempt=it.attempt)
    return m.AcceptAlternative(attempt=it.attempt, store=it.store)


def _answer_substitute(_site: Site, _order: Order, it: SubstituteAnswer, _caller: Principal) -> Any:
    return m.AcceptSubstitute(line=it.line) if it.accept else m.RefuseSubstitute(line=it.line)


def _accept(_site: Site, order: Order, it: AtStore, caller: Principal) -> m.AcceptPick:
    return m.AcceptPick(store=store_of(order, it.store, caller))


def _start(_site: Site, order: Order, it: AtStore, caller: Principal) -> m.StartPicking:
    return m.StartPicking(store=store_of(order, it.store, caller))


def _reject(_site: Site, order: Order, it: Rejection, caller: Principal) -> m.RejectPick:
    store = store_of(order, it.store, caller)
    return m.RejectPick(store=store, reason=it.reason, lines=it.lines, parts=_parts(it.parts))


def _pick(_site: Site, order: Order, it: Pick, caller: Principal) -> m.RecordPick:
    lines = tuple(PickedLine(line=p.line, picked=p.picked, missing=p.missing, sku=p.sku) for p in it.lines)
    return m.RecordPick(store=store_of(order, it.store, caller), lines=lines)


def _offer_substitute(_site: Site, _order: Order, it: SubstituteOffer, _caller: Principal) -> m.OfferSubstitute:
    return m.OfferSubstitute(line=it.line, sku=it.sku, unit_cents=it.unit_price)


def _stage(_site: Site, order: Order, it: Staging, caller: Principal) -> m.StageOrder:
    return m.StageOrder(store=store_of(order, it.store, caller), location=it.location, lines=it.lines)


def _withdraw(_site: Site, order: Order, it: Withdrawal, caller: Principal) -> m.WithdrawReady:
    store = store_of(order, it.store, caller)
    return m.WithdrawReady(store=store, lines=it.lines, reason=it.reason, parts=_parts(it.parts))


def _hand_over(site: Site, order: Order, it: HandOverRequest, caller: Principal) -> m.HandOver:
    if not it.code and it.document is Document.NONE:
        raise Problem(422, "proof-missing", "Send the pickup code, or the kind of identity document that was shown.")
    presented = Presented(
        code=it.code or None, document=it.document.value if not it.code else None, proxy=it.proxy,
        signature=it.signature,
    )  # fmt: skip
    chosen = LineChoice(lines=it.lines, parts=_parts(it.parts))
    return hand_over(site.secrets, order, store_of(order, it.store, caller), presented, chosen)


def _take_back(_site: Site, order: Order, it: Return, caller: Principal) -> m.ReturnInStore:
    lines = tuple(ReturnedLine(line=r.line, quantity=r.quantity, condition=r.condition) for r in it.lines)
    return m.ReturnInStore(store=store_of(order, it.store, caller), lines=lines)


def _put_back(_site: Site, _order: Order, it: PutBack, _caller: Principal) -> m.ConfirmPutBack:
    return m.ConfirmPutBack(task=it.task)


def _endpoint(it: OrderCommand) -> Endpoint:
    return Endpoint(
        method="POST", path=f"/v1/orders/{{order}}/{it.path}", handle=command(it), right=it.right, tag=TAG,
        summary=it.summary, params=OrderPath, body=it.kind, answer=CommandAnswer, statuses=(404, 409, 422, 503),
        request_headers=(KEY_HEADER,),
    )  # fmt: skip


_COMMANDS = (
    OrderCommand("cancellation", _cancel, Cancellation, Right.ORDERS_CHANGE, "Cancel an order or parts of it"),
    OrderCommand("arrival", _arrive, ArrivalNotice, Right.ORDERS_CHANGE, "The customer is here"),
    OrderCommand("extension", _extend, Extension, Right.ORDERS_CHANGE, "Keep the goods longer"),
    OrderCommand(
        "alternative", _answer_alternative, AlternativeAnswer, Right.ORDERS_CHANGE, "Answer an offer of stores"
    ),
    OrderCommand(
        "substitute", _answer_substitute, SubstituteAnswer, Right.ORDERS_CHANGE, "Answer an offer of an article"
    ),
    OrderCommand("acceptance", _accept, AtStore, Right.ORDERS_PREPARE, "The store accepts the order"),
    OrderCommand("picking", _start, AtStore, Right.ORDERS_PREPARE, "Picking begins"),
    OrderCommand("rejection", _reject, Rejection, Right.ORDERS_PREPARE, "The store does not prepare lines"),
    OrderCommand("picks", _pick, Pick, Right.ORDERS_PREPARE, "Units found and missing"),
    OrderCommand("substitute-offer", _offer_substitute, SubstituteOffer, Right.ORDERS_PREPARE, "Offer another article"),
    OrderCommand("staging", _stage, Staging, Right.ORDERS_PREPARE, "Goods are ready at a place"),
    OrderCommand("withdrawal", _withdraw, Withdrawal, Right.ORDERS_PREPARE, "Goods are not ready after all"),
    OrderCommand("hand-over", _hand_over, HandOverRequest, Right.ORDERS_PREPARE, "Hand goods over against a proof"),
    OrderCommand("returns", _take_back, Return, Right.ORDERS_PREPARE, "Goods come back"),
    OrderCommand("put-back", _put_back, PutBack, Right.ORDERS_PREPARE, "Goods are on the shelf again"),
)
COMMANDS = MappingProxyType({it.path: it for it in _COMMANDS})
ENDPOINTS = tuple(_endpoint(it) for it in _COMMANDS)
