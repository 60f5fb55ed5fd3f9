"""The tables of the read side: made, checked, built anew from the log."""

import time
from pathlib import Path
from typing import Annotated

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
    url = shown_url(shell.settings, create=True)
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


@db.command("grant-reader")
def grant_reader(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="Name of the PostgreSQL role; it is made if it is not there.")],
    password_file: Annotated[
        Path | None, typer.Option(help="A file that holds the role's password, and nothing else.")
    ] = None,
    statement_seconds_max: Annotated[
        int, typer.Option(min=1, max=86_400, help="A statement of the role ends after this.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Let a PostgreSQL role read the tables of the read side and nothing else, for dashboards and reports.

    Without a password the server must know the role by other means. Run it as the role that upgrades the tables;
    again to change the password or the limit. Then give the role's URL as the setting database_reader.
    """
    from bopis.commands.readside_access import password_of, roles_told
    from bopis.readside.roles import grant_reader as grant

    shell = open_shell(context, as_json)
    password = password_of(password_file)
    with shell.engine(create=True) as engine, roles_told():
        granted = grant(engine, role, password, statement_seconds_max)
    verb = "made and may" if granted.created else "may"
    shell.answer(
        {**granted._asdict(), "statement_seconds_max": statement_seconds_max},
        lambda out: out.print(f"{role} {verb} read {granted.tables} tables, and nothing else", soft_wrap=True),
    )


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
