"""Messages of a till: check a file before it is sent, and list those that were refused."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import asdict
from rich.console import Console

from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import InvalidInput
from bopis.cli.app.render import counted, instant, iso, print_line, table
from bopis.domain.values import epoch_ms
from bopis.services.dead_letters import letters
from bopis.services.till_check import (
    CheckedMessage,
    check_messages,
    refusals_of,
    sender,
    sequence_notes,
    split_messages,
)
from bopis.tables.errors import TableNotOpened
from bopis.wire.text import explained

STANDARD_INPUT = "-"
PROBLEMS_SHOWN_MAX = 20


def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One message, or one per line; - is standard input.")],
    as_json: AsJson = False,
) -> None:
    """Check messages against their schemas, without sending them, and show the partition of each store.

    Examples:
        bopis till check sale.json
        bopis till check day.ndjson --json
    """
    ctx = open_context(context, as_json)
    messages = split_messages(_content(file))
    if not messages:
        raise InvalidInput(problem=f"{file} has no message. Write one JSON object, or one per line.")
    partitions = ctx.settings.partitions
    checked = check_messages(messages, partitions, epoch_ms(datetime.now(UTC)))
    notes = sequence_notes(messages)
    bad = [it for it in checked if it.problem]
    document = {
        "file": str(file),
        "messages": [asdict(it) for it in checked],
        "invalid": len(bad),
        "partitions": partitions,
        "notes": notes,
    }

    def render(out: Console) -> None:
        for it in bad[:PROBLEMS_SHOWN_MAX]:
            print_line(out, f"{file}:{it.line}: {it.problem}")
        if len(bad) > PROBLEMS_SHOWN_MAX:
            print_line(out, f"... and {len(bad) - PROBLEMS_SHOWN_MAX:,} more")
        print_line(out, f"{len(checked) - len(bad):,} of {counted(len(checked), 'message')} valid")
        for line in _places(checked, partitions):
            print_line(out, line)
        for note in notes:
            print_line(out, note)

    ctx.print_result(document, render)
    if bad:
        raise typer.Exit(InvalidInput.exit_code)


def refusals(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The till, as its messages name it.")],
    limit: Annotated[int, typer.Option(min=1, help="Messages at most.")] = 5,
    as_json: AsJson = False,
) -> None:
    """List the newest messages of a source that were refused, with the cause of each.

    Examples:
        bopis till refusals store-319/till-3
        bopis till refusals store-319/till-3 --limit 20 --json
    """
    ctx = open_context(context, as_json)
    with ctx.reader() as reader:
        every = letters(reader, ctx.settings.topic_prefix)
    found = refusals_of(every, source, limit)
    unreadable = sum(not sender(it) for it in every)
    rows = [
        {"dead_letter": it.name, "refused_at": iso(it.parked_ms), "state": it.state, "cause": it.cause} for it in found
    ]

    def render(out: Console) -> None:
        if found:
            grid = table("refused", "dead letter", "state", "cause")
            for it in found:
                grid.add_row(instant(it.parked_ms), it.name, it.state, explained(it.cause))
            out.print(grid)
        else:
            ctx.note(f"No message of {source} was refused.")
        if unreadable:
            ctx.note(f"{counted(unreadable, 'refused message')} name no source: see bopis dead-letters list.")

    ctx.print_result({"source": source, "refusals": rows, "without_source": unreadable}, render)


def _content(file: Path) -> bytes:
    if str(file) == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise TableNotOpened(name=str(file), cause=error.strerror) from error


def _places(checked: list[CheckedMessage], partitions: int) -> list[str]:
    """The partition of each store, and the number of its messages."""
    counts: dict[tuple[str, int], int] = {}
    for it in checked:
        if not it.problem:
            counts[it.store, it.partition] = counts.get((it.store, it.partition), 0) + 1
    return [
        f"store {store}: {counted(count, 'message')}, partition {partition} of {partitions} (key {store}, murmur2)"
        for (store, partition), count in sorted(counts.items())
    ]
