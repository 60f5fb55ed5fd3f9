"""The ``bopis`` program: one group of commands per thing that people work with.

Each command parses its words, asks one service or query, and prints one table or, with ``--json``, one document.
"""

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from bopis.commands import (
    board,
    catalogue,
    checking,
    config,
    database,
    dead_letters,
    demo,
    doctor,
    kpi,
    notices,
    orders,
    pickup,
    privacy,
    replay,
    routing,
    running,
    status,
    stock,
    stores,
    topics,
)
from bopis.commands.group import Program
from bopis.commands.shell import Shell

app = typer.Typer(
    name="bopis",
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Global options may also stand at the end of the line. Every command knows --help.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("bopis"))
        raise typer.Exit


@app.callback()
def program(
    context: typer.Context,
    data_dir: Annotated[Path | None, typer.Option(help="Where the embedded log and the read side are kept.")] = None,
    broker: Annotated[str | None, typer.Option(help="'embedded', or kafka://HOST:PORT for Apache Kafka.")] = None,
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL of the read side.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Put before every topic's name.")] = None,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask; fail where a yes is needed.")] = False,
    version: Annotated[  # noqa: ARG001  (its callback acts)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Buy online, pick up in store: exact stock from real till sales, on the last unit."""
    flags = {"data_dir": data_dir, "broker": broker, "database": database, "topic_prefix": prefix}
    context.obj = Shell(flags, no_input)


for group in (
    demo,
    replay,
    running,
    stock,
    stores,
    catalogue,
    orders,
    pickup,
    board,
    notices,
    routing,
    kpi,
    privacy,
    status,
    checking,
    doctor,
    topics,
    dead_letters,
    database,
    config,
):
    group.register(app)

if __name__ == "__main__":
    app()
