"""Starting things: everything at once, single processors, the embedded log alone."""

import os
import sys
from typing import Annotated

import typer

from bopis.commands.errors import Conflict, PortTaken, Unavailable, Usage
from bopis.commands.shell import AsJson, Shell, open_shell

PROCESSORS = ("inventory", "orders", "routing", "notices", "notifier", "projection")
Port = Annotated[int | None, typer.Option("--port", help="Port of the embedded log; 0 takes a free one.")]


def up(context: typer.Context, port: Port = None, as_json: AsJson = False) -> None:
    """Start the embedded log, every processor and the read side; Ctrl-C stops them.

    One line says when everything is ready. With --broker kafka://HOST:PORT no log is started.
    """
    shell = open_shell(context, as_json)
    if port is not None:
        shell.flags["broker_port"] = port
    _check_free(shell)
    _become(shell, ["up", *(["--json"] if as_json else [])])


def worker(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Processors, for example: inventory.")],
    standby: Annotated[
        int | None, typer.Option(min=0, max=8, help="Warm copies that other workers keep of each partition.")
    ] = None,
    instance: Annotated[
        str | None, typer.Option(metavar="NAME", help="Lasting name of this worker; another one's name ends that one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start single processors on a log that runs elsewhere or under `bopis broker`.

    Started several times, the workers of one processor share its partitions. Give all of them the same --standby.
    """
    shell = open_shell(context, as_json)
    shell.flags |= {name: it for name, it in (("standby", standby), ("instance", instance)) if it is not None}
    unknown = [it for it in names if it not in PROCESSORS]
    if unknown:
        raise Usage(problem=f"No processor {unknown[0]!r}. There are: {', '.join(PROCESSORS)}.")
    shell.bootstrap  # noqa: B018  (says at once that no log runs)
    _become(shell, ["worker", *names, *(["--json"] if as_json else [])])


def broker(
    context: typer.Context,
    port: Port = None,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Change one limit of the log.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the embedded log alone: one machine, loopback only, the Kafka protocol."""
    from bopis.broker.limits import BrokerLimits
    from bopis.broker.main import run

    shell = open_shell(context, as_json)
    settings = shell.settings
    if not settings.embedded:
        raise Usage(problem=f"The log is {settings.broker}, not the embedded one; leave --broker out to start it.")
    pairs = dict(it.split("=", 1) for it in limit or () if "=" in it)
    if len(pairs) != len(limit or ()):
        raise Usage(problem="A limit is written NAME=VALUE, each name once.")
    try:
        limits = BrokerLimits().with_text(pairs)
    except ValueError as error:
        raise Usage(problem=error) from error
    code = run(settings.data_dir, settings.broker_port if port is None else port, limits, as_json)
    raise typer.Exit(code)


def _check_free(shell: Shell) -> None:
    """Say at once what would keep everything from starting, instead of trying again and again."""
    import socket

    from bopis.adapters.address import embedded_log, is_alive
    from bopis.adapters.supervision import supervisor_of

    settings = shell.settings
    running = supervisor_of(settings.data_dir)
    if running is not None:
        raise Conflict(cause=f"`bopis up` runs on {settings.data_dir} already, as process {running.pid}. Stop it first")
    if not settings.embedded:
        return
    found = embedded_log(settings.data_dir)
    if found is not None and is_alive(found.pid):
        raise Conflict(
            cause=f"a log runs on {settings.data_dir} already, as process {found.pid}. Stop it first, or start the "
            f"processors beside it: bopis worker inventory projection"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.broker_port))
        except OSError as error:
            raise PortTaken(port=settings.broker_port, cause=error.strerror) from error


def _become(shell: Shell, words: list[str]) -> None:
    """Become the streams program: signals and the exit code are then its own.

    Its settings come from the environment, so flags are passed on there.
    """
    shell.settings  # noqa: B018  (an unsound setting is told here, in one sentence)
    environment = os.environ | {f"BOPIS_{name.upper()}": str(value) for name, value in shell.flags.items()}
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(sys.executable, [sys.executable, "-m", "streams", *words], environment)
    except OSError as error:
        raise Unavailable(what=f"{sys.executable} ({error})", next="Install bopis again: make setup.") from error


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(worker)
    app.command()(broker)
