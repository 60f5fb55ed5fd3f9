"""`bopis up` and `bopis worker`: start everything, or single processors."""

import os
import socket
import sys
from typing import Annotated

import typer

from bopis.adapters.address import embedded_log, is_alive, remote_address
from bopis.adapters.notices.brand import brand_of, check_templates
from bopis.adapters.secrets.vault import check_master_key
from bopis.adapters.supervision import check_writable, supervisor_of
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import Conflict, PortTaken, SettingsBroken, Unavailable, Usage
from bopis.cli.app.readside import shown_url
from bopis.names import PROCESSORS
from bopis.services.routing.errors import RulesUnreadable
from bopis.services.routing.rules_file import read_rules
from bopis.settings import Settings, source_of

Port = Annotated[
    int | None, typer.Option("--port", metavar="PORT", help="Port of the embedded log; 0 takes a free one.")
]


def up(context: typer.Context, port: Port = None, as_json: AsJson = False) -> None:
    """Start the embedded log, every processor, the read side, API and pages; Ctrl-C stops them.

    One line is printed when everything is ready, with the address of the pages and a link to sign in once. With
    --broker kafka://HOST:PORT no log is started; with web_enabled = false no API and no pages are served.

    Examples:
        bopis up
        bopis up --data-dir /var/lib/bopis --port 0
    """
    ctx = open_context(context, as_json)
    if port is not None:
        ctx.flags["broker_port"] = port
    _check_startable(ctx)
    _become(ctx, ["up", *(["--json"] if as_json else [])])


def worker(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME", help=f"Processors: {', '.join(PROCESSORS)}.")],
    standby: Annotated[
        int | None,
        typer.Option(min=0, max=8, metavar="COPIES", help="Warm copies of each partition kept by other workers."),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Lasting name of this worker; a running worker of that name ends."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start single processors on a log that runs elsewhere or under `bopis broker`.

    The workers of one processor share its partitions. Give all of them the same --standby.

    Examples:
        bopis worker inventory projection
        bopis worker orders --instance orders-1 --standby 1
    """
    ctx = open_context(context, as_json)
    ctx.flags |= {name: value for name, value in (("standby", standby), ("instance", instance)) if value is not None}
    unknown = [name for name in names if name not in PROCESSORS]
    if unknown:
        raise Usage(problem=f"No processor {unknown[0]!r}. Processors are: {', '.join(PROCESSORS)}.")
    ctx.require_log()
    _become(ctx, ["worker", *names, *(["--json"] if as_json else [])])


def _check_startable(ctx: CommandContext) -> None:
    """Check what would keep everything, or a part of it, from starting. Raises the error of the first that would."""
    settings = ctx.settings
    supervisor = supervisor_of(settings.data_dir)
    if supervisor is not None:
        raise Conflict(
            cause=f"`bopis up` already runs on {settings.data_dir} as process {supervisor.pid}. Stop it first"
        )
    check_writable(settings.data_dir)
    shown_url(settings, create=True)
    if not settings.embedded:
        remote_address(settings.broker)
        return
    check_master_key(settings)
    _check_files(settings)
    log = embedded_log(settings.data_dir)
    if log is not None and is_alive(log.pid):
        raise Conflict(
            cause=f"a log already runs on {settings.data_dir} as process {log.pid}. Stop it first, or start the "
            f"processors beside it: bopis worker inventory projection"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.broker_port))
        except OSError as error:
            raise PortTaken(port=settings.broker_port, cause=error.strerror) from error


def _check_files(settings: Settings) -> None:
    """Raise `SettingsBroken` or `ChannelMisconfigured` for files of routing and of notices that cannot be used."""
    for name in ("routing_rules", "routing_candidate_rules"):
        try:
            read_rules(getattr(settings, name))
        except RulesUnreadable as error:
            problems = f"{name} (from {source_of({}, name)}): {error.facts['file']}: {error.facts['cause']}"
            raise SettingsBroken(problems=problems) from error
    check_templates(settings.notice_templates)
    brand_of(settings)


def _become(ctx: CommandContext, words: list[str]) -> None:
    """Replace this process by the streams program: signals and the exit code are then its own.

    Its settings come from the environment, so flags are passed on there.
    """
    _ = ctx.settings  # raises for a setting that is not valid, before the process is replaced
    environment = os.environ | {f"BOPIS_{name.upper()}": str(value) for name, value in ctx.flags.items()}
    environment["BOPIS_ACTOR"] = ctx.actor
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(sys.executable, [sys.executable, "-m", "streams", *words], environment)
    except OSError as error:
        raise Unavailable(what=f"{sys.executable} ({error})", next="Install bopis again: make setup.") from error
