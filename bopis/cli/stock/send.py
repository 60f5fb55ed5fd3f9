"""Publish a stock message and wait for its outcome."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console
from sqlalchemy import Engine

from bopis.access.roles import id_from
from bopis.cli.app.context import CommandContext, author
from bopis.cli.app.errors import CommandError, Conflict, InvalidInput, NotSeenInTime, ReadSideMissing, StoreUnknown
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.readside import known_or_stocked, zone_of
from bopis.cli.app.render import iso, print_line
from bopis.cli.stock.doubts import clock_of, taken_before
from bopis.cli.stock.event_text import event_sentence
from bopis.cli.stock.level_text import at_instant, sentence
from bopis.cli.stock.show import level_of, units_of
from bopis.domain.inventory.events import CountRefused, ExpectationRefused, HoldCommandRefused
from bopis.domain.inventory.messages import Command, Report
from bopis.domain.message import Message
from bopis.domain.quantities import EACH
from bopis.errors import TRY_AGAIN, BopisError
from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.readside import queries
from bopis.readside.engine import reading
from bopis.readside.queries.answers import LevelAnswer
from bopis.services.channels import STOCK_REQUESTS
from bopis.services.exchange import Author, Exchange, Reply, Sent
from bopis.wire.stock import INVENTORY_EVENTS

DRIFT_SOURCE = "drift"
POLL_SECONDS = 0.02
POLL_SECONDS_MAX = 0.2
LEVELS_SHOWN_MAX = 20

At = Annotated[
    str | None, typer.Option("--time", metavar="TIME", help="When it happened, in the store's time zone; default now.")
]
NewStore = Annotated[
    bool, typer.Option("--new-store", help="Allow a store that was never imported and has sent no message.")
]


class SendOptions(NamedTuple):
    """When it happened, the id of the message, whether to wait for the outcome, whether the store may be unknown.

    `about` names the message of a shop whose difference an adjustment closes (`bopis.domain.inventory.ledger`).
    """

    at: str | None = None
    message_id: str | None = None
    no_wait: bool = False
    new_store: bool = False
    about: str = ""


class Result(NamedTuple):
    """A message that was sent, its conclusions (None: not waited for) and the levels of its SKUs after it.

    `taken_before` is when the same message was booked before: this one is its repeat and changed nothing.
    """

    sent: Sent
    events: tuple[Message, ...] | None
    levels: tuple[LevelAnswer, ...]
    taken_before: datetime | None = None
    units: Mapping[str, str] = {}


def send(ctx: CommandContext, store: str, body: Report | Command, skus: list[str], options: SendOptions) -> Result:
    """Publish one message about a store's stock and wait until it is decided and readable.

    Raises `MessageParked` when it could not be processed and `Conflict` when it was refused; both only after it was
    decided.
    """
    at = _checked_time(ctx, store, options)
    before = taken_before(ctx, store, options.message_id)
    with ctx.reader() as reader, ctx.publisher() as publisher:
        ctx.require_topics(reader, STOCK_TOPIC)
        exchange = Exchange(STOCK_REQUESTS, publisher, reader, ctx.settings.topic_prefix)
        sender, message_id = _sender(ctx, options)
        message = exchange.compose(sender, store, body, at=at, message_id=message_id)
        if options.about:
            message = msgspec.structs.replace(message, causation=options.about)
        with exchange.subscribe(store) as subscription:
            try:
                sent = exchange.send(message)
            except BopisError as error:
                if error.exit_code == TRY_AGAIN:
                    ctx.note(f"To repeat it safely: --id {message.id} --time {message.time.isoformat()}")
                raise
            if options.no_wait:
                return Result(sent, None, (), before)
            reply = exchange.reply(sent, subscription, ctx.settings.read_wait_seconds)
        _raise_if_refused(reply)
        with ctx.engine() as engine:
            wait_until_seen(ctx, engine, sent)
            levels = _levels(engine, store, skus)
            with reading(engine) as snapshot:
                return Result(sent, reply.events, levels, before, units_of(snapshot, levels))


def wait_until_seen(ctx: CommandContext, engine: Engine, sent: Sent) -> None:
    """Wait until history and levels of the read side include a message; raises `NotSeenInTime`."""
    placed = sent.placed

    def is_seen() -> bool:
        seen = {it.topic: it for it in queries.positions(engine) if it.partition == placed.partition}
        history, levels = seen.get(STOCK_TOPIC), seen.get(LEVELS_TOPIC)
        decided = levels.source_position if levels else None
        return history is not None and decided is not None and min(history.position, decided) >= placed.offset

    wait_until(ctx, is_seen, f"{placed.topic}/{placed.partition}/{placed.offset}, id {sent.message.id}")


def wait_until(ctx: CommandContext, is_seen: Callable[[], bool], where: str) -> None:
    """Poll until a condition holds; raises `NotSeenInTime` after the setting read_wait_seconds."""
    patience = ctx.settings.read_wait_seconds
    give_up = time.monotonic() + patience
    pause = POLL_SECONDS
    while not is_seen():
        if time.monotonic() > give_up:
            raise NotSeenInTime(where=where, seconds=patience)
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS_MAX)


def print_sent(ctx: CommandContext, summary: str, result: Result) -> None:
    """Print the message that was sent, its conclusions, and the levels of its SKUs."""
    message, placed = result.sent.message, result.sent.placed
    events = [_event_row(event, result.units) for event in result.events or ()]
    document = {
        "id": message.id,
        "store": message.subject,
        "time": message.time,
        "recorded_at": iso(placed.timestamp_ms),
        "partition": placed.partition,
        "offset": placed.offset,
        "waited": result.events is not None,
        "taken_before": result.taken_before,
        "events": events,
        "levels": result.levels,
    }

    def render(out: Console) -> None:
        if result.taken_before is None:
            print_line(out, f"{summary} (id {message.id})")
        else:
            booked = at_instant(result.taken_before, clock_of(ctx, message.subject))
            print_line(out, f"Already taken: id {message.id} was booked at {booked}; nothing was booked again")
        for event in events:
            print_line(out, f"! {event['said']}")
        catalogue = ctx.catalogue
        for level in result.levels[:LEVELS_SHOWN_MAX]:
            unit, name = result.units.get(level.sku, EACH), catalogue.known_name(level.sku)
            print_line(out, f"  {sentence(level, True, unit, name)}")
            if level.counted_at is not None and message.time < level.counted_at:
                ctx.note(f"  This happened before the last count of {level.sku}, which included it: no change.")
        if len(result.levels) > LEVELS_SHOWN_MAX:
            ctx.note(f"... and {len(result.levels) - LEVELS_SHOWN_MAX} more: bopis stock show {message.subject}")
        if result.events is None:
            ctx.note("Sent; the outcome was not waited for.")

    ctx.print_result(document, render)


def _sender(ctx: CommandContext, options: SendOptions) -> tuple[Author, str | None]:
    """The author and the id of a message. Adjustments about one message of a shop have the same ones whoever sends
    them, so that the second of two people books nothing."""
    if not options.about:
        return author(ctx), options.message_id
    return msgspec.structs.replace(author(ctx), source=DRIFT_SOURCE), id_from(f"{DRIFT_SOURCE}/{options.about}")


def _checked_time(ctx: CommandContext, store: str, options: SendOptions) -> datetime | None:
    """When it happened. Raises `StoreUnknown` for an unknown store, so that a slip books nothing elsewhere."""
    ctx.require_log()
    try:
        with ctx.snapshot() as snapshot:
            about = None if options.new_store else known_or_stocked(snapshot, store)
    except StoreUnknown:
        ctx.note("To book in a store that is not known yet, add --new-store.")
        raise
    except ReadSideMissing:
        if not options.no_wait and not options.new_store:
            raise
        about = None
    if options.at is None:
        return None
    read = read_time(options.at, zone_of(about))
    if read.at > datetime.now(UTC):
        problem = f"{options.at!r} is in the future ({at_instant(read.at, zone_of(about))}); goods that will come are "
        raise InvalidInput(problem=problem + "announced: bopis stock expect.")
    if read.zone_assumed:
        ctx.note(f"Time taken as {read.at.isoformat(timespec='seconds')} ({zone_of(about)}).")
    return read.at.astimezone(UTC)


def _raise_if_refused(reply: Reply) -> None:
    refusals = CountRefused | ExpectationRefused | HoldCommandRefused
    refused = [event.data for event in reply.events if isinstance(event.data, refusals)]
    if refused:
        raise Conflict(cause="; ".join(event_sentence(event) for event in refused))


def _levels(engine: Engine, store: str, skus: list[str]) -> tuple[LevelAnswer, ...]:
    levels = []
    with reading(engine) as snapshot:
        for sku in dict.fromkeys(skus):
            try:
                levels.append(level_of(snapshot, store, sku, datetime.now(UTC)))
            except CommandError:  # a message that moved nothing leaves no level behind
                continue
    return tuple(levels)


def _event_row(message: Message, units: Mapping[str, str]) -> dict[str, Any]:
    kind = INVENTORY_EVENTS.type_name(type(message.data))
    return {
        "id": message.id,
        "type": kind,
        "said": event_sentence(message.data, units),
        "data": msgspec.to_builtins(message.data),
    }
