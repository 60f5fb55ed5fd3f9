"""What `bopis up` prints for people: one line for each process as it becomes ready, ends or is given up.

Events, library messages and what the processes print go to a log file, which is named.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from bopis.adapters.supervision import ChildStatus
from streams.process.supervisor import ChildState

LOG_FILE = "up.log"
LOG_BYTES_MAX = 16 << 20
SHOWN_AS = {"broker": "log"}


class TerminalReport:
    """Prints the changes of processes to a terminal."""

    def __init__(self, out: TextIO, log_file: Path) -> None:
        self._out = out
        self._log_file = log_file
        self._began: dict[str, float] = {}
        self._states: dict[str, str] = {}

    def begin(self) -> None:
        """Name the log file."""
        self._print(f"Starting; details are in {self._log_file}")

    def changed(self, status: ChildStatus) -> None:
        """Print a change of a process's state that a person should see."""
        former, self._states[status.name] = self._states.get(status.name), status.state
        if status.state == former:
            return
        name = SHOWN_AS.get(status.name, status.name)
        cause = ": ".join(part for part in (status.cause, status.last_error) if part)
        match status.state:
            case ChildState.STARTING:
                self._began[status.name] = time.monotonic()
            case ChildState.READY:
                now_s = time.monotonic()
                seconds = now_s - self._began.get(status.name, now_s)
                again = " again" if status.restarts else ""
                self._print(f"  {name} is ready{again} ({seconds:.1f} s)")
            case ChildState.BACKING_OFF | ChildState.FAILING:
                self._print(f"  {name} ended ({cause}); it is started again")
            case ChildState.GAVE_UP:
                self._print(f"  {name} does not run: {cause}")

    def _print(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


@contextmanager
def errors_to(log_file: Path) -> Iterator[None]:
    """Write everything that this process and its children print to standard error to a file."""
    if log_file.exists() and log_file.stat().st_size > LOG_BYTES_MAX:
        log_file.replace(log_file.with_suffix(".log.1"))
    sys.stderr.flush()
    terminal = os.dup(2)
    with log_file.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
