"""What commands about orders share: the way to the counter, numbers as typed, answers as people read them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bopis.commands.errors import Usage
from bopis.commands.order_access import known_orders, meant, read_book
from bopis.commands.order_words import COMPLETE_ORDERS, COMPLETE_STORES
from bopis.commands.shell import Shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.adapters.log import LogReader
    from bopis.adapters.secrets.vault import Vault
    from bopis.domain.orders.messages import Command, CustomerArrived
    from bopis.domain.orders.state import Order
    from bopis.ports import KnownOrders
    from bopis.services.catalogue import Catalogue
    from bopis.services.counter.desk import Answered
    from bopis.services.counter.desk import Counter as Desk
    from bopis.services.counter.orderbook import OrderBook

STORE_VARIABLE = "BOPIS_STORE"

ORDER = Annotated[
    str,
    typer.Argument(help="Order number, or the begin of it.", autocompletion=COMPLETE_ORDERS),
]
STORE = Annotated[str, typer.Argument(help="Id of the store.", autocompletion=COMPLETE_STORES)]
AtStore = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar=STORE_VARIABLE,
        help="The store; left out, the one that has the order.",
        autocompletion=COMPLETE_STORES,
    ),
]
Id = Annotated[str | None, typer.Option("--id", help="Id of the message; the same id is taken once.")]


class Door(NamedTuple):
    """Everything a command about orders needs, opened once."""

    shell: Shell
    reader: "LogReader"
    desk: "Desk"
    known: "KnownOrders | None"

    def order(self, text: str) -> "Order":
        """The order of a number or of its begin; raises for one that is unknown or unclear."""
        return meant(self.book(), text)

    def book(self, partition: int | None = None) -> "OrderBook":
        """Orders as they stand now: all of them, or those of one partition."""
        return read_book(self.reader, self.known, partition)


@contextmanager
def door(shell: Shell) -> Iterator[Door]:
    """The way to orders. Raises at once when no log runs, or when it has no orders yet."""
    from bopis.adapters.log import require
    from bopis.services.counter.answers import ORDERS_TOPIC
    from bopis.services.counter.desk import Counter, Person
    from bopis.services.counter.orderbook import STATE_TOPIC

    with shell.reader() as reader, shell.publisher() as publisher, known_orders(shell) as known:
        for topic in (ORDERS_TOPIC, STATE_TOPIC):
            require(reader.end_offsets([topic]), topic)
        person = Person(shell.source, shell.actor, lambda: datetime.now(UTC), lambda: str(uuid.uuid4()))
        yield Door(shell, reader, Counter(publisher, reader, person, shell.settings.read_wait_seconds), known)


def store_of(order: "Order", told: str | None) -> str:
    """The store that a command is about: the one that was told, else the only one that has work or goods of it."""
    if told:
        return told
    stores = list(dict.fromkeys(it.store for it in order.live if it.store))
    stores = stores or list(dict.fromkeys(it.store for it in order.work)) or [order.store]
    if len(stores) > 1:
        raise Usage(problem=f"Stores {', '.join(stores)} have parts of this order; say which one with --store.")
    return stores[0]


def say(
    shell: Shell,
    text: str,
    body: "Callable[[Order, Door], Command | CustomerArrived]",
    message_id: str | None = None,
) -> None:
    """Say one thing to an order and print what came of it."""
    with door(shell) as way:
        order = way.order(text)
        answered = way.desk.say(order.order, body(order, way), message_id)
        answer(way, answered)


def answer(way: Door, answered: "Answered") -> None:
    """Print what an order concluded, where it stands now, and what comes next."""
    from bopis.domain.orders.numbers import shown

    number = answered.said.message.subject
    order = row_after(way, answered)
    zone, catalogue = surroundings(way, order)
    document: dict[str, Any] = {
        "order": number,
        "shown": shown(number),
        "id": answered.said.message.id,
        "state": order.state.value if order is not None else None,
        "events": events_told(answered, zone, catalogue),
        "next": next_told(order, catalogue) if order is not None else [],
    }

    def render(out: "Console") -> None:
        for it in document["events"]:
            out.print(f"{shown(number)}  {it['said']}", markup=False, soft_wrap=True)
        if not document["events"]:
            way.shell.say(f"{shown(number)}  nothing changed: it was said before.")
        for words in document["next"]:
            way.shell.say(f"next: {words}")

    way.shell.answer(document, render)


def row_after(way: Door, answered: "Answered") -> "Order | None":
    """The order as it stands after a message was decided."""
    return way.book(answered.said.placed.partition).get(answered.said.message.subject)


def surroundings(way: Door, order: "Order | None") -> "tuple[tzinfo, Catalogue]":
    """The zone of the order's store, and the names of what is in it."""
    from bopis.services.catalogue import read_catalogue

    zone = zone_of_store(way.reader, order.store) if order is not None else UTC
    return zone, read_catalogue(way.reader)


def zone_of_store(reader: "LogReader", store: str) -> tzinfo:
    """The zone that a store was imported with; UTC for one that was not."""
    from zoneinfo import ZoneInfo

    from bopis.services.directory import read_directory

    record = read_directory(reader).get(store)
    return ZoneInfo(record.time_zone) if record is not None and record.time_zone != "UTC" else UTC


def events_told(answered: "Answered", zone: tzinfo, catalogue: "Catalogue") -> list[dict[str, Any]]:
    """What was concluded, by type, in words, and as it stands in the log."""
    import msgspec

    from bopis.services.counter.words import Words
    from bopis.wire.orders import ORDER_EVENTS

    words = Words(zone, catalogue.name)
    return [
        {
            "type": ORDER_EVENTS.type_name(type(it.data)),
            "said": words.of(it.data),
            "data": msgspec.to_builtins(it.data),
        }
        for it in answered.events
    ]


def next_told(order: "Order", catalogue: "Catalogue") -> list[str]:
    """What comes next for an order, store by store, with the command that says it."""
    from bopis.services.counter.guidance import guidance

    return guidance(order, catalogue.name)


def vault_of(shell: Shell) -> "Vault":
    """What opens and seals customers' data here."""
    from bopis.adapters.secrets.vault import open_vault

    return open_vault(shell.settings)
