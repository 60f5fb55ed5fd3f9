"""Workers that are born quickly: forked from a process that has read all the code already.

Each is a process of its own with its own environment, as `python -m streams` would be, without the second that reading
the libraries takes; dozens of them are started here only to see what they lack.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

PRELOADED = (
    "faust.transport.drivers.aiokafka",
    "streams.__main__",
    "streams.inventory",
    "streams.projection",
    "streams.routing",
    "bopis.adapters.handshake",
    "bopis.readside.writer",
    "tests.security.nursery",
)


class Forked:
    """A forked worker, with what a test asks of a `subprocess.Popen`."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], talk: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        self._process = context.Process(target=live, args=(words, environment, str(talk)), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("forked worker", timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def live(words: tuple[str, ...], environment: dict[str, str], talk: str) -> None:
    """A whole life: the exit code is the program's own."""
    os.environ.clear()
    os.environ.update(environment)
    said = os.open(talk, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    from streams.__main__ import main

    sys.exit(main(words))
