"""Dead letters at the keyboard: look at what could not be taken, send it again or give it up."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import Conflict, DeadLetterUnknown, Usage
from bopis.commands.saying import NoWait
from bopis.commands.shell import AsJson, Shell, Yes, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.services.dead_letters import DeadLetter

CAUSE_CHARACTERS = 100
POLL_SECONDS = 0.1
NAMES = Annotated[list[str], typer.Argument(metavar="TOPIC/PARTITION/OFFSET...", help="Which ones, as listed.")]
EVERY_OPEN = Annotated[bool, typer.Option("--all", help="Every open one.")]

app = typer.Typer(help="Messages that no processor could take.", no_args_is_help=True)


@app.command("list")
def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were retried or discarded.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the dead letters that nobody has dealt with, oldest first."""
    shell = open_shell(context, as_json)
    found = [it for it in _letters(shell) if all_ or it.mark is None]

    def render(out: "Console") -> None:
        from bopis.commands.tables import instant, plain, table

        grid = table("dead letter", "parked", "store or key", "state", "cause")
        for it in found:
            cause = it.cause if len(it.cause) <= CAUSE_CHARACTERS else it.cause[: CAUSE_CHARACTERS - 1] + "…"
            grid.add_row(it.name, instant(it.parked_ms), plain(_text(it.key)), it.state, plain(cause))
        if found:
            out.print(grid)
            shell.say("Look at one with `bopis dead-letters show`, then retry or discard it.")
        else:
            shell.say("No dead letters are open." if not all_ else "There are no dead letters.")

    shell.answer({"dead_letters": [_document(it) for it in found]}, render)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Which one, as listed.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its cause, where it came from, what was done about it, and its bytes."""
    shell = open_shell(context, as_json)
    letter = _pick(_letters(shell), [name])[0]

    def render(out: "Console") -> None:
        from bopis.commands.tables import instant, plain

        for label, value in (
            ("dead letter", letter.name),
            ("cause", letter.cause),
            ("processor", letter.processor),
            ("key", _text(letter.key)),
            ("in the log since", instant(letter.recorded_ms)),
            ("parked", instant(letter.parked_ms)),
            ("state", letter.state),
        ):
            out.print(plain(f"{label:<18}{value}"), soft_wrap=True)
        if letter.mark:
            out.print(plain(f"{'handled by':<18}{letter.mark.actor}, {letter.mark.reason}"), soft_wrap=True)
        out.print(plain(_text(letter.value)), soft_wrap=True)

    shell.answer(_document(letter) | {"value": _text(letter.value)}, render)


@app.command()
def retry(
    context: typer.Context,
    names: NAMES = [],  # noqa: B006  (Typer reads the default, nobody changes it)
    all_: EVERY_OPEN = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that were dealt with before.")] = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to their topic again, byte for byte; what cannot be taken is parked anew."""
    from bopis.services.dead_letters import retry as send_again

    shell = open_shell(context, as_json)
    chosen = _chosen(shell, names, all_, again)
    sent: list[dict[str, str]] = []
    _make_marks(shell)
    with shell.publisher() as publisher:
        for letter in chosen:
            placed = send_again(publisher, letter, shell.actor, datetime.now(UTC))
            sent.append({"name": letter.name, "sent_as": f"{placed.topic}/{placed.partition}/{placed.offset}"})
    again_parked = {} if no_wait or not sent else _parked_again(shell, {it["sent_as"] for it in sent})
    for it in sent:
        it["parked_again"] = again_parked.get(it["sent_as"], "")
    _report(shell, sent, "sent again as")
    if again_parked:
        raise typer.Exit(Conflict.exit_code)


