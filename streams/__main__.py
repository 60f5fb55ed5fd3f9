"""``python -m streams worker NAME…`` and ``python -m streams up``: what ``bopis worker`` and ``bopis up`` run."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from bopis.access.roles import Role
from bopis.adapters.program import log_to_stderr, print_json, settings_of_program
from bopis.adapters.supervision import STATE_FILE, ChildStatus, check_writable
from bopis.errors import BopisError, DatabaseUnreachable, DatabaseUrlInvalid
from bopis.names import PROCESSORS
from bopis.settings import Settings
from streams.clock import system_ms
from streams.process.compose import bootstrap, run_processor
from streams.process.supervisor import Child, ChildState, Supervisor
from streams.process.terminal import LOG_FILE, TerminalReport, errors_to
from streams.workers.worker import WorkerReady

READY = '"event":"ready"'
# The process that serves HTTP, among the children of `bopis up`.
WEB = "web"
READY_SUFFIX = ".ready"


class Programs(NamedTuple):
    """The command lines that a supervisor starts its children with, and the clock that a worker goes by.

    A child's arguments are appended: the name of a processor, or the data directory of the log. The clock holds for
    this process alone; children get theirs by their command line.
    """

    worker: tuple[str, ...] = (sys.executable, "-m", "streams", "worker")
    broker: tuple[str, ...] = (sys.executable, "-m", "bopis.broker")
    now_ms: Callable[[], int] = system_ms
    web: tuple[str, ...] = (sys.executable, "-m", "bopis.web")


def main(arguments: Sequence[str] | None = None, programs: Programs = Programs()) -> int:
    """Parse, compose, run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m streams", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    worker = verbs.add_parser("worker", help="run processors; one in this process, several under a supervisor")
    worker.add_argument("names", nargs="+", choices=PROCESSORS)
    up = verbs.add_parser("up", help="run the log, when it is the embedded one, and every processor")
    for verb in (worker, up):
        verb.add_argument("--json", action="store_true", help="print that it is ready as one JSON line")
    given = parser.parse_args(arguments)
    settings = settings_of_program()
    if isinstance(settings, int):
        return settings
    is_child = given.json and given.verb == "worker" and len(given.names) == 1
    log_to_stderr(settings.log_level, (_repeat_error,) if is_child else ())
    names = tuple(given.names) if given.verb == "worker" else PROCESSORS
    try:
        if given.verb == "worker" and len(names) == 1:
            return _run_one(names[0], settings, programs, as_json=given.json)
        children = [_worker(name, programs) for name in names]
        if given.verb == "up" and settings.embedded:
            children.insert(0, _log(settings, programs))
        if given.verb == "up" and settings.web_enabled:
            children.append(_web(programs))
        return _supervise(settings, children, as_json=given.json)
    except BopisError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code


def _run_one(name: str, settings: Settings, programs: Programs, *, as_json: bool) -> int:
    """Run one processor in this process. A file in the data directory marks that its tables are loaded, for probes."""
    mark = settings.data_dir / f"{name}{READY_SUFFIX}"

    def ready(report: WorkerReady) -> None:
        _print_ready(report, as_json)
        # On Apache Kafka a worker may have no data directory; then nobody asks.
        with suppress(OSError):
            mark.touch()

    with suppress(OSError):
        mark.unlink()  # of a process that was killed
    try:
        return run_processor(name, settings, ready, programs.now_ms)
    finally:
        with suppress(OSError):
            mark.unlink()


def _supervise(settings: Settings, children: Sequence[Child], *, as_json: bool) -> int:
    check_writable(settings.data_dir)
    names = [child.name for child in children]
    if "projection" in names:
        _migrate(settings)
    report = TerminalReport(sys.stdout, settings.data_dir / LOG_FILE) if sys.stdout.isatty() and not as_json else None
    supervisor = Supervisor(
        children,
        settings.data_dir / STATE_FILE,
        all_ready=lambda statuses: _print_all_ready(settings, statuses, as_json),
        changed=None if report is None else report.changed,
    )
    # Children read the same settings: the flags of `bopis up` are in the environment already.
    if report is None:
        return asyncio.run(supervisor.run())
    report.begin()
    with errors_to(settings.data_dir / LOG_FILE):
        return asyncio.run(supervisor.run())


