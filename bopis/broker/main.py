"""Run the embedded log in the foreground until it is told to stop."""

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

from bopis.broker.database import check_whole, open_writer
from bopis.broker.errors import EXIT_FAILED, BrokerError
from bopis.broker.limits import BrokerLimits
from bopis.broker.ownership import LOG_FILE, Ownership
from bopis.broker.server import EmbeddedBroker

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
# How long the loop may wait for another thread of ours that holds the interpreter.
_SWITCH_SECONDS = 0.001


def run(data_dir: Path, port: int = 0, limits: BrokerLimits | None = None, as_json: bool = False) -> int:
    """Serve the log of this directory until SIGTERM or SIGINT. Returns the process's exit code."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with Ownership(data_dir) as ownership, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(ownership, port, limits or BrokerLimits(), as_json))
    except BrokerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"The log in {data_dir} cannot be served: {error}.", file=sys.stderr)
        return EXIT_FAILED


def verify(data_dir: Path) -> int:
    """Read the whole log and check every batch. The log must not be served meanwhile."""
    try:
        with Ownership(data_dir):
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
        return EXIT_FAILED
    print(f"{path}: sound")
    return 0


async def _serve(ownership: Ownership, port: int, limits: BrokerLimits, as_json: bool) -> int:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    broker = EmbeddedBroker(ownership.directory / LOG_FILE, host=HOST, port=port, limits=limits)
    await broker.start()
    try:
        note = ownership.announce(HOST, broker.port)
        words = f"The embedded log listens on {HOST}:{broker.port}. It serves this machine only; Ctrl-C stops it."
        print(json.dumps(note) if as_json else words, flush=True)
        return await _until(asked, broker)
    finally:
        await broker.stop()


async def _until(asked: asyncio.Event, broker: EmbeddedBroker) -> int:
    stop = asyncio.ensure_future(asked.wait())
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `python -m bopis.broker`."""
    parser = argparse.ArgumentParser(prog="python -m bopis.broker", description=__doc__)
    parser.add_argument("data_dir", type=Path, help="the directory of the log; made if it is not there")
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
    return run(given.data_dir, given.port, limits, given.json)
