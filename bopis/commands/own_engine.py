"""The log and its processors, started for one piece of work and stopped at its end.

They run as their own program, ``python -m streams up``; this starts it, waits until it is ready, and ends it. Should
this process be killed, the kernel tells the program to end (Linux), and the next run waits until it has.
"""

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bopis.commands.errors import Unavailable

if TYPE_CHECKING:
    from bopis.commands.shell import Shell

READY_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
LOG_FILE = "engine.log"
OWNER_FILE = "engine.json"
LOG_TAIL_BYTES = 4_096
PR_SET_PDEATHSIG = 1


class Owner(msgspec.Struct, frozen=True):
    """Which process started the program that runs on a data directory, and which one that is."""

    owner: int
    engine: int


class OwnEngine:
    """A running log with its processors that belongs to this process."""

    def __init__(self, data_dir: Path, settings: Mapping[str, object]) -> None:
        self._data_dir = data_dir
        self._environment = os.environ | {f"BOPIS_{name.upper()}": str(it) for name, it in settings.items()}
        self._log = data_dir / LOG_FILE
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until it is ready. Raises `Unavailable`."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams", "up", "--json"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end it in our own time
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        owner = Owner(os.getpid(), self._process.pid)
        (self._data_dir / OWNER_FILE).write_bytes(msgspec.json.encode(owner))
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it: kindly, and after a while not so."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        (self._data_dir / OWNER_FILE).unlink(missing_ok=True)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        deadline = time.monotonic() + READY_SECONDS_MAX
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if not selector.select(POLL_SECONDS):
                    continue
                said += process.stdout.read() or b""
                if any(_is_ready(line) for line in said.split(b"\n")[:-1]):
                    return
                if process.poll() is not None:
                    raise self._failure(self._last_words())
        raise self._failure(f"not ready after {READY_SECONDS_MAX:g} s")

    def _failure(self, cause: str) -> Unavailable:
        return Unavailable(what=f"The log with its processors ({cause})", next=f"Look into {self._log}.")

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


@contextlib.contextmanager
def running(shell: "Shell") -> Iterator[None]:
    """See that the log and its processors run while this lasts: start them if none do, and stop those at the end."""
    from bopis.adapters.address import embedded_log
    from bopis.adapters.supervision import supervisor_of

    settings = shell.settings
    wait_for_orphan(settings.data_dir)
    found = [supervisor_of(settings.data_dir), embedded_log(settings.data_dir)]
    if not settings.embedded or any(it and _is_running(it.pid) for it in found):
        yield
        return
    shell.say(
        f"Nothing runs on {settings.data_dir}: the log and its processors are started for this, and stopped after."
    )
    engine = OwnEngine(settings.data_dir, {**shell.flags, "broker_port": 0})
    try:
        engine.start()
        yield
    finally:
        engine.stop()


def wait_for_orphan(data_dir: Path) -> None:
    """Wait until a program that belonged to a process that is gone has ended, telling it to."""
    try:
        found = msgspec.json.decode((data_dir / OWNER_FILE).read_bytes(), type=Owner)
    except (OSError, msgspec.MsgspecError):
        return
    if _is_running(found.owner):
        return
    deadline = time.monotonic() + STOP_SECONDS_MAX
    told = False
    while _is_engine(found.engine) and time.monotonic() < deadline:
        if not told:
            os.kill(found.engine, signal.SIGTERM)
            told = True
        time.sleep(POLL_SECONDS)
    (data_dir / OWNER_FILE).unlink(missing_ok=True)


def _is_engine(pid: int) -> bool:
    """Whether this is what was started, and not another process that was given its number since."""
    import psutil

    try:
        return _is_running(pid) and "streams" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def _is_running(pid: int) -> bool:
    """Whether a process runs under this number; one that ended and that nobody asked about does not."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _end_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_ready(line: bytes) -> bool:
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("event") == "ready"
