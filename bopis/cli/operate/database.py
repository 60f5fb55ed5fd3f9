"""The tables of the read side: upgrade, check, grant a reader."""

from pathlib import Path
from typing import Annotated

import typer

from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import SchemaDiffers
from bopis.cli.app.readside import password_of, role_errors, shown_url
from bopis.cli.app.render import counted, print_line
from bopis.readside import migrate, roles


def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Upgrade the tables to this version, as `bopis up` does.

    Examples:
        bopis db upgrade
        bopis db upgrade --database postgresql+psycopg://bopis@db/bopis
    """
    ctx = open_context(context, as_json)
    with ctx.engine(create=True) as engine:
        version = migrate.upgrade(engine)
    url = shown_url(ctx.settings, create=True)
    ctx.print_result({"version": version, "database": url}, lambda out: print_line(out, f"{url} is at {version}"))


def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare the tables with those of this version; exit code 1 when they differ.

    Examples:
        bopis db check
        bopis db check --json
    """
    ctx = open_context(context, as_json)
    with ctx.engine() as engine:
        differences = migrate.check(engine)
    if differences and not as_json:
        raise SchemaDiffers(differences="; ".join(differences))
    ctx.print_result({"differences": differences}, lambda out: print_line(out, "The tables are those of this version."))
    if differences:
        raise typer.Exit(1)


def grant_reader(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="Name of the PostgreSQL role; created if it does not exist.")],
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with the role's password, and nothing else.")
    ] = None,
    statement_seconds_max: Annotated[
        int, typer.Option(min=1, max=86_400, metavar="SECONDS", help="Longest statement of the role.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Let a PostgreSQL role read the tables of the read side and nothing else, for dashboards and reports.

    Without a password the server must authenticate the role by other means. Run it as the role that upgrades the
    tables; run it again to change the password or the limit. Then set database_reader to the role's URL.

    Examples:
        bopis db grant-reader dashboard --password-file dashboard.pw
        bopis db grant-reader dashboard --statement-seconds-max 120
    """
    ctx = open_context(context, as_json)
    password = password_of(password_file)
    with ctx.engine(create=True) as engine, role_errors():
        granted = roles.grant_reader(engine, role, password, statement_seconds_max)
    text = f"{role} {'was created and ' if granted.created else ''}may read {counted(granted.tables, 'table')}"
    ctx.print_result(
        {**granted._asdict(), "statement_seconds_max": statement_seconds_max},
        lambda out: print_line(out, f"{text}, and nothing else"),
    )
