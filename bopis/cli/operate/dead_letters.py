"""Dead letters: list, show, retry and discard messages that a processor could not process."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, CommandContext, NoWait, Yes, open_context
from bopis.cli.app.errors import Conflict, DeadLetterUnknown, Usage
from bopis.cli.app.render import counted, instant, iso, print_line, table
from bopis.names import DEAD_LETTER_MARKS_TOPIC
from bopis.services import dead_letters
from bopis.services.dead_letters import DeadLetter
from bopis.services.progress import decided_positions
from bopis.wire.text import explained

CAUSE_CHARACTERS = 100
POLL_SECONDS = 0.1
Names = Annotated[list[str], typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Names as listed.")]
EveryOpen = Annotated[bool, typer.Option("--all", help="All open dead letters.")]


def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those already retried or discarded.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the open dead letters, oldest first.

    Examples:
        bopis dead-letters list
        bopis dead-letters list --all --json
    """
    ctx = open_context(context, as_json)
    found = [letter for letter in _letters(ctx) if all_ or letter.mark is None]

    def render(out: Console) -> None:
        grid = table("dead letter", "parked", "store or key", "state", "cause")
        for letter in found:
            cause = explained(letter.cause)
            cause = cause if len(cause) <= CAUSE_CHARACTERS else cause[: CAUSE_CHARACTERS - 1] + "…"
            grid.add_row(letter.name, instant(letter.parked_ms), _text(letter.key), letter.state, cause)
        if found:
            out.print(grid)
            ctx.note("`bopis dead-letters show` shows one; then retry or discard it.")
        else:
            ctx.note("No open dead letters." if not all_ else "No dead letters.")

    ctx.print_result({"dead_letters": [_document(letter) for letter in found]}, render)


def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Name as listed.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: cause, origin, what was done about it, and its bytes.

    Examples:
        bopis dead-letters show stock/0/17
        bopis dead-letters show stock/0/17 --json
    """
    ctx = open_context(context, as_json)
    letter = _pick(_letters(ctx), [name])[0]

    def render(out: Console) -> None:
        for label, value in (
            ("dead letter", letter.name),
            ("cause", explained(letter.cause)),
            ("processor", letter.processor),
            ("key", _text(letter.key)),
            ("in the log since", instant(letter.recorded_ms)),
            ("parked", instant(letter.parked_ms)),
            ("state", letter.state),
        ):
            print_line(out, f"{label:<18}{value}")
        if letter.mark:
            print_line(out, f"{'handled by':<18}{letter.mark.actor}, {letter.mark.reason}")
        print_line(out, _text(letter.value))

    ctx.print_result(_document(letter) | {"value": _text(letter.value)}, render)


def retry(
    context: typer.Context,
    names: Names = [],  # noqa: B006  (Typer reads the default, nobody changes it)
    all_: EveryOpen = False,
    again: Annotated[bool, typer.Option("--again", help="Also those already retried or discarded.")] = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to their topic again, byte for byte; those that fail again become dead letters again.

    Examples:
        bopis dead-letters retry stock/0/17
        bopis dead-letters retry --all
    """
    ctx = open_context(context, as_json)
    chosen = _chosen(ctx, names, all_, again)
    sent: list[dict[str, str]] = []
    ctx.ensure_topic(DEAD_LETTER_MARKS_TOPIC)
    with ctx.publisher() as publisher:
        for letter in chosen:
            placed = dead_letters.retry(publisher, letter, ctx.actor, datetime.now(UTC))
            sent.append({"name": letter.name, "sent_as": f"{placed.topic}/{placed.partition}/{placed.offset}"})
    parked_again = {} if no_wait or not sent else _parked_again(ctx, {row["sent_as"] for row in sent})
    for row in sent:
        row["parked_again"] = parked_again.get(row["sent_as"], "")
    _report(ctx, sent, "sent again as")
    if parked_again:
        raise typer.Exit(Conflict.exit_code)


