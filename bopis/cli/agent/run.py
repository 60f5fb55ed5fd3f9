"""`bopis agent run`: start the agent of a store."""

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from bopis.adapters.address import remote_address
from bopis.adapters.agent_process import (
    AgentOptions,
    Folder,
    GrowingFile,
    HttpsOptions,
    KafkaOptions,
    Sources,
    as_file,
    read_sources,
)
from bopis.adapters.security import security_of
from bopis.adapters.supervision import check_writable
from bopis.cli.agent.directory import agent_directory, journal_limits
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import SettingsBroken, Unavailable, Usage
from bopis.services.till_files.errors import MappingInvalid
from bopis.services.till_files.of_store import mapping_of_folder, mapping_of_growing_file
from bopis.settings import Settings

# Shorter than other programs wait: the agent has everything on its disk, and tries again.
TIMEOUT_SECONDS_MAX = 15.0


def run(
    context: typer.Context,
    store: Annotated[str | None, typer.Option(metavar="STORE", help="The store; default: agent_store.")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port of the loopback for tills; 0 takes a free one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the agent of a store until Ctrl-C: tills, drop folders, the journal, and the way to the centre.

    Everything that comes in is on this machine's disk before it is acknowledged, and is sent when the centre can be
    reached: over HTTPS (agent_url), or to the log itself. Log lines are JSON on standard error.

    Examples:
        bopis agent run --store 319
        bopis agent run --store 319 --port 0 --data-dir /var/lib/bopis
    """
    ctx = open_context(context, as_json)
    ctx.flags |= {name: value for name, value in (("agent_store", store), ("agent_port", port)) if value is not None}
    if not ctx.settings.agent_store:
        raise Usage(problem="Name the store: bopis agent run --store STORE, or set agent_store.")
    options = _options(ctx)
    check_writable(options.directory)
    file = as_file(options)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(sys.executable, [sys.executable, "-m", "store_agent", "--options", file])
    except OSError as error:
        raise Unavailable(what=f"{sys.executable} ({error})", next="Install bopis again: make setup.") from error


def _options(ctx: CommandContext) -> AgentOptions:
    settings = ctx.settings
    return AgentOptions(
        store=settings.agent_store,
        directory=agent_directory(settings).absolute(),
        version=metadata.version("bopis"),
        port=settings.agent_port,
        limits=journal_limits(settings),
        sources=_sources(settings.agent_sources, settings.agent_store),
        kafka=None if settings.agent_url else _kafka(settings),
        https=_https(settings) if settings.agent_url else None,
        timeout_seconds=min(settings.publish_timeout_seconds, TIMEOUT_SECONDS_MAX),
        heartbeat_seconds=settings.agent_heartbeat_seconds,
        ledger_seconds=settings.agent_ledger_minutes * 60,
        poll_seconds=settings.agent_poll_seconds,
        settle_seconds=settings.agent_settle_seconds,
        copy_seconds=settings.agent_copy_seconds,
        offline_hours=settings.agent_offline_hours,
    )


def _kafka(settings: Settings) -> KafkaOptions:
    return KafkaOptions(
        bootstrap="" if settings.embedded else remote_address(settings.broker),
        embedded_in=settings.data_dir.absolute() if settings.embedded else None,
        prefix=settings.topic_prefix,
        security=security_of(settings),
    )


def _https(settings: Settings) -> HttpsOptions:
    if settings.agent_key_file is None:
        raise SettingsBroken(problems="agent_key_file: agent_url needs the file with the API key of this store")
    return HttpsOptions(
        url=settings.agent_url, key_file=settings.agent_key_file.absolute(), ca_file=settings.agent_ca_file
    )


def _sources(file: Path | None, store: str) -> Sources:
    """The sources of the agent, whose mappings fit its store. Raises `SettingsBroken`."""
    if file is None:
        return Sources()
    try:
        sources = read_sources(file.read_bytes())
    except OSError as error:
        raise SettingsBroken(problems=f"agent_sources: {file}: {error.strerror or error}") from error
    except ValueError as error:
        raise SettingsBroken(problems=f"agent_sources: {file}: {error}") from error
    every: tuple[Folder | GrowingFile, ...] = (*sources.folder, *sources.file)
    for source in every:
        check = mapping_of_folder if isinstance(source, Folder) else mapping_of_growing_file
        try:
            if source.mapping:
                check(source.mapping, store)
        except MappingInvalid as error:
            raise SettingsBroken(problems=f"agent_sources: {file}: mapping of {source.name}: {error}") from error
    return sources
