"""Serve the embedded log in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from bopis.broker.clock import RecordClock, system_ms
from bopis.broker.errors import BrokerError
from bopis.broker.files import LOG_FILE
from bopis.broker.limits import BrokerLimits
from bopis.broker.server import EmbeddedBroker
from bopis.broker.storage.database import check_whole, open_writer
from bopis.broker.storage.directory_lock import DirectoryLock

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
# CPython's default of 5 ms delays the loop after each commit by a thread that holds the interpreter.
_THREAD_SWITCH_SECONDS = 0.001


def run(
    data_dir: Path,
    port: int = 0,
    limits: BrokerLimits | None = None,
    as_json: bool = False,
    now_ms: RecordClock = system_ms,
) -> int:
    """Serve the log of this directory until SIGTERM or SIGINT; `now_ms` dates its records.

    Returns the exit code of the process.
    """
    sys.setswitchinterval(_THREAD_SWITCH_SECONDS)
    try:
        with DirectoryLock(data_dir) as lock, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            limits = limits or BrokerLimits()
            broker = EmbeddedBroker(data_dir / LOG_FILE, host=HOST, port=port, limits=limits, now_ms=now_ms)
            return runner.run(_serve(lock, broker, as_json))
    except BrokerError as error:
        _print_error(str(error), as_json)
        return error.exit_code
    except OSError as error:
        _print_error(f"The log in {data_dir} cannot be served: {error}.", as_json)
        return BrokerError.exit_code


def _print_error(text: str, as_json: bool) -> None:
    """Print an error, and with JSON repeat it on standard output for the supervisor, which shows it with the end."""
    print(text, file=sys.stderr)
    if as_json:
        print(json.dumps({"event": "error", "name": "log", "error": text}, separators=(",", ":")), flush=True)


def verify(data_dir: Path) -> int:
    """Read the whole log and check every batch while nothing serves it. Returns the exit code of the process."""
    try:
        with DirectoryLock(data_dir):
            path = data_dir / LOG_FILE
            connection = open_writer(path, BrokerLimits(start_check_bytes_max=0))
            try:
                check_whole(connection, path)
            finally:
                connection.close()
    except BrokerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except sqlite3.Error as error:
        print(f"The log file {path} cannot be read: {error}.", file=sys.stderr)
        return BrokerError.exit_code
    print(f"{path}: intact")
    return 0


async def _serve(lock: DirectoryLock, broker: EmbeddedBroker, as_json: bool) -> int:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await broker.start()
    try:
        address = lock.publish_address(HOST, broker.port)
        text = f"The embedded log listens on {HOST}:{broker.port}. It serves this machine only; Ctrl-C stops it."
        print(json.dumps(address) if as_json else text, flush=True)
        return await _run_until(stopped, broker)
    finally:
        await broker.stop()


async def _run_until(stopped: asyncio.Event, broker: EmbeddedBroker) -> int:
    """Wait for the request to stop; raises the error of a failed disk."""
    stop = asyncio.ensure_future(stopped.wait())
    failure = asyncio.ensure_future(broker.failed())
    await asyncio.wait({stop, failure}, return_when=asyncio.FIRST_COMPLETED)
    if failure.done():
        stop.cancel()
        raise failure.result()
    failure.cancel()
    return 0


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


def main(arguments: Sequence[str] | None = None, now_ms: RecordClock = system_ms) -> int:
    """The command line of `python -m bopis.broker`. Returns the exit code of the process."""
    parser = argparse.ArgumentParser(prog="python -m bopis.broker", description=__doc__)
    parser.add_argument("data_dir", type=Path, help="the directory of the log; created when missing")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 takes any free one")
    parser.add_argument("--json", action="store_true", help="print the ready line as JSON")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE", help="change one limit")
    parser.add_argument("--verify", action="store_true", help="read and check the whole log, then exit")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if given.verify:
        return verify(given.data_dir)
    try:
        limits = BrokerLimits().with_text(dict(text.split("=", 1) for text in given.limit))
    except ValueError as error:
        parser.error(str(error))
    return run(given.data_dir, given.port, limits, given.json, now_ms)
