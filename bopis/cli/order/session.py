"""Log connections of the commands about orders, and replies as people read them."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import tzinfo
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console

from bopis.cli.app.completion import COMPLETE_STORES
from bopis.cli.app.context import STORE_VARIABLE, CommandContext, author
from bopis.cli.app.errors import ReadSideMissing, ReadSideUnreachable, StoreUnknown, Usage
from bopis.cli.app.readside import SIMILARITY_LEAST, SUGGESTIONS_MAX, known_or_stocked
from bopis.cli.app.render import print_line
from bopis.cli.order.lookup import find_order, read_book
from bopis.domain.message import Message
from bopis.domain.orders.events import LineShort, LinesRejected
from bopis.domain.orders.lines import LinePart
from bopis.domain.orders.messages import Command, CustomerArrived
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Line, Order
from bopis.domain.orders.store_queue import numbers_text
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX, ShortPolicy
from bopis.names import ORDER_STATE_TOPIC, ORDERS_TOPIC
from bopis.ports import Log, OrderProjection
from bopis.services.catalogue import Catalogue, read_catalogue
from bopis.services.channels import ORDER_REQUESTS
from bopis.services.checkout import SETTLED
from bopis.services.counter.code_check import LineChoice
from bopis.services.counter.desk import OrderDesk
from bopis.services.counter.event_text import EventText
from bopis.services.counter.guidance import guidance
from bopis.services.counter.masking import masked
from bopis.services.counter.order_lookup import OrderBook
from bopis.services.counter.refusal_text import ended_text, unpaid_text
from bopis.services.counter.store_times import StoreTimes
from bopis.services.exchange import Exchange, Reply
from bopis.services.store_directory import read_directory
from bopis.wire.orders import ORDER_EVENTS

AtStore = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        envvar=STORE_VARIABLE,
        help="The store; by default the one that has the order.",
        autocompletion=COMPLETE_STORES,
    ),
]
OrderLines = Annotated[
    list[str] | None,
    typer.Argument(metavar="LINE", help="Only these lines, or units of a line: 1=2 is two units of line 1."),
]
ROUTING_WAIT_SECONDS = 3.0
_LINE = re.compile(r"([1-9][0-9]{0,8})(?:=([1-9][0-9]{0,8}))?")


def selection_text(chosen: LineChoice) -> str:
    """A choice as it is repeated to people: ``line 2, 1 of line 1``; empty for all of it."""
    whole = [numbers_text(chosen.lines)] if chosen.lines else []
    return ", ".join(whole + [f"{part.quantity} of line {part.line}" for part in chosen.parts])


def read_selection(words: Iterable[str] | None) -> LineChoice:
    """The lines that were typed, ``2`` or ``1=2``. Raises `Usage`."""
    lines, parts = [], []
    for word in words or ():
        found = _LINE.fullmatch(word)
        if found is None:
            raise Usage(
                problem=f"{word!r} is no line. Write its number, or LINE=NUMBER without a unit for some units of it: "
                "1=2 is two units of line 1, 2=300 is 300 g of a line in grams. `bopis order show` lists the lines."
            )
        number, units = found.groups()
        if units is None:
            lines.append(int(number))
        else:
            parts.append(LinePart(line=int(number), quantity=int(units)))
    if len(lines) + len(parts) > ORDER_LINES_MAX:
        raise Usage(problem=f"An order has at most {ORDER_LINES_MAX} lines; name fewer, or none for all of them.")
    return LineChoice(lines=tuple(lines), parts=tuple(parts))


class OrderSession(NamedTuple):
    """Log connections shared by the steps of one order command."""

    ctx: CommandContext
    reader: Log
    desk: OrderDesk
    known: OrderProjection | None

    def order(self, text: str) -> Order:
        """The order of a number or of its first characters; raises for one that is unknown or ambiguous."""
        return find_order(self.book(), text)

    def book(self, partition: int | None = None) -> OrderBook:
        """The current orders: all of them, or those of one partition."""
        return read_book(self.reader, self.known, partition)


class Presentation(NamedTuple):
    """Clocks of the stores and the catalogue's names, for texts about orders."""

    times: StoreTimes
    catalogue: Catalogue
    lines: tuple[Line, ...] = ()

    @property
    def words(self) -> EventText:
        """Events as sentences."""
        return EventText(self.times, self.catalogue, self.lines)

    def about(self, order: Order) -> "Presentation":
        """The presentation of one order: with the units of its lines, and zones where those of its stores differ."""
        return self._replace(times=self.times.about(order), lines=order.lines)


@contextmanager
def order_session(ctx: CommandContext) -> Iterator[OrderSession]:
    """Open the log connections of a command about orders. Raises at once when no log runs, or when it has no topics of
    orders yet."""
    with ctx.reader() as reader, ctx.publisher() as publisher, ctx.known_orders() as known:
        ctx.require_topics(reader, ORDERS_TOPIC, ORDER_STATE_TOPIC)
        exchange = Exchange(ORDER_REQUESTS, publisher, reader, ctx.settings.topic_prefix)

        def ended(number: str) -> str:
            order = read_book(reader, known).get(number)
            if order is None:
                return ""
            presentation = presentation_of(reader, order.store).about(order)
            return ended_text(order, presentation.times, presentation.catalogue) or unpaid_text(order)

        desk = OrderDesk(exchange, author(ctx), ctx.settings.read_wait_seconds, ended)
        yield OrderSession(ctx, reader, desk, known)


