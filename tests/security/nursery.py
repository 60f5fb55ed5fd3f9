"""Workers that start quickly: forked from a process that has imported all the code already.

Each is a process of its own with its own environment, as `python -m streams` would be, without the second that
importing the libraries takes; dozens of them are started here only to see which right they lack.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import wait
from pathlib import Path

PRELOADED = (
    "faust.transport.drivers.aiokafka",
    "streams.__main__",
    "streams.processors.inventory",
    "streams.workers.projection",
    "streams.workers.routing",
    "bopis.adapters.handshake",
    "bopis.readside.writer",
    "tests.security.nursery",
)
# The fork server sends each exit code once. `Process.start()` polls every child of this process, so two threads may
# read one child's code: the second finds the pipe at its end, and `multiprocessing.popen_forkserver` then puts 255 in
# place of the code that the first one read. Everything that polls takes this lock.
_POLLING = threading.Lock()


class Forked:
    """A forked worker, with what a test asks of a `subprocess.Popen`."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], talk: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        self._process = context.Process(target=live, args=(words, environment, str(talk)), daemon=True)
        with _POLLING:
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        with _POLLING:
            return self._process.exitcode

    def wait(self, timeout: float) -> int:
        # Waiting reads nothing, so it needs no lock.
        wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("forked worker", timeout)
        return code

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def live(words: tuple[str, ...], environment: dict[str, str], talk: str) -> None:
    """A whole life: the exit code is the program's own."""
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(talk, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    from streams.__main__ import main

    sys.exit(main(words))