def discard(
    context: typer.Context,
    names: Names = [],  # noqa: B006  (as above)
    reason: Annotated[str, typer.Option(help="Why; kept with the dead letter.")] = "",
    all_: EveryOpen = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Discard dead letters, with a reason; `dead-letters list --all` still lists them.

    Examples:
        bopis dead-letters discard stock/0/17 --reason "typed twice"
        bopis dead-letters discard --all --reason "test data" --yes
    """
    ctx = open_context(context, as_json)
    if not reason.strip():
        raise Usage(problem="Give a reason with --reason TEXT; it is kept with the dead letter.")
    chosen = _chosen(ctx, names, all_, False)
    if chosen:
        ctx.confirm(f"discard {counted(len(chosen), 'dead letter')}", "not discarded", yes)
    ctx.ensure_topic(DEAD_LETTER_MARKS_TOPIC)
    with ctx.publisher() as publisher:
        for letter in chosen:
            dead_letters.discard(publisher, letter, ctx.actor, datetime.now(UTC), reason.strip())
    _report(ctx, [{"name": letter.name, "reason": reason.strip()} for letter in chosen], "discarded:")


def open_letters(ctx: CommandContext) -> list[DeadLetter]:
    """The dead letters that were neither retried nor discarded."""
    return [letter for letter in _letters(ctx) if letter.mark is None]


def _letters(ctx: CommandContext) -> list[DeadLetter]:
    with ctx.reader() as reader:
        return dead_letters.letters(reader, ctx.settings.topic_prefix)


def _chosen(ctx: CommandContext, names: list[str], every_open: bool, again: bool) -> list[DeadLetter]:
    if bool(names) == every_open:
        raise Usage(problem="Name dead letters as listed, or give --all for all open ones.")
    found = _letters(ctx)
    if every_open:
        return [letter for letter in found if letter.mark is None]
    chosen = _pick(found, names)
    handled = [letter for letter in chosen if letter.mark is not None]
    if handled and not again:
        states = ", ".join(f"{letter.name} was {letter.state}" for letter in handled)
        raise Conflict(cause=f"{states}. To repeat it: retry --again")
    return chosen


def _pick(found: list[DeadLetter], names: list[str]) -> list[DeadLetter]:
    by_name = {letter.name: letter for letter in found}
    for name in names:
        if name not in by_name:
            raise DeadLetterUnknown(name=name)
    return [by_name[name] for name in dict.fromkeys(names)]


def _parked_again(ctx: CommandContext, sent_as: set[str]) -> dict[str, str]:
    """Wait until sent messages are decided; returns the names and causes of those that are dead letters again."""
    give_up = time.monotonic() + ctx.settings.read_wait_seconds
    places = [(int(partition), int(offset)) for _, partition, offset in (name.rsplit("/", 2) for name in sent_as)]
    with ctx.reader() as reader:
        while time.monotonic() < give_up:
            decided = decided_positions(reader)
            if all(decided.get(partition, -1) >= offset for partition, offset in places):
                break
            time.sleep(POLL_SECONDS)
        else:
            ctx.note("Not decided yet; check with `bopis dead-letters list`.")
            return {}
    return {letter.name: letter.cause for letter in _letters(ctx) if letter.name in sent_as}


def _report(ctx: CommandContext, done: list[dict[str, str]], verb: str) -> None:
    def render(out: Console) -> None:
        for row in done:
            name, result, *_ = row.values()
            print_line(out, f"{name} {verb} {result}")
            if row.get("parked_again"):
                ctx.note(f"{result} is a dead letter again: {row['parked_again']}")
        if not done:
            ctx.note("No open dead letters.")

    ctx.print_result({"dead_letters": done}, render)


def _document(letter: DeadLetter) -> dict[str, Any]:
    mark = letter.mark
    return {
        "name": letter.name,
        "state": letter.state,
        "cause": letter.cause,
        "processor": letter.processor,
        "key": _text(letter.key),
        "recorded_at": iso(letter.recorded_ms),
        "parked_at": iso(letter.parked_ms),
        "bytes": len(letter.value),
        "handled": None if mark is None else {"by": mark.actor, "at": mark.at.isoformat(), "reason": mark.reason},
    }


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")
