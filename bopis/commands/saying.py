"""Saying something about stock: check, publish, wait until it is seen, tell what came of it."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bopis.commands.conclusions import in_words
from bopis.commands.errors import CommandError, Conflict, NotSeenInTime, Parked, ReadSideMissing, StoreUnknown
from bopis.commands.shell import Shell

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from bopis.domain.inventory.messages import Command, Report
    from bopis.readside.queries.answers import LevelAnswer
    from bopis.services.desk import Sent
    from bopis.services.outcomes import Outcome

POLL_SECONDS = 0.02
POLL_SECONDS_MAX = 0.2
LEVELS_TOLD_MAX = 20

At = Annotated[str | None, typer.Option("--time", help="When it happened, in the store's zone; default now.")]
Id = Annotated[str | None, typer.Option("--id", help="Id of the message; the same id and time is taken once.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is decided and readable.")]
NewStore = Annotated[bool, typer.Option("--new-store", help="The store may be one that was never heard of.")]


class Manner(NamedTuple):
    """How something is said: when it happened, under which id, and whether the answer is waited for."""

    at: str | None = None
    message_id: str | None = None
    no_wait: bool = False
    new_store: bool = False


class Told(NamedTuple):
    """What came of it."""

    sent: "Sent"
    outcome: "Outcome | None"
    levels: "tuple[LevelAnswer, ...]"


def say(shell: Shell, store: str, body: "Report | Command", skus: list[str], manner: Manner) -> Told:
    """Publish one message about a store and wait for what comes of it.

    Raises `Parked` when it was not taken and `Conflict` when it was refused; both only after it was decided.
    """
    from bopis.adapters.log import require
    from bopis.services.desk import STOCK_TOPIC
    from bopis.services.outcomes import Outcomes

    at = _checked(shell, store, manner)
    with shell.reader() as reader, shell.publisher() as publisher:
        require(reader.end_offsets([STOCK_TOPIC]), STOCK_TOPIC)
        desk = _desk(shell, publisher)
        message = desk.compose(store, body, at, manner.message_id)
        if manner.no_wait:
            return Told(desk.send(message), None, ())
        outcomes = Outcomes(reader)
        try:
            sent = desk.send(message)
        except Exception as error:
            if getattr(error, "exit_code", 0) == NotSeenInTime.exit_code:
                shell.say(f"To repeat it safely: --id {message.id} --time {message.time.isoformat()}")
            raise
        with shell.engine() as engine:
            wait_until_seen(shell, engine, sent)
            outcome = outcomes.of(sent)
            _raise_if_refused(sent, outcome)
            return Told(sent, outcome, _levels(engine, store, skus))


def wait_until_seen(shell: Shell, engine: "Engine", sent: "Sent") -> None:
    """Wait until history and levels hold a message; raises `NotSeenInTime`."""
    from bopis.readside import queries

    placed = sent.placed

    def is_seen() -> bool:
        seen = {it.topic: it for it in queries.positions(engine) if it.partition == placed.partition}
        told, rows = seen.get("stock"), seen.get("inventory-levels")
        decided = rows.source_position if rows else None
        return told is not None and decided is not None and min(told.position, decided) >= placed.offset

    wait_until(shell, is_seen, f"{placed.topic}/{placed.partition}/{placed.offset}, id {sent.message.id}")


def wait_until(shell: Shell, is_seen: Callable[[], bool], where: str) -> None:
    """Ask again and again; raises `NotSeenInTime` when it takes longer than the settings allow."""
    patience = shell.settings.read_wait_seconds
    give_up = time.monotonic() + patience
    pause = POLL_SECONDS
    while not is_seen():
        if time.monotonic() > give_up:
            raise NotSeenInTime(where=where, seconds=patience)
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS_MAX)


def answer(shell: Shell, words: str, told: Told) -> None:
    """Print what was said, what followed, and where the SKUs stand now."""
    from bopis.commands.levels import sentence
    from bopis.commands.tables import iso

    message, placed = told.sent.message, told.sent.placed
    events = [] if told.outcome is None else [_event(it) for it in told.outcome.events]
    document = {
        "id": message.id,
        "store": message.subject,
        "time": message.time,
        "recorded_at": iso(placed.timestamp_ms),
        "partition": placed.partition,
        "offset": placed.offset,
        "waited": told.outcome is not None,
        "events": events,
        "levels": told.levels,
    }

    def render(out: "Console") -> None:
        out.print(f"{words} (id {message.id})", markup=False, soft_wrap=True)
        for it in events:
            out.print(f"! {it['said']}", markup=False, soft_wrap=True)
        for level in told.levels[:LEVELS_TOLD_MAX]:
            out.print(f"  {sentence(level, True)}", markup=False, soft_wrap=True)
            if level.counted_at is not None and message.time < level.counted_at:
                shell.say(f"  It happened before the newest count of {level.sku}, which had seen it: the count stands.")
        if len(told.levels) > LEVELS_TOLD_MAX:
            shell.say(f"... and {len(told.levels) - LEVELS_TOLD_MAX} more: bopis stock show {message.subject}")
        if told.outcome is None:
            shell.say("Not waited for: it will be decided when its turn comes.")

    shell.answer(document, render)


def _checked(shell: Shell, store: str, manner: Manner) -> datetime | None:
    """When it happened. Raises for a store that was never heard of, so that a slip books nothing elsewhere."""
    from bopis.commands.stock_read import known_or_stocked, zone_of
    from bopis.commands.times import read_time

    shell.bootstrap  # noqa: B018  (says at once that no log runs)
    try:
        with shell.engine() as engine:
            about = None if manner.new_store else known_or_stocked(engine, store)
    except StoreUnknown:
        shell.say("To book on a store that was never heard of, give --new-store.")
        raise
    except ReadSideMissing:
        if not manner.no_wait and not manner.new_store:
            raise
        about = None
    if manner.at is None:
        return None
    read = read_time(manner.at, zone_of(about))
    if read.zone_assumed:
        shell.say(f"Time taken as {read.at.isoformat(timespec='seconds')} ({zone_of(about)}).")
    return read.at.astimezone(UTC)


def _desk(shell: Shell, publisher: Any) -> Any:
    from bopis.services.desk import Desk

    return Desk(publisher, shell.source, shell.actor, lambda: datetime.now(UTC), lambda: str(uuid.uuid4()))


def _raise_if_refused(sent: "Sent", outcome: "Outcome") -> None:
    from bopis.domain.inventory.events import CountRefused, ExpectationRefused, HoldCommandRefused

    placed = sent.placed
    if outcome.parked is not None:
        raise Parked(cause=outcome.parked, name=f"{placed.topic}/{placed.partition}/{placed.offset}")
    refusals = CountRefused | ExpectationRefused | HoldCommandRefused
    refused = [it.data for it in outcome.events if isinstance(it.data, refusals)]
    if refused:
        raise Conflict(cause="; ".join(in_words(it) for it in refused))


def _levels(engine: "Engine", store: str, skus: list[str]) -> "tuple[LevelAnswer, ...]":
    from bopis.commands.stock_read import level_of

    levels = []
    for sku in dict.fromkeys(skus):
        try:
            levels.append(level_of(engine, store, sku, datetime.now(UTC)))
        except CommandError:  # a message that moved nothing leaves no level behind
            continue
    return tuple(levels)


def _event(message: Any) -> dict[str, Any]:
    import msgspec

    from bopis.wire.stock import INVENTORY_EVENTS

    kind = INVENTORY_EVENTS.type_name(type(message.data))
    return {"id": message.id, "type": kind, "said": in_words(message.data), "data": msgspec.to_builtins(message.data)}
