"""Payments of orders: how one is paid and why, another method, and the desk's commands."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bopis.access.roles import OWN_STORES, Right
from bopis.domain.payments.gateway import MethodKind
from bopis.domain.payments.messages import AddMethod, RecordPaidInStore, RefundPayment, RetryPayment, VoidPayment
from bopis.domain.payments.state import Payment
from bopis.domain.values import AMOUNT_CENTS_MAX
from bopis.services.payments.book import Concern, status_of
from bopis.services.payments.event_text import PaymentEventText
from bopis.services.payments.explanation import Explanation, explain, read_payment_history
from bopis.web.answers import KEY_HEADER, POSITION_HEADER, PageSize, idempotency_key, position_of
from bopis.web.api.orders import OrderPath, find, read_payment
from bopis.web.api.placing import MethodDetails, method_of
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.payments import PAYMENT_EVENTS

TAG = "payments"
Reason = Annotated[str, Meta(min_length=1, max_length=200)]
Amount = Annotated[int, Meta(ge=1, le=AMOUNT_CENTS_MAX)]


class PaymentsQuery(Struct, frozen=True, kw_only=True):
    """Open payments that need somebody; `concern` limits them to one kind."""

    concern: Concern | None = None
    limit: PageSize = 100


class PaymentRow(Struct, frozen=True, kw_only=True):
    """One payment in a list; amounts in minor units."""

    order: str
    status: str
    currency: str
    open: int
    captured: int
    refunded: int
    owed: int


class Payments(Struct, frozen=True, kw_only=True):
    """Payments, those with the largest debt first."""

    payments: tuple[PaymentRow, ...]


class Retry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask again now: what waits, what failed or came back, or the methods from the first one."""

    reason: Reason


class Refund(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refund money without goods; without an amount all that was captured."""

    reason: Reason
    amount: Amount | None = None


class PaidInStore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money that a till has taken."""

    amount: Amount
    receipt: Annotated[str, Meta(max_length=64)] = ""


class PaymentEventView(Struct, frozen=True, kw_only=True):
    """One event in words and as data."""

    type: str
    text: str
    data: Any


class PaymentAnswer(Struct, frozen=True, kw_only=True):
    """The events that a command caused, and the payment's status after them."""

    order: str
    status: str
    events: tuple[PaymentEventView, ...]


async def read(call: Call) -> Explanation:
    """How an order is paid: every try with its key and answer, why the next method was asked, and all sums."""
    order = await find(call, call.params.order)
    times = call.site.times(order.store).about(order)

    def explained() -> Explanation:
        with call.site.desk() as desk:
            payment = read_payment(desk, order.order)
            if payment is None:
                raise _none(order.order)
            return explain(payment, read_payment_history(desk.reader, payment), times)

    return await call.site.in_thread(explained)


async def read_list(call: Call) -> Payments:
    """Payments that need somebody."""
    if call.caller.role in OWN_STORES:
        raise Problem(403, "other-store", "The list is of all stores; ask for the payment of an order.")
    asked: PaymentsQuery = call.params

    def found() -> list[Payment]:
        with call.site.desk() as desk:
            desk.payments.refresh()
            return desk.payments.find(asked.concern, asked.limit)

    rows = [_row(it) for it in await call.site.in_thread(found)]
    return Payments(payments=tuple(rows))


def _row(it: Payment) -> PaymentRow:
    return PaymentRow(
        order=it.order,
        status=status_of(it).value,
        currency=it.currency,
        open=it.open,
        captured=it.captured,
        refunded=it.refunded,
        owed=max(0, it.uncaptured),
    )


def _none(order: str) -> Problem:
    return Problem(404, "payment-unknown", f"Order {order} is paid in the store; it has no payment of its own.")


Body = Callable[[Any], Any]


def command(body: Body) -> Callable[[Call], Any]:
    """A handler that sends one command. The header `Idempotency-Key` is its message's id: a repeat changes nothing."""

    async def handle(call: Call) -> PaymentAnswer:
        order = await find(call, call.params.order)
        key = idempotency_key(call)
        return await call.site.in_thread(send, call, order.order, body(call.body), key)

    return handle


def send(call: Call, order: str, message: Any, key: str) -> PaymentAnswer:
    """Send a command to the payment of an order; `key` makes a repeat harmless, empty for none. Blocks.

    Raises `Problem` for an order without a payment, and the errors of `PaymentDesk.command`.
    """
    site: Site = call.site
    with site.desk() as desk:
        payment = read_payment(desk, order)
    if payment is None:
        raise _none(order)
    reply = site.payment_desk(call.caller).command(order, message, payment.currency, call.message_id(key))
    call.headers[POSITION_HEADER] = position_of(reply.sent.placed)
    with site.desk() as desk:
        payment = read_payment(desk, order) or payment
    words = PaymentEventText(site.times(), payment.currency, payment.methods)
    events = tuple(
        PaymentEventView(
            type=PAYMENT_EVENTS.type_name(type(it.data)),
            text=words.sentence(it.data),
            data=msgspec.to_builtins(it.data),
        )
        for it in reply.events
    )
    return PaymentAnswer(order=order, status=status_of(payment).value, events=events)


def add_method(it: MethodDetails) -> AddMethod:
    """Another payment method of a customer. Raises `Problem` for one without a token; in the store none is needed."""
    if it.kind is not MethodKind.PAY_IN_STORE and not it.token:
        raise Problem(422, "method-token", "A payment method needs the token of its gateway.")
    return AddMethod(method=method_of(it))


def _endpoint(path: str, body: Body, kind: type[Struct], right: Right, summary: str) -> Endpoint:
    return Endpoint(
        method="POST", path=f"/v1/orders/{{order}}/payment/{path}", handle=command(body), right=right, tag=TAG,
        summary=summary, params=OrderPath, body=kind, answer=PaymentAnswer, statuses=(404, 409, 422, 503),
        request_headers=(KEY_HEADER,),
    )  # fmt: skip


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/payments", handle=read_list, right=Right.PAYMENTS_READ, tag=TAG,
        summary="Payments that need somebody", params=PaymentsQuery, answer=Payments, statuses=(503,),
    ),
    Endpoint(
        method="GET", path="/v1/orders/{order}/payment", handle=read, right=Right.PAYMENTS_READ, tag=TAG,
        summary="How an order is paid, and why", params=OrderPath, answer=Explanation, statuses=(404, 503),
    ),
    _endpoint("methods", add_method, MethodDetails, Right.ORDERS_CHANGE, "Name another payment method"),
    _endpoint("retry", lambda it: RetryPayment(reason=it.reason), Retry, Right.PAYMENTS_CHANGE, "Ask again now"),
    _endpoint("void", lambda it: VoidPayment(reason=it.reason), Retry, Right.PAYMENTS_CHANGE, "Release what is open"),
    _endpoint(
        "refunds", lambda it: RefundPayment(reason=it.reason, amount=it.amount), Refund, Right.PAYMENTS_CHANGE,
        "Refund money without goods",
    ),
    _endpoint(
        "paid-in-store", lambda it: RecordPaidInStore(amount=it.amount, receipt=it.receipt), PaidInStore,
        Right.ORDERS_PREPARE, "Record money that a till has taken",
    ),
)  # fmt: skip
