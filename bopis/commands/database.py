"""The tables of the read side: made, checked, built anew from the log."""

import time

import typer

from bopis.commands.errors import SchemaDiffers
from bopis.commands.shell import AsJson, Yes, open_shell

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
    """Empty the tables and fill them again from the log, from its beginning.

    The projection may run meanwhile or not. Answers are incomplete until it is done; tills and orders go on, for
    nothing but reading depends on these tables.
    """
    from bopis.commands.rebuilding import FEEDS, empty, refill

    shell = open_shell(context, as_json)
    with shell.reader() as reader:
        starts, ends = reader.start_offsets(FEEDS), reader.end_offsets(FEEDS)
        records = sum(ends[it] - starts[it] for it in ends)
        shell.confirm(f"empty the read side and build it anew from {records} records", yes)
        began = time.monotonic()
        with shell.engine(create=True) as engine:
            empty(engine)
            read = refill(shell, engine, reader, (starts, ends))
    seconds = round(time.monotonic() - began, 1)
    shell.answer(
        {"records": read, "seconds": seconds},
        lambda out: out.print(f"Built anew from {read} records in {seconds} s", soft_wrap=True),
    )


def register(root: typer.Typer) -> None:
    root.add_typer(db, name="db")
    root.add_typer(readside, name="readside")
