"""Placing orders: accepted as soon as the log has them, with an idempotency key."""

from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct
from starlette.responses import Response

from bopis.access.roles import Principal, Right
from bopis.adapters.gateways.policy import policy_of
from bopis.domain.orders.messages import PaymentPlan
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX, Allows, Channel, Consent, ShortPolicy
from bopis.domain.payments.gateway import METHODS_MAX, MethodKind, PaymentMethod
from bopis.domain.sourcing.request import GeoPoint, Slot
from bopis.domain.values import AmountCents, Quantity, epoch_ms
from bopis.services.catalogue import RequestedLine
from bopis.services.checkout import SETTLED, AcceptedOrder, Customer, OrderRequest
from bopis.services.counter.event_text import EventText
from bopis.services.exchange import Subscription
from bopis.web.answers import KEY_HEADER, POSITION_HEADER, idempotency_key, position_of, prefer_wait
from bopis.web.api.availability import Latitude, Longitude, Sku, Store
from bopis.web.endpoint import Call, Endpoint, Provided, encoded
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.orders import ORDER_EVENTS

TAG = "orders"
KEY_LENGTH_MAX = 200
MICRODEGREES = 1_000_000
Text = Annotated[str, Meta(max_length=1_000)]


class BasketLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sku` is a SKU or GTIN, `quantity` in the SKU's smallest unit, `unit_price` that of one in minor units."""

    sku: Sku
    quantity: Quantity
    unit_price: AmountCents = 0


class CustomerDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name and contacts are stored encrypted. `id` is the shop's own id of the customer, if it has one."""

    name: Text = ""
    email: Text = ""
    phone: Text = ""
    language: Annotated[str, Meta(max_length=20)] = ""
    channels: tuple[Channel, ...] = ()
    id: Annotated[str, Meta(max_length=128)] = ""


class SlotDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ready by its begin, collected before its end; instants with a UTC offset."""

    begins: Annotated[datetime, Meta(tz=True)]
    ends: Annotated[datetime, Meta(tz=True)]


class Point(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A point in degrees."""

    latitude: Latitude
    longitude: Longitude


class MethodDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One payment method: a gateway's token, never a card number. `limit` in minor units is the most that it pays."""

    kind: MethodKind = MethodKind.CARD
    token: Annotated[str, Meta(max_length=128)] = ""
    gateway: Annotated[str, Meta(max_length=64)] = ""
    card: Annotated[str, Meta(max_length=128)] = ""
    hint: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=0)] | None = None


class Allowed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes that the customer allows; see the concept page about orders."""

    later: bool = False
    alternatives: Consent = Consent.OFFER
    split: bool = False
    substitutes: Consent = Consent.OFFER
    partial: bool = True
    on_short: ShortPolicy = ShortPolicy.RESOURCE
    wait_hours: Annotated[int, Meta(ge=0, le=24 * 90)] = 0


class NewOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order for pickup. Without payment methods it is paid in the store; `consent`: the customer agreed that the
    methods are asked one after the other."""

    store: Store
    lines: Annotated[tuple[BasketLine, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    customer: CustomerDetails = CustomerDetails()
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?$")] = ""
    slot: SlotDetails | None = None
    near: Point | None = None
    allows: Allowed = Allowed()
    payment_methods: Annotated[tuple[MethodDetails, ...], Meta(max_length=METHODS_MAX)] = ()
    consent: bool = False
    note: Text = ""


class OrderAccepted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The log has the order. `outcome` is what came of it within the time of `Prefer: wait`, in words and as the type
    of its event; `repeated`: it was placed before, under the same key."""

    order: str
    shown: str
    customer: str
    repeated: bool
    outcome: str = ""
    outcome_type: str = ""


class _KeyedRequest(NamedTuple):
    """A request with its idempotency key, and the country of its store."""

    request: OrderRequest
    key: str
    country: str


async def place(call: Call) -> Response:
    """Place an order. It is answered with 202 as soon as the log has it; the promise follows. Requests with the same
    `Idempotency-Key` and content place one order; with other content they are refused."""
    key = idempotency_key(call).strip('"')
    if not key or len(key) > KEY_LENGTH_MAX or not key.isascii():
        raise Problem(400, "idempotency-key", f"Send {KEY_HEADER}: one new text per order, up to 200 characters.")
    wanted: NewOrder = call.body
    call.site.require_ready()
    record = call.site.stock.routing.tables.record(wanted.store)
    if record is None or record.closed:
        raise Problem(404, "store-unknown", f"There is no store {wanted.store}.")
    call.require_store(wanted.store)
    request = _request(call.site, wanted)
    # A key belongs to its caller: two shop fronts may use equal ones.
    own_key = f"{call.caller.source}/{key}"
    wait_s = prefer_wait(call)
    keyed = _KeyedRequest(request, own_key, record.country)
    accepted, outcome = await call.site.in_thread(_place, call.site, call.caller, keyed, wait_s)
    call.headers["Location"] = f"/v1/orders/{accepted.order}"
    if accepted.sent is not None:
        call.headers[POSITION_HEADER] = position_of(accepted.sent.placed)
    if wait_s:
        call.headers["Preference-Applied"] = f"wait={wait_s:g}"
    answer = OrderAccepted(
        order=accepted.order,
        shown=shown(accepted.order),
        customer=accepted.customer,
        repeated=accepted.repeated,
        outcome=outcome[0],
        outcome_type=outcome[1],
    )
    return encoded(answer, 202, {})


def _place(site: Site, caller: Principal, keyed: _KeyedRequest, wait_s: float) -> tuple[AcceptedOrder, tuple[str, str]]:
    checkout, followed = site.checkout(caller), None
    try:
        if wait_s:
            # Opened before the order is sent, for its number: a fast promise would be missed otherwise.
            followed = site.order_desk(caller).follow(checkout.first_number(keyed.key))
        accepted = checkout.accept(keyed.request, keyed.key, lambda number: _known(site, number), keyed.country)
        outcome = ("", "")
        if followed is not None and not accepted.repeated:
            outcome = _outcome(site, followed, keyed.request.store, wait_s)
        return accepted, outcome
    finally:
        if followed is not None:
            followed.close()


def _known(site: Site, number: str) -> Order | None:
    """The order with a number: an open one from memory, else from the read side. One that ended a moment ago may be
    missed; its command is sent again then, which the order recognises as a repeat."""
    found = site.stock.routing.orders.get(number)
    if found is not None:
        return found
    if (projection := site.projection()) is not None:
        with projection.snapshot() as orders:
            return orders.get(number)
    with site.desk() as desk:
        return desk.orders.get(number)


def _outcome(site: Site, followed: Subscription, store: str, wait_s: float) -> tuple[str, str]:
    settled = followed.wait(SETTLED, wait_s)
    if settled is None:
        return "", ""
    words = EventText(site.times(store), site.stock.catalogue)
    return words.sentence(settled.data), ORDER_EVENTS.type_name(type(settled.data))


def _request(site: Site, wanted: NewOrder) -> OrderRequest:
    customer = wanted.customer
    lines = tuple(RequestedLine(code=it.sku, quantity=it.quantity, unit_cents=it.unit_price) for it in wanted.lines)
    slot = wanted.slot
    near = wanted.near
    return OrderRequest(
        store=wanted.store,
        lines=lines,
        customer=Customer(
            name=customer.name,
            email=customer.email,
            phone=customer.phone,
            language=customer.language,
            channels=customer.channels,
            id=customer.id,
        ),
        slot=None if slot is None else slot_of(slot),
        place=None if near is None else geo_point(near),
        allows=_allows(wanted.allows),
        currency=wanted.currency,
        note=wanted.note,
        payment=_plan(site, wanted),
    )


def _plan(site: Site, wanted: NewOrder) -> PaymentPlan | None:
    if not wanted.payment_methods:
        return None
    if not wanted.currency:
        raise Problem(422, "currency-missing", "An order with payment methods needs prices and their currency.")
    if any(it.kind is MethodKind.PAY_IN_STORE for it in wanted.payment_methods[:-1]):
        raise Problem(422, "method-order", "pay_in_store is the last method: nothing is asked after it.")
    if any(not it.token and it.kind is not MethodKind.PAY_IN_STORE for it in wanted.payment_methods):
        raise Problem(422, "method-token", "A payment method needs the token of its gateway.")
    methods = tuple(method_of(it) for it in wanted.payment_methods)
    return PaymentPlan(methods=methods, policy=policy_of(site.settings), consent=wanted.consent)


def method_of(it: MethodDetails) -> PaymentMethod:
    """A payment method for the core."""
    return PaymentMethod(
        kind=it.kind, token=it.token, gateway=it.gateway, card=it.card, hint=it.hint, limit_cents=it.limit
    )


def _allows(it: Allowed) -> Allows:
    return Allows(
        later=it.later,
        alternatives=it.alternatives,
        split=it.split,
        substitutes=it.substitutes,
        partial=it.partial,
        on_short=it.on_short,
        wait_hours=it.wait_hours,
    )


def slot_of(slot: SlotDetails) -> Slot:
    """A slot for the core. Raises `Problem` for one that ends before it begins."""
    if slot.ends <= slot.begins:
        raise Problem(422, "slot-invalid", "A slot ends after it begins.")
    return Slot(from_ms=_ms(slot.begins), to_ms=_ms(slot.ends))


def geo_point(near: Point) -> GeoPoint:
    """A point for the core, in whole microdegrees."""
    return GeoPoint(latitude_e6=round(near.latitude * MICRODEGREES), longitude_e6=round(near.longitude * MICRODEGREES))


def _ms(at: datetime) -> int:
    return epoch_ms(at.astimezone(UTC))


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/orders", handle=place, right=Right.ORDERS_PLACE, tag=TAG, summary="Place an order",
        body=NewOrder, answer=OrderAccepted, status=202, statuses=(400, 404, 409, 422, 503),
        request_headers=(KEY_HEADER, "Prefer"),
        provides=(Provided("order", "$response.body#/order"), Provided("after", f"$response.header.{POSITION_HEADER}")),
    ),
)  # fmt: skip
