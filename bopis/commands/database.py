"""The tables of the read side: made, checked, built anew from the log."""

import time
from typing import TYPE_CHECKING

import typer

from bopis.commands.errors import NotRebuilt, SchemaDiffers
from bopis.commands.shell import AsJson, Shell, Yes, open_shell

if TYPE_CHECKING:
    from sqlalchemy import Engine

POLL_SECONDS = 0.2
STALL_SECONDS_MAX = 60.0
FEEDS = ("stock", "inventory-levels", "stores")

db = typer.Typer(help="The tables of the read side.", no_args_is_help=True)
readside = typer.Typer(help="The copy of the log that is made for reading.", no_args_is_help=True)


@db.command()
def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the tables to this version; `bopis up` does it, too."""
    from bopis.commands.readside_access import shown_url
    from bopis.readside import migrate

    shell = open_shell(context, as_json)
    with shell.engine(create=True) as engine:
        version = migrate.upgrade(engine)
    url = shown_url(shell.settings)
    shell.answer({"version": version, "database": url}, lambda out: out.print(f"{url} is at {version}", soft_wrap=True))


@db.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare the tables with what this version needs; exit code 1 when they differ."""
    from bopis.readside import migrate

    shell = open_shell(context, as_json)
    with shell.engine() as engine:
        differences = migrate.check(engine)
    if differences and not as_json:
        raise SchemaDiffers(differences="; ".join(differences))
    shell.answer(
        {"differences": differences},
        lambda out: out.print("The tables are as this version needs them.", soft_wrap=True),
    )
    if differences:
        raise typer.Exit(1)


@readside.command()
def rebuild(context: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Drop the tables and let the projection fill them again from the log, from its beginning.

    Answers are incomplete meanwhile. Orders and tills go on: nothing but reading depends on these tables.
    """
    from bopis.readside import migrate

    shell = open_shell(context, as_json)
    with shell.reader() as reader:
        ends = reader.end_offsets(FEEDS)
        starts = reader.start_offsets(FEEDS)
    records = sum(ends[it] - starts[it] for it in ends)
    shell.confirm(f"drop the read side and build it anew from {records} records", yes)
    began = time.monotonic()
    with shell.engine(create=True) as engine:
        migrate.drop(engine)
        migrate.upgrade(engine)
        _follow(shell, engine, {it: (starts[it], end) for it, end in ends.items()})
    seconds = round(time.monotonic() - began, 1)
    shell.answer(
        {"records": records, "seconds": seconds},
        lambda out: out.print(f"Built anew from {records} records in {seconds} s", soft_wrap=True),
    )


def _follow(shell: Shell, engine: "Engine", spans: dict[tuple[str, int], tuple[int, int]]) -> None:
    """Show how far the projection is until it has reached where the log ended when this began."""
    from bopis.commands.progress import bar
    from bopis.readside import queries

    total = sum(end - start for start, end in spans.values())
    reached, heard = 0, time.monotonic()
    with bar(shell, "building", total) as advance:
        while reached < total:
            seen = {(it.topic, it.partition): it.position + 1 for it in queries.positions(engine)}
            now = sum(max(0, min(seen.get(it, start), end) - start) for it, (start, end) in spans.items())
            if now > reached:
                advance(now - reached)
                reached, heard = now, time.monotonic()
            elif time.monotonic() - heard > STALL_SECONDS_MAX:
                raise NotRebuilt(seconds=int(STALL_SECONDS_MAX), reached=reached, total=total)
            time.sleep(POLL_SECONDS if reached < total else 0)


def register(root: typer.Typer) -> None:
    root.add_typer(db, name="db")
    root.add_typer(readside, name="readside")
