"""Processes that tests start by forking: real ones, which may be killed, without importing everything once more."""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from bopis.adapters.supervision import end_with_parent
from streams.process.fork_server import (
    MESSAGE_BYTES_MAX,
    Started,
    decode_reply,
    pair,
    request_of,
    send_request,
    server_command,
)

ROOT = Path(__file__).parents[2]
# The server ends with the thread that started it, so this thread lives as long as the tests.
STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fork-starter")
PIPE = subprocess.PIPE


class Process:
    """One process, with what tests use of `subprocess.Popen`."""

    def __init__(self, forks: Forks, stdout: IO[Any] | None) -> None:
        self._forks = forks
        self.pid = 0
        self.stdout = stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        self._forks.pump(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended. Raises `subprocess.TimeoutExpired`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = 1.0 if end is None else min(1.0, end - time.monotonic())
            if left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._forks.pump(left)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[Any, None]:
        """What is left of its output, when it has ended."""
        self.wait(timeout)
        left = self.stdout.read() if self.stdout is not None else None
        if self.stdout is not None:
            self.stdout.close()
        return left, None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """The connection to one fork server. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._number = 0
        self._waiting: dict[int, Process] = {}
        self._errors: dict[int, str] = {}
        self._running: dict[int, Process] = {}
        self._connection, theirs = pair()
        with theirs:
            command = server_command(theirs.fileno())
            self._server = STARTER.submit(self._start, command, theirs.fileno()).result()

    @staticmethod
    def _start(command: list[str], descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=(descriptor,), start_new_session=True,
            # Where `tests` can be imported, whatever the directory of the test that needs the server first.
            cwd=ROOT, preexec_fn=end_with_parent(signal.SIGKILL),
        )  # fmt: skip

    def start(
        self,
        words: Sequence[str],
        *,
        stdout: int | IO[Any],
        stderr: IO[Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: object = None,
        text: bool = True,
    ) -> Process:
        """Run ``python -m WORDS``. The output goes to a file, or is `Process.stdout` with `PIPE`."""
        out, reading = self._output(stdout, text=text)
        nothing = os.open(os.devnull, os.O_RDWR)
        process = Process(self, reading)
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = process
            target = 2 if stderr is None else stderr.fileno()
            request = request_of(number, words, env or dict(os.environ), cwd)
            send_request(self._connection, request, (nothing, out, target))
        os.close(nothing)
        if stdout is PIPE or stdout == PIPE:
            os.close(out)
        while not process.pid:
            self.pump(1.0)
            assert number not in self._errors, self._errors[number]
            assert self._server.poll() is None, "the fork server has ended"
        return process

    @staticmethod
    def _output(stdout: int | IO[Any], *, text: bool) -> tuple[int, IO[Any] | None]:
        if not isinstance(stdout, int):
            return stdout.fileno(), None
        assert stdout == PIPE
        reading, writing = os.pipe()
        return writing, os.fdopen(reading, "r" if text else "rb")

    def pump(self, seconds: float) -> None:
        """Take what the server reports, waiting so long for the first."""
        with self._lock:
            while select.select([self._connection], [], [], seconds)[0]:
                seconds = 0
                data = self._connection.recv(MESSAGE_BYTES_MAX)
                assert data, "the fork server has ended"
                reply = decode_reply(data)
                if isinstance(reply, Started):
                    process = self._waiting.pop(reply.number)
                    if reply.error:
                        self._errors[reply.number] = reply.error
                    else:
                        process.pid = reply.pid
                        self._running[reply.pid] = process
                elif reply.pid in self._running:
                    self._running.pop(reply.pid).returncode = reply.code

    def close(self) -> None:
        """End the server."""
        self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        self._server.wait(10)


_forks: Forks | None = None
_opening = threading.Lock()


def fork(words: Sequence[str], **options: Any) -> Process:
    """Run ``python -m WORDS`` as a real process, forked from one that has the libraries; see `Forks.start`."""
    global _forks
    with _opening:
        if _forks is None:
            _forks = Forks()
            atexit.register(_forks.close)
    return _forks.start(words, **options)
