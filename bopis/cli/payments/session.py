"""Log connections of the commands about payments, and payments as people read them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console

from bopis.cli.app.context import CommandContext, author
from bopis.cli.app.errors import Usage
from bopis.cli.app.render import counted, print_line
from bopis.cli.order.lookup import SKIPPED_NAMED_MAX, find_order, read_book
from bopis.cli.order.prices import minor_units
from bopis.cli.order.session import store_times
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Order
from bopis.domain.payments.messages import DeskCommand, ProviderReported
from bopis.domain.payments.state import Payment
from bopis.domain.values import AMOUNT_CENTS_MAX
from bopis.names import PAYMENT_STATE_TOPIC, PAYMENTS_TOPIC
from bopis.ports import Log, OrderProjection
from bopis.services.channels import PAYMENT_REQUESTS
from bopis.services.counter.store_times import StoreTimes
from bopis.services.exchange import Exchange
from bopis.services.payments.book import PaymentBook
from bopis.services.payments.desk import PaymentDesk
from bopis.services.payments.event_text import PaymentEventText
from bopis.wire.payments import PAYMENT_EVENTS

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stays in the payment's history.")]
AMOUNT = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,4})?")


class PaymentSession(NamedTuple):
    """Log connections shared by the steps of one payment command."""

    ctx: CommandContext
    reader: Log
    book: PaymentBook
    desk: PaymentDesk
    known: OrderProjection | None

    def order(self, text: str) -> Order:
        """The order of a number or of its first characters."""
        return find_order(read_book(self.reader, self.known), text)

    def payment(self, text: str) -> Payment:
        """The payment of an order, by its number or first characters. Raises `PaymentUnknown`."""
        number = self.order(text).order
        self.book.refresh(number)
        return self.book.named(number)

    def times(self, store: str) -> StoreTimes:
        """The clocks of the stores; times of a payment are on that of its order's store."""
        return store_times(self.reader, store)


@contextmanager
def payment_session(ctx: CommandContext) -> Iterator[PaymentSession]:
    """Open the log connections of a command about payments. Raises at once when no log runs, or when it has no topics
    of payments yet."""
    with ctx.reader() as reader, ctx.publisher() as publisher, ctx.known_orders() as known:
        ctx.require_topics(reader, PAYMENTS_TOPIC, PAYMENT_STATE_TOPIC)
        exchange = Exchange(PAYMENT_REQUESTS, publisher, reader, ctx.settings.topic_prefix)
        desk = PaymentDesk(exchange, author(ctx), ctx.settings.read_wait_seconds)
        yield PaymentSession(ctx, reader, PaymentBook(reader), desk, known)


def send_to_payment(
    session: PaymentSession, payment: Payment, body: DeskCommand | ProviderReported, message_id: str | None = None
) -> None:
    """Send one command to a payment and print what follows from it."""
    ctx = session.ctx
    reply = session.desk.command(payment.order, body, payment.currency, message_id)
    store = session.order(payment.order).store
    session.book.refresh(payment.order)
    now = session.book.named(payment.order)
    words = PaymentEventText(session.times(store), now.currency, now.methods)
    document: dict[str, Any] = {
        "order": payment.order,
        "shown": shown(payment.order),
        "id": reply.sent.message.id,
        "events": [
            {
                "type": PAYMENT_EVENTS.type_name(type(event.data)),
                "said": words.sentence(event.data),
                "data": msgspec.to_builtins(event.data),
            }
            for event in reply.events
        ],
    }

    def render(out: Console) -> None:
        for event in document["events"]:
            print_line(out, f"{document['shown']}  {event['said']}")
        if not document["events"]:
            ctx.note(f"{document['shown']}  no change: the payment knows this already.")
        ctx.note(f"next: bopis payments show {document['shown']}")

    ctx.print_result(document, render)


def read_amount(text: str, currency: str) -> int:
    """A sum as it is typed, in minor units of a currency. Raises `Usage`."""
    if AMOUNT.fullmatch(text) is None:
        raise Usage(problem=f"{text!r} is no amount. Write it with digits and a point, for example 12.50.")
    amount = minor_units(text, currency)
    if not 0 < amount <= AMOUNT_CENTS_MAX:
        raise Usage(problem=f"{text} {currency} is no amount to pay. Give one above zero.")
    return amount


def require_reason(reason: str) -> None:
    """Raise `Usage` for a reason of blanks: the history would not say why."""
    if not reason.strip():
        raise Usage(problem="Say why with --reason; it stays in the payment's history.")


def note_skipped(ctx: CommandContext, book: PaymentBook) -> None:
    """Name records of the payments' state that are none: what they overwrote is not listed."""
    if book.skipped:
        named = ", ".join(book.skipped[:SKIPPED_NAMED_MAX])
        ctx.note(f"{counted(len(book.skipped), 'record')} could not be read as a payment and passed over: {named}.")
