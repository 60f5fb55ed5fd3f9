"""The embedded log as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.engines.forks import PIPE, Process, fork

STOP_SECONDS = 10.0
# Background work comes often, so that a test sees it within a second.
QUICK = ("retention_interval_seconds=0.2", "compaction_interval_seconds=0.2")
ROOT = Path(__file__).parents[2]


class EmbeddedEngine:
    """`python -m bopis.broker` on a directory of its own."""

    name = "embedded"
    processes = 1
    small_steps: Mapping[str, str] = {}
    # Where the program is imported from.
    root = ROOT
    # The module that serves the log, and its first arguments.
    program: tuple[str, ...] = ("bopis.broker",)

    def __init__(self, directory: Path, limits: tuple[str, ...] = QUICK, listen: int = 0) -> None:
        self.directory = directory
        self._limits = limits
        self._port = 0
        self.listens_at = listen
        # Put into the process's environment at its next start.
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | Process | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        limits = [part for limit in self._limits for part in ("--limit", limit)]
        return [
            sys.executable,
            "-m",
            *self.program,
            str(self.directory),
            "--json",
            "--port",
            str(self.listens_at or self._port),
            *limits,
        ]

    def start(self) -> dict[str, Any]:
        """Start it, on the port it had before if it had one, and wait until it listens."""
        if self._process is not None and self._process.poll() is None:
            return {}
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(self.root), "PYTHONUNBUFFERED": "1"}
        if self.root == ROOT:
            self._process = fork(self.command()[2:], stdout=PIPE, env=environment, cwd=self.root, text=False)
        else:
            self._process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, env=environment, cwd=self.root)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the log did not start (exit code {self._process.wait()})"
        note: dict[str, Any] = json.loads(line)
        self._port = note["port"]
        return note

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self, process: int = 0) -> None:
        """End it without any warning."""
        assert process == 0
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it if it runs, and start it again where it was."""
        self.stop()
        self.start()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def suspend(self, process: int = 0) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self, process: int = 0) -> None:
        self.signal(signal.SIGCONT)

    def freeze(self, seconds: float) -> None:
        self.suspend()
        time.sleep(seconds)
        self.resume()

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
