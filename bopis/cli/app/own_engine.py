"""The log and its processors, started for one piece of work and stopped at its end.

They run as their own program, ``python -m streams up`` unless a caller names another one; this starts it, waits until
it is ready, and ends it. If this process is killed, the kernel ends the program (Linux), and the next run waits for
that.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import psutil

from bopis.adapters.address import embedded_log
from bopis.adapters.supervision import end_with_parent, supervisor_of
from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import Unavailable

READY_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
LOG_FILE = "engine.log"
OWNER_FILE = "engine.json"
LOG_TAIL_BYTES = 4_096
STREAMS = ("streams",)


class Owner(msgspec.Struct, frozen=True):
    """Which process started the program that runs on a data directory, which one that is, and its module."""

    owner: int
    engine: int
    module: str = STREAMS[0]


class OwnEngine:
    """A log with its processors that belongs to this process. ``program`` is a module and its first arguments."""

    def __init__(self, data_dir: Path, settings: Mapping[str, object], program: tuple[str, ...] = STREAMS) -> None:
        self._data_dir = data_dir
        self._program = program
        self._environment = os.environ | {f"BOPIS_{name.upper()}": str(it) for name, it in settings.items()}
        self._log = data_dir / LOG_FILE
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until it is ready. Raises `Unavailable`."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._program, "up", "--json"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end it in our own time
                preexec_fn=end_with_parent(),
            )
        owner = Owner(os.getpid(), self._process.pid, self._program[0])
        (self._data_dir / OWNER_FILE).write_bytes(msgspec.json.encode(owner))
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it: by SIGTERM, after a while by SIGKILL."""
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

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        deadline = time.monotonic() + READY_SECONDS_MAX
        output = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if not selector.select(POLL_SECONDS):
                    continue
                output += process.stdout.read() or b""
                if any(_is_ready(line) for line in output.split(b"\n")[:-1]):
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
        return next((line.strip() for line in reversed(lines) if line.strip()), "no output")


@contextlib.contextmanager
def running(ctx: CommandContext, program: tuple[str, ...] = STREAMS) -> Iterator[None]:
    """Start the log and its processors by ``program`` if none run, and stop those at the end. Raises `Unavailable`."""
    settings = ctx.settings
    wait_for_orphan(settings.data_dir)
    found = [supervisor_of(settings.data_dir), embedded_log(settings.data_dir)]
    if not settings.embedded or any(it and _is_running(it.pid) for it in found):
        yield
        return
    if program is STREAMS:  # another program belongs to its command, which says so itself
        ctx.note(
            f"Nothing runs on {settings.data_dir}: the log and its processors run for this command and stop after it."
        )
    engine = OwnEngine(settings.data_dir, {"web_enabled": False, **ctx.flags, "broker_port": 0}, program)
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
    signalled = False
    while _is_engine(found) and time.monotonic() < deadline:
        if not signalled:
            os.kill(found.engine, signal.SIGTERM)
            signalled = True
        time.sleep(POLL_SECONDS)
    (data_dir / OWNER_FILE).unlink(missing_ok=True)


def _is_engine(started: Owner) -> bool:
    """Whether the started engine still runs; its process id may belong to another process by now."""
    try:
        return _is_running(started.engine) and started.module in psutil.Process(started.engine).cmdline()
    except psutil.Error:
        return False


def _is_running(pid: int) -> bool:
    """Whether a process with this id runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_ready(line: bytes) -> bool:
    try:
        document = json.loads(line)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("event") == "ready"
