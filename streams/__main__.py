"""``python -m streams worker NAME…`` and ``python -m streams up``: what ``bopis worker`` and ``bopis up`` run."""

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Sequence

import structlog

from bopis.adapters.errors import AdapterError
from bopis.settings import Settings, load
from streams.compose import SHORT_NAMES, bootstrap, run_processor
from streams.errors import StreamError
from streams.supervisor import Child, Supervisor
from streams.worker import Ready

STATE_FILE = "up.json"
READY = '"event":"ready"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, compose, run; the exit code is the answer."""
    parser = argparse.ArgumentParser(prog="python -m streams", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    worker = verbs.add_parser("worker", help="run processors; one in this process, several under a supervisor")
    worker.add_argument("names", nargs="+", choices=SHORT_NAMES)
    up = verbs.add_parser("up", help="run the log, when it is the embedded one, and every processor")
    for verb in (worker, up):
        verb.add_argument("--json", action="store_true", help="say that it is ready as one JSON line")
    given = parser.parse_args(arguments)
    settings = load()
    _log_to_stderr(settings.log_level, repeat_errors=given.json and given.verb == "worker" and len(given.names) == 1)
    names = tuple(given.names) if given.verb == "worker" else SHORT_NAMES
    try:
        if given.verb == "worker" and len(names) == 1:
            return run_processor(names[0], settings, lambda ready: _tell_worker(ready, given.json))
        return _supervise(settings, names, with_log=given.verb == "up" and settings.embedded, as_json=given.json)
    except (StreamError, AdapterError) as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _supervise(settings: Settings, names: Sequence[str], *, with_log: bool, as_json: bool) -> int:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if "projection" in names:
        _migrate(settings)
    children = [_worker(name) for name in names]
    if with_log:
        children.insert(0, _log(settings))
    supervisor = Supervisor(
        children,
        settings.data_dir / STATE_FILE,
        all_ready=lambda: _tell_all(settings, [child.name for child in children], as_json),
    )
    # Children find the log and the tables by the same settings; flags came as environment already.
    return asyncio.run(supervisor.run())


def _worker(name: str) -> Child:
    command = (sys.executable, "-m", "streams", "worker", name, "--json")
    return Child(name=name, command=command, ready_words=READY)


def _log(settings: Settings) -> Child:
    # A log that is started anew must come back under the same address, so a free port is chosen once.
    port = settings.broker_port or _free_port()
    command = (sys.executable, "-m", "bopis.broker", str(settings.data_dir), "--port", str(port), "--json")
    return Child(name="broker", command=command, ready_words='"port"', essential=True)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _migrate(settings: Settings) -> None:
    from bopis.readside.engine import connect
    from bopis.readside.migrate import upgrade

    engine = connect(settings.database_url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _tell_worker(ready: Ready, as_json: bool) -> None:
    rows = sum(ready.rows.values())
    if as_json:
        _say(event="ready", name=ready.processor, rows=rows, seconds=ready.seconds)
    else:
        print(f"{ready.processor} is ready: {rows} rows recovered in {ready.seconds} s", flush=True)


def _tell_all(settings: Settings, names: Sequence[str], as_json: bool) -> None:
    address = bootstrap(settings)
    if as_json:
        _say(event="ready", pid=os.getpid(), bootstrap=address, processors=list(names))
    else:
        print(f"bopis is ready: {', '.join(names)}; log at {address}; data in {settings.data_dir}", flush=True)


def _say(**told: object) -> None:
    print(json.dumps(told, separators=(",", ":")), flush=True)


def _repeat_error(_logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An error also goes to standard output, as one JSON line for the supervisor, which tells it with the exit code."""
    if method == "error":
        words = str(event.get("error") or ", ".join(f"{key} {it}" for key, it in event.items() if key != "event"))
        _say(event="error", name=str(event.get("event")), error=f"{event.get('event')}: {words}")
    return event


def _log_to_stderr(level: str, *, repeat_errors: bool) -> None:
    """Talk goes to stderr: on a terminal what needs a person, pretty; elsewhere every event, one JSON object a line."""
    least = logging.getLevelNamesMapping()[(level or ("warning" if sys.stderr.isatty() else "info")).upper()]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    shown: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        shown = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            *([_repeat_error] if repeat_errors else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    # SIGPIPE stays ignored, as Python has it: a log that resets a connection must not end the process.
    sys.exit(main())
