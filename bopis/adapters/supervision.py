"""Processes that belong to another process: the state file of the supervisor, and an end together with the parent."""

import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bopis.adapters.address import is_alive
from bopis.errors import DirectoryUnusable

STATE_FILE = "up.json"
PR_SET_PDEATHSIG = 1  # Source: Linux, prctl(2)


class ChildStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process that the supervisor keeps running. `cause` is the meaning of its last exit code."""

    name: str
    state: str = "unknown"
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    since_ms: int = 0
    cause: str = ""
    last_error: str = ""


class SupervisorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor and its children."""

    pid: int
    children: tuple[ChildStatus, ...] = ()


def write_status(state_file: Path, children: Iterable[ChildStatus]) -> None:
    """Write the status of this process's children; readers see the whole file or the earlier one, never half."""
    status = SupervisorStatus(pid=os.getpid(), children=tuple(children))
    state_file.parent.mkdir(parents=True, exist_ok=True)
    draft = state_file.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(status))
    draft.replace(state_file)


def read_status(state_file: Path) -> SupervisorStatus:
    """The status that a supervisor wrote. Raises `OSError` and `msgspec.MsgspecError`."""
    return msgspec.json.decode(state_file.read_bytes(), type=SupervisorStatus)


def supervisor_of(data_dir: Path) -> SupervisorStatus | None:
    """The supervisor that runs on a data directory, None when none does."""
    try:
        status = read_status(data_dir / STATE_FILE)
    except (OSError, msgspec.MsgspecError):
        return None
    return status if is_alive(status.pid) else None


def check_writable(folder: Path) -> None:
    """Make a directory and write to it. Raises `DirectoryUnusable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DirectoryUnusable(folder=folder, cause=error.strerror or error) from error


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """A `preexec_fn` for a child that is sent a signal when this process is killed; None where the system cannot.

    Linux sends the signal when the *thread* that started the child ends: start the child from a thread that lives as
    long as the process.
    """
    if sys.platform != "linux":
        return None
    # Loaded before the fork: the child of a process with threads may not load libraries.
    libc, parent = ctypes.CDLL(None), os.getpid()

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(128 + number)  # The parent was killed before the line above.

    return before_exec
