"""The way from a command to orders as they stand: the read side, and what the log has beyond it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bopis.commands.errors import CommandError
from bopis.commands.shell import Shell

if TYPE_CHECKING:
    from bopis.adapters.log import LogReader
    from bopis.domain.orders.state import Order
    from bopis.ports import KnownOrders
    from bopis.services.counter.orderbook import OrderBook


@contextmanager
def open_book(shell: Shell) -> "Iterator[tuple[LogReader, OrderBook]]":
    """Orders as they stand now, and the log that they are read from, for commands that only look."""
    with shell.reader() as reader, known_orders(shell) as known:
        yield reader, read_book(reader, known)


@contextmanager
def known_orders(shell: Shell) -> "Iterator[KnownOrders | None]":
    """What the read side knows of orders; None where there is none, then everything is read from the log."""
    from sqlalchemy.exc import SQLAlchemyError

    from bopis.readside.errors import ReadSideError
    from bopis.readside.queries.known_orders import ReadOrders

    with ExitStack() as stack:
        try:
            known = ReadOrders(stack.enter_context(shell.engine()))
            known.stands()
        except (CommandError, ReadSideError, SQLAlchemyError):
            known = None
        yield known


def meant(book: "OrderBook", text: str) -> "Order":
    """The order of a number or of its begin; raises for one that is unknown or unclear.

    A number that was misheard is told from one that is not known.
    """
    from bopis.domain.orders.numbers import NUMBER_LENGTH, parse
    from bopis.services.counter.errors import NumberMisread

    bare = text.replace("-", "").replace(" ", "")
    if len(bare) >= NUMBER_LENGTH and parse(text) is None:
        raise NumberMisread(text=text)
    return book.named(text)


def read_book(reader: "LogReader", known: "KnownOrders | None", partition: int | None = None) -> "OrderBook":
    """Orders as they stand now: all of them, or those of one partition."""
    from bopis.services.counter.orderbook import OrderBook

    book = OrderBook(reader, partition, known)
    book.refresh()
    return book
