"""Changes of an order from its page. Each is answered with the page, and the resulting sentences or the refusal."""

from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation

from starlette.responses import Response

from bopis.access.roles import Right
from bopis.domain.notices.messages import ResendNotice
from bopis.domain.notices.vocabulary import Channel, Milestone
from bopis.domain.orders.messages import CancelOrder, ExtendPickup
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import EndReason, Initiator
from bopis.domain.payments.messages import RefundPayment, RetryPayment
from bopis.domain.payments.money import exponent
from bopis.domain.values import AMOUNT_CENTS_MAX, QUANTITY_MAX, STORE_LENGTH_MAX, TEXT_LENGTH_MAX
from bopis.errors import BopisError
from bopis.services.notifier.resend import due_deliveries
from bopis.services.payments.event_text import PaymentEventText
from bopis.web.api import moving
from bopis.web.api.order_commands import answer_of, store_of
from bopis.web.api.orders import OrderPath, find, read_payment
from bopis.web.pages.fields import instant_of, whole_number
from bopis.web.pages.orders_detail import STAFF_REASONS, order_page
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem, problem_of

FORM_ID_LENGTH_MAX = 64
Change = Callable[[PageCall, Order], Awaitable[str]]


def changing(change: Change) -> Callable[[PageCall], Awaitable[Response]]:
    """Show the page of the order after a change, with its result or with the refusal."""

    async def show(call: PageCall) -> Response:
        order = await find(call, call.params.order)
        try:
            note = await change(call, order)
        except Problem as problem:
            return await order_page(call, refusal=problem.detail, status=problem.status)
        except BopisError as error:
            found = problem_of(error)
            return await order_page(call, refusal=found.detail, status=found.status)
        return await order_page(call, note=note)

    return show


def message_id(call: PageCall) -> str | None:
    """The id of the form's message: a form that is sent twice is one change."""
    form_id = call.field("form_id")[:FORM_ID_LENGTH_MAX]
    return call.message_id(form_id)


def reason_of(call: PageCall) -> str:
    """The reason in words. Raises `Problem` without one."""
    reason = call.field("reason")
    if not reason or len(reason) > TEXT_LENGTH_MAX:
        raise Problem(422, "reason-missing", f"Give a reason of at most {TEXT_LENGTH_MAX} characters; it is kept.")
    return reason


def amount_of(text: str, currency: str) -> int | None:
    """An amount as typed (``12.50``) in minor units; None for an empty text. Raises `Problem` for another text."""
    if not text:
        return None
    digits = exponent(currency)
    try:
        minor = Decimal(text.replace(",", ".")).scaleb(digits)
        if not minor.is_finite() or minor != minor.to_integral_value() or not 1 <= minor <= AMOUNT_CENTS_MAX:
            raise InvalidOperation
    except InvalidOperation:
        raise Problem(422, "amount-invalid", f"{text!r} is no amount: write it as {_example(digits)}.") from None
    return int(minor)


def _example(digits: int) -> str:
    return f"12.{'50000'[:digits]}" if digits else "1250"


async def _order_command(call: PageCall, order: Order, message: CancelOrder | ExtendPickup) -> str:
    site = call.site

    def send() -> str:
        desk = site.order_desk(call.caller)
        answer = answer_of(site, order.order, desk.command(order.order, message, message_id(call)))
        return ". ".join(it.text for it in answer.events) or "This change was made before; nothing changed again"

    return await site.in_thread(send)


async def cancel(call: PageCall, order: Order) -> str:
    """Cancel what is open of the order."""
    text = call.field("reason")
    if text not in {it.value for it in STAFF_REASONS}:
        raise Problem(422, "reason-missing", "Choose the reason of the cancellation.")
    reason = EndReason(text)
    by = Initiator.CUSTOMER if reason is EndReason.CUSTOMER_WISH else Initiator.STAFF
    return await _order_command(call, order, CancelOrder(by=by, reason=reason))


async def extend(call: PageCall, order: Order) -> str:
    """Keep the goods longer, until an instant on the store's clock."""
    store = store_of(order, call.field("store"), call.caller)
    call.require_store(store)
    until = instant_of(call.field("until"), call.site.times(store).zone())
    if until is None:
        raise Problem(422, "instant-invalid", "Choose until when the goods are kept.")
    return await _order_command(call, order, ExtendPickup(store=store, until=until))


async def move(call: PageCall, order: Order) -> str:
    """Change the store of the order, for a reason."""
    store = call.field("store")
    if not store or len(store) > STORE_LENGTH_MAX:
        raise Problem(422, "store-missing", "Choose the store that is to have the order.")
    change = moving.StoreChange(store=store, reason=reason_of(call))
    answer = await call.site.in_thread(moving.send, call, order, change, call.field("form_id")[:FORM_ID_LENGTH_MAX])
    return ". ".join(it.text for it in answer.events) or "This change was made before; nothing changed again"


async def _payment_command(call: PageCall, order: Order, body: Callable[[str], RetryPayment | RefundPayment]) -> str:
    site = call.site

    def send() -> str:
        with site.desk() as desk:
            payment = read_payment(desk, order.order)
        if payment is None:
            raise Problem(404, "payment-unknown", "This order is paid in the store; it has no payment of its own.")
        desk_of_payments = site.payment_desk(call.caller)
        reply = desk_of_payments.command(order.order, body(payment.currency), payment.currency, message_id(call))
        words = PaymentEventText(site.times(order.store), payment.currency, payment.methods)
        return ". ".join(words.sentence(it.data) for it in reply.events) or "This was asked before; nothing changed"

    return await site.in_thread(send)


async def retry_payment(call: PageCall, order: Order) -> str:
    """Ask again what waits, failed or came back."""
    reason = reason_of(call)
    return await _payment_command(call, order, lambda _currency: RetryPayment(reason=reason))


async def refund(call: PageCall, order: Order) -> str:
    """Refund money without goods."""
    reason, amount = reason_of(call), call.field("amount")
    return await _payment_command(
        call, order, lambda currency: RefundPayment(reason=reason, amount=amount_of(amount, currency))
    )


async def resend(call: PageCall, order: Order) -> str:
    """Send another copy of a notice."""
    milestone, channel = call.field("milestone"), call.field("channel")
    version = whole_number(call.field("version", "0"), QUANTITY_MAX)
    if milestone not in set(Milestone) or (channel and channel not in set(Channel)) or version is None:
        raise Problem(422, "notice-unknown", "Choose a notice of the list.")
    body = ResendNotice(milestone=Milestone(milestone), version=version, channel=Channel(channel) if channel else None)
    site = call.site

    def send() -> str:
        exchange = site.notice_exchange()
        message = exchange.compose(call.site.author(call.caller), order.order, body, message_id=message_id(call))
        due = due_deliveries(exchange.request(message, site.settings.read_wait_seconds))
        channels = ", ".join(it.delivery.channel.value for it in due)
        return f"Another copy of the notice {milestone.replace('_', ' ')} is due over {channels or 'no channel'}"

    return await site.in_thread(send)


def _page(name: str, change: Change, right: Right) -> Page:
    return Page(path=f"/orders/{{order}}/{name}", show=changing(change), right=right, method="POST", params=OrderPath)


PAGES = (
    _page("cancel", cancel, Right.ORDERS_CHANGE),
    _page("extend", extend, Right.ORDERS_CHANGE),
    _page("move", move, Right.ORDERS_CHANGE),
    _page("retry-payment", retry_payment, Right.PAYMENTS_CHANGE),
    _page("refund", refund, Right.PAYMENTS_CHANGE),
    _page("resend", resend, Right.ORDERS_CHANGE),
)
