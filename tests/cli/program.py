"""Running the program: in this process for most questions, as a process of its own where signals matter."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import cli

READY_SECONDS_MAX = 240.0
STOP_SECONDS_MAX = 60.0
LOG_SETTINGS = ("BOPIS_BROKER", "BOPIS_TOPIC_PREFIX", "BOPIS_MASTER_KEY")


class Answer:
    """What a command said, and how it left."""

    def __init__(self, result: Any) -> None:
        self.code: int = result.exit_code
        self.out: str = result.stdout
        self.err: str = result.stderr
        self.fault = result.exception if not isinstance(result.exception, SystemExit) else None

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


def run(*words: str, **environment: str) -> Answer:
    """One command in this process; it may not leave with anything but an exit code."""
    answer = Answer(CliRunner().invoke(cli.app, list(words), env=environment))
    assert answer.fault is None, answer.fault
    return answer


class Installation:
    """A running `bopis up` on a directory of its own."""

    def __init__(self, home: Path, *words: str, **environment: str) -> None:
        self.home = home
        # Commands must look at the same log with the same key; other settings are those of its processes alone.
        self._log = {name: environment[name] for name in LOG_SETTINGS if name in environment}
        self.err = home.with_suffix(".err")
        with self.err.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "up", "--data-dir", str(home), "--port", "0", "--json", *words],
                stdout=subprocess.PIPE,
                stderr=errors,
                # Whatever the time of day in its stores, notices leave at once.
                # A process less: what HTTP does is tested in tests/web.
                env=clean_environment(BOPIS_WEB_ENABLED="false") | {"BOPIS_NOTICE_QUIET_HOURS": ""} | environment,
                cwd=Path(cli.__file__).parent,
            )
        self.ready = self._await_ready()

    def __call__(self, *words: str, **environment: str) -> Answer:
        """One command on this installation, with patience for a machine that does much else."""
        environment = {"BOPIS_READ_WAIT_SECONDS": "60"} | self._log | environment
        return run(*words, "--data-dir", str(self.home), **environment)

    def ask(self, *words: str) -> Any:
        """The document of a command that succeeds."""
        answer = self(*words, "--json")
        assert answer.code == 0, answer.err + answer.out
        return answer.document

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ask it to stop as a person or a service manager does; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()

    def _await_ready(self) -> Any:
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        give_up = time.monotonic() + READY_SECONDS_MAX
        said = b""
        while b"\n" not in said:
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.process.kill()
                self.process.wait()
                self.process.stdout.close()
                raise AssertionError(f"not ready: {self.err.read_text()[-3000:]}")
            said += self.process.stdout.read() or b""
            time.sleep(0.02)
        return json.loads(said.splitlines()[0])


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BOPIS_")} | more