@app.command()
def discard(
    context: typer.Context,
    names: NAMES = [],  # noqa: B006  (as above)
    reason: Annotated[str, typer.Option(help="Why; it is kept with the dead letter.")] = "",
    all_: EVERY_OPEN = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give dead letters up, for a reason; they stay readable with `list --all`."""
    from bopis.services.dead_letters import discard as give_up

    shell = open_shell(context, as_json)
    if not reason.strip():
        raise Usage(problem="Say why with --reason TEXT; it is kept with the dead letter.")
    chosen = _chosen(shell, names, all_, False)
    if chosen:
        shell.confirm(f"discard {len(chosen)} dead letter{'s' if len(chosen) > 1 else ''}", yes)
    _make_marks(shell)
    with shell.publisher() as publisher:
        for letter in chosen:
            give_up(publisher, letter, shell.actor, datetime.now(UTC), reason.strip())
    _report(shell, [{"name": it.name, "reason": reason.strip()} for it in chosen], "discarded:")


def open_letters(shell: Shell) -> list["DeadLetter"]:
    """The dead letters that nobody has dealt with."""
    return [it for it in _letters(shell) if it.mark is None]


def _letters(shell: Shell) -> list["DeadLetter"]:
    from bopis.services.dead_letters import letters

    with shell.reader() as reader:
        return letters(reader, shell.settings.topic_prefix)


def _chosen(shell: Shell, names: list[str], every_open: bool, again: bool) -> list["DeadLetter"]:
    if bool(names) == every_open:
        raise Usage(problem="Name dead letters as listed, or say --all for every open one.")
    found = _letters(shell)
    if every_open:
        return [it for it in found if it.mark is None]
    chosen = _pick(found, names)
    handled = [it for it in chosen if it.mark is not None]
    if handled and not again:
        told = ", ".join(f"{it.name} was {it.state}" for it in handled)
        raise Conflict(cause=f"{told}. To do it once more: retry --again")
    return chosen


def _pick(found: list["DeadLetter"], names: list[str]) -> list["DeadLetter"]:
    by_name = {it.name: it for it in found}
    for name in names:
        if name not in by_name:
            raise DeadLetterUnknown(name=name)
    return [by_name[name] for name in dict.fromkeys(names)]


def _make_marks(shell: Shell) -> None:
    """The topic of marks is made when the first mark is."""
    from bopis.adapters.topics import TopicKeeper
    from bopis.services.dead_letters import MARKS_TOPIC
    from bopis.topics.known import plans

    with shell.reader() as reader:
        there = bool(reader.end_offsets([MARKS_TOPIC]))
    if not there:
        with shell.admin() as admin:
            TopicKeeper(admin).create(plans(shell.settings, [MARKS_TOPIC]))


def _parked_again(shell: Shell, sent_as: set[str]) -> dict[str, str]:
    """Wait until what was sent is decided; returns what of it was parked again, and why."""
    from bopis.services.progress import decided_positions

    give_up = time.monotonic() + shell.settings.read_wait_seconds
    places = [(int(partition), int(offset)) for _, partition, offset in (it.rsplit("/", 2) for it in sent_as)]
    with shell.reader() as reader:
        while time.monotonic() < give_up:
            decided = decided_positions(reader)
            if all(decided.get(partition, -1) >= offset for partition, offset in places):
                break
            time.sleep(POLL_SECONDS)
        else:
            shell.say("Not decided yet; look again with `bopis dead-letters list`.")
            return {}
    return {it.name: it.cause for it in _letters(shell) if it.name in sent_as}


def _report(shell: Shell, done: list[dict[str, str]], words: str) -> None:
    def render(out: "Console") -> None:
        for it in done:
            name, result, *_ = it.values()
            out.print(f"{name} {words} {result}", markup=False, soft_wrap=True)
            if it.get("parked_again"):
                shell.say(f"{result} was parked again: {it['parked_again']}")
        if not done:
            shell.say("No dead letters are open.")

    shell.answer({"dead_letters": done}, render)


def _document(letter: "DeadLetter") -> dict[str, Any]:
    from bopis.commands.tables import iso

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


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="dead-letters")
