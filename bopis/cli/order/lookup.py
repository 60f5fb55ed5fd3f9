"""Opens the order book of a command: the orders of the read side, and what the log has beyond it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from bopis.cli.app.completion import COMPLETIONS_MAX, Completions, quiet_completion
from bopis.cli.app.context import CommandContext
from bopis.cli.app.render import counted
from bopis.domain.orders.numbers import MISREAD, NUMBER_LENGTH, parse, shown
from bopis.domain.orders.state import Order
from bopis.ports import Log, OrderFilter, OrderProjection
from bopis.services.counter.errors import NumberMisread
from bopis.services.counter.order_lookup import OrderBook

SKIPPED_NAMED_MAX = 3


@contextmanager
def open_book(ctx: CommandContext) -> Iterator[tuple[Log, OrderBook]]:
    """The log and the order book over it, for commands that only read."""
    with ctx.reader() as reader, ctx.known_orders() as known:
        book = read_book(reader, known)
        note_skipped(ctx, book)
        yield reader, book


def note_skipped(ctx: CommandContext, book: OrderBook) -> None:
    """Name records of the orders' state that are none: what they overwrote is not listed."""
    if book.skipped:
        named = ", ".join(book.skipped[:SKIPPED_NAMED_MAX])
        more = ", ..." if len(book.skipped) > SKIPPED_NAMED_MAX else ""
        records = counted(len(book.skipped), "record")
        ctx.note(f"{records} could not be read as an order and passed over: {named}{more}. See: bopis doctor")


def find_order(book: OrderBook, text: str) -> Order:
    """The order of a number or of its first characters.

    Raises `OrderUnknown` or `NumberUnclear`, and `NumberMisread` for a whole number whose check character is wrong.
    """
    bare = text.replace("-", "").replace(" ", "")
    if len(bare) >= NUMBER_LENGTH and parse(text) is None:
        raise NumberMisread(text=text)
    return book.named(text)


def read_book(reader: Log, known: OrderProjection | None, partition: int | None = None) -> OrderBook:
    """The order book at the end of the log: all orders, or those of one partition."""
    book = OrderBook(reader, partition, known)
    book.refresh()
    return book


def number_prefix(text: str | None) -> str:
    """The first characters of an order number, with letters that are often misread replaced."""
    return (text or "").upper().translate(MISREAD)


def _orders(ctx: CommandContext, prefix: str) -> Completions:
    with open_book(ctx) as (_, book):
        orders = book.find(OrderFilter(number_prefix(prefix)), COMPLETIONS_MAX)
    return [(shown(it.order), f"{it.state.value}, store {it.store}") for it in sorted(orders, key=lambda it: it.order)]


OrderNumber = Annotated[
    str,
    typer.Argument(
        metavar="ORDER", help="Order number, or its first characters.", autocompletion=quiet_completion(_orders)
    ),
]