def store_of(order: Order, named: str | None) -> str:
    """The store that a command is about: the one that was named, else the only one that has work or goods of it."""
    if named:
        return named
    stores = list(dict.fromkeys(it.store for it in order.live if it.store))
    stores = stores or list(dict.fromkeys(it.store for it in order.work)) or [order.store]
    if len(stores) > 1:
        raise Usage(problem=f"Stores {', '.join(stores)} have parts of this order; choose one with --store.")
    return stores[0]


def send_command(
    ctx: CommandContext,
    text: str,
    body: Callable[[Order, OrderSession], Command | CustomerArrived],
    message_id: str | None = None,
) -> None:
    """Send one command to the order of a number and print its reply."""
    with order_session(ctx) as session:
        order = session.order(text)
        reply = session.desk.command(order.order, body(order, session), message_id)
        print_reply(session, reply)


def send_and_route(
    ctx: CommandContext,
    text: str,
    body: Callable[[Order, OrderSession], Command],
    message_id: str | None = None,
) -> None:
    """Send one command that takes units from a store, and print its reply with what became of them.

    The next step depends on routing's answer, so it is awaited for ROUTING_WAIT_SECONDS.
    """
    with order_session(ctx) as session:
        order = session.order(text)
        with session.desk.follow(order.order) as subscription:
            reply = session.desk.command(order.order, body(order, session), message_id)
            asked = {type(event.data) for event in reply.events}
            settled = None
            if LinesRejected in asked or (LineShort in asked and order.allows.on_short is ShortPolicy.RESOURCE):
                settled = subscription.wait(SETTLED, ROUTING_WAIT_SECONDS)
        known = {event.id for event in reply.events}
        print_reply(session, reply, later=(settled,) if settled is not None and settled.id not in known else ())


def print_reply(session: OrderSession, *replies: Reply, later: Iterable[Message] = ()) -> None:
    """Print an order's conclusions from one or several messages, those that came later, and what to do next."""
    reply = replies[-1]
    ctx, number = session.ctx, reply.sent.message.subject
    order = session.book(reply.sent.placed.partition).get(number)
    presentation = presentation_of(session.reader, order.store if order is not None else "")
    if order is not None:
        presentation = presentation.about(order)
    document: dict[str, Any] = {
        "order": number,
        "shown": shown(number),
        "id": reply.sent.message.id,
        "state": order.state.value if order is not None else None,
        "events": [row for it in replies for row in event_rows(it, presentation.words)]
        + [event_row(event, presentation.words) for event in later],
        "next": guidance(order, presentation.catalogue) if order is not None else [],
    }

    def render(out: Console) -> None:
        for event in document["events"]:
            print_line(out, f"{shown(number)}  {event['said']}")
        if not document["events"]:
            ctx.note(f"{shown(number)}  no change: this message was sent before.")
        for step in document["next"]:
            ctx.note(f"next: {step}")

    ctx.print_result(document, render)


def presentation_of(reader: Log, store: str) -> Presentation:
    """How to present orders of a store; in UTC when the store is not known."""
    return Presentation(store_times(reader, store), read_catalogue(reader))


def store_times(reader: Log, store: str) -> StoreTimes:
    """The clocks of all stores; times that name no store are on the clock of this one."""
    zones = {name: record.zone for name, record in read_directory(reader).items()}
    return StoreTimes(zones, store, (store,))


def require_store(ctx: CommandContext, reader: Log, store: str) -> None:
    """Raise `StoreUnknown`, with similar ids, for a store that was never imported and of which no message is known."""
    known = read_directory(reader)
    if store in known:
        return
    try:
        with ctx.snapshot() as snapshot:
            known_or_stocked(snapshot, store)
    except (ReadSideMissing, ReadSideUnreachable):
        similar = get_close_matches(store, known, SUGGESTIONS_MAX, SIMILARITY_LEAST)
        raise StoreUnknown(store=store, hint=f"; did you mean {' or '.join(similar)}" if similar else "") from None


def zone_of_store(reader: Log, store: str) -> tzinfo:
    """The zone that a store was imported with; UTC for one that was not."""
    return store_times(reader, store).zone()


def event_rows(reply: Reply, words: EventText) -> list[dict[str, Any]]:
    """The conclusions of a reply for JSON: wire type, sentence, data."""
    return [event_row(event, words) for event in reply.events]


def event_row(event: Message, words: EventText) -> dict[str, Any]:
    """One conclusion for JSON: wire type, sentence, data."""
    return {
        "type": ORDER_EVENTS.type_name(type(event.data)),
        "said": words.sentence(event.data),
        "data": msgspec.to_builtins(event.data),
    }


def customer_fields(ctx: CommandContext, order: Order, *, in_full: bool) -> dict[str, str] | None:
    """The customer's name and contact, masked unless `in_full`; empty where none was given, None after erasure."""
    if not order.customer.sealed:
        return {}
    with ctx.vault() as vault:
        contact = vault.open(order.customer.id, order.customer.sealed)
        note = vault.open(order.customer.id, order.note) if order.note else {}
    if contact is None:
        return None
    fields = contact | (note or {})
    return fields if in_full else {name: masked(name, value) for name, value in fields.items()}