def _worker(name: str, programs: Programs) -> Child:
    command = (*programs.worker, name, "--json")
    return Child(name=name, command=command, ready_mark=READY, is_forked=True)


def _log(settings: Settings, programs: Programs) -> Child:
    # A log that is started again must come back under the same address, so a free port is chosen once.
    port = settings.broker_port or _free_port()
    command = (*programs.broker, str(settings.data_dir), "--port", str(port), "--json")
    return Child(name="broker", command=command, ready_mark='"port"', essential=True, is_forked=True)


def _web(programs: Programs) -> Child:
    command = (*programs.web, "--json")
    return Child(name=WEB, command=command, ready_mark=READY, is_forked=True, imports=("bopis.web.__main__",))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _migrate(settings: Settings) -> None:
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    from bopis.readside.engine import connect, shown
    from bopis.readside.errors import UrlUnsupported
    from bopis.readside.migrate import upgrade_or_rebuild

    try:
        engine = connect(settings.database_url)
    except UrlUnsupported as error:
        raise DatabaseUrlInvalid(cause=f"{error.facts['url']} is neither SQLite nor PostgreSQL") from error
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise DatabaseUrlInvalid(cause=error) from error
    except OSError as error:
        raise DatabaseUnreachable(url=shown(settings.database_url), cause=error.strerror or error) from error
    try:
        aside = upgrade_or_rebuild(engine, datetime.now(UTC))
        if aside is not None:
            print(f"The read side was damaged; it is kept as {aside} and built again from the log.", file=sys.stderr)
    except DBAPIError as error:
        cause = " ".join(str(error.orig).split())
        raise DatabaseUnreachable(url=shown(settings.database_url), cause=cause) from error
    finally:
        engine.dispose()


def _print_ready(ready: WorkerReady, as_json: bool) -> None:
    rows = sum(ready.rows.values())
    if as_json:
        print_json(event="ready", name=ready.processor, rows=rows, seconds=ready.seconds)
    else:
        print(f"{ready.processor} is ready: {rows} rows recovered in {ready.seconds} s", flush=True)


def _print_all_ready(settings: Settings, statuses: Sequence[ChildStatus], as_json: bool) -> None:
    address = bootstrap(settings)
    running = [it.name for it in statuses if it.state == ChildState.READY]
    absent = {it.name: it.last_error or it.cause or it.state for it in statuses if it.name not in running}
    web, link = _web_links(settings) if WEB in running else (None, None)
    if as_json:
        print_json(
            event="ready", pid=os.getpid(), bootstrap=address, processors=running, not_running=absent, web=web,
            sign_in=link,
        )  # fmt: skip
        return
    pages = f"; web at {web}; sign in once with {link}" if web else ""
    print(f"bopis is ready: {', '.join(running)}; log at {address}; data in {settings.data_dir}{pages}", flush=True)
    for name, cause in absent.items():
        print(f"not running: {name}: {cause}", flush=True)


def _web_links(settings: Settings) -> tuple[str | None, str | None]:
    """The address of the web process, and a link that signs in there once as an operator."""
    from bopis.adapters.secrets.sign_in_links import SignInLinks
    from bopis.adapters.secrets.vault import open_vault
    from bopis.adapters.web_process import web_address

    web = web_address(settings)
    if web is None:
        return None, None
    with closing(open_vault(settings)) as vault:
        name = os.environ.get("BOPIS_ACTOR", "operator")
        return web, SignInLinks(vault.session_key).url(web, name, Role.HQ_OPERATOR)


def _repeat_error(_logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Print an error to standard output, too: one JSON line for the supervisor, which shows it with the exit code."""
    if method == "error":
        facts = ", ".join(f"{key} {value}" for key, value in event.items() if key != "event")
        cause = f"{event.get('event')}: {event.get('error') or facts}"
        print_json(event="error", name=str(event.get("event")), error=cause)
    return event


if __name__ == "__main__":
    # SIGPIPE stays ignored, as Python has it: a log that resets a connection must not end the process.
    sys.exit(main())
