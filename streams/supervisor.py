"""Keeps one process per processor running: starts them in order, restarts what falls, stops them in reverse."""

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import structlog

from streams.limits import SupervisorLimits

log = structlog.get_logger("streams.supervisor")

LINE_BYTES_MAX = 1 << 20
PR_SET_PDEATHSIG = 1
EXIT_CLEAN = 0
EXIT_BROKEN = 70
EXIT_CONFIG = 78  # What is wrong stays wrong until somebody mends it: starting again would not.
# A child repeats its errors on its standard output in this form, so that the last one can be told with its end.
ERROR_WORDS = b'"event":"error"'
CAUSE_CHARACTERS_MAX = 600

MEANINGS = {
    69: "the log is not there",
    70: "a fault",
    75: "another worker has its partitions, or may have them",
    78: "a setting, a right, a topic or a log that does not fit: mend it, then start again",
    80: "a watchdog saw it stand still",
    81: "the log refused",
}


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running. It is ready when a line on its standard output contains `ready_words`."""

    name: str
    command: tuple[str, ...]
    ready_words: str = "ready"
    # Without an essential child (the log itself, say) the others have nothing to do.
    essential: bool = False


class ChildState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPED = "stopped"
    FAILING = "failing"
    GAVE_UP = "gave up"


class ChildStatus(msgspec.Struct, kw_only=True):
    """What a status command may read about a child."""

    name: str
    state: ChildState = ChildState.WAITING
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    since_ms: int = 0
    # Why its last process ended: what the exit code means, and the last error that it told.
    cause: str = ""
    last_error: str = ""


class SupervisorStatus(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    children: list[ChildStatus]


def read_status(state_file: Path) -> SupervisorStatus:
    return msgspec.json.decode(state_file.read_bytes(), type=SupervisorStatus)


class Supervisor:
    """Runs children until SIGTERM or SIGINT, or until an essential child is given up."""

    def __init__(
        self,
        children: Sequence[Child],
        state_file: Path,
        limits: SupervisorLimits = SupervisorLimits(),
        all_ready: Callable[[], None] | None = None,
    ) -> None:
        self._all_ready = all_ready
        self._children = tuple(children)
        self._state_file = state_file
        self._limits = limits
        self._statuses = {child.name: ChildStatus(name=child.name) for child in children}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._code = EXIT_CLEAN

    def stop(self, code: int = EXIT_CLEAN) -> None:
        self._code = max(self._code, code)
        self._stopping.set()

    async def run(self) -> int:
        """Start the children one after the other, each when the one before it is ready."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        keepers: list[tuple[Child, asyncio.Task[None]]] = []
        try:
            for child in self._children:
                ready = asyncio.Event()
                keepers.append((child, asyncio.create_task(self._keep(child, ready))))
                await self._first(ready.wait(), self._stopping.wait())
            if self._all_ready is not None and not self._stopping.is_set():
                self._all_ready()
            await self._stopping.wait()
        finally:
            self._stopping.set()
            for child, keeper in reversed(keepers):
                await self._end(child)
                await keeper
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        return self._code

    async def _first(self, *waits: Coroutine[Any, Any, object]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _keep(self, child: Child, ready: asyncio.Event) -> None:
        """One child's life, over all its processes. `ready` is set when the next child may start."""
        backoff_s, restarts = self._limits.restart_backoff_s, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._live(child, ready)
            if self._stopping.is_set() or code == EXIT_CLEAN:
                self._tell(child, state=ChildState.STOPPED, pid=None, exit_code=code)
                break
            if time.monotonic() - began > self._limits.stable_s:
                backoff_s, restarts = self._limits.restart_backoff_s, 0
            restarts += 1
            if code == EXIT_CONFIG or (child.essential and restarts > self._limits.restarts_max):
                self._give_up(child, code)
                break
            if not child.essential and restarts >= self._limits.waited_for_restarts_max:
                ready.set()  # The others can do their work without it.
            failing = restarts > self._limits.restarts_max
            state = ChildState.FAILING if failing else ChildState.BACKING_OFF
            facts = {"exit_code": code, "cause": meaning(code)}
            self._tell(child, state=state, pid=None, restarts=restarts, **facts)
            # A child that falls again and again is never given up for good, because what ails it may pass (a full
            # disk, a log that refuses); it is tried at the longest back-off, out loud.
            say = log.error if failing else log.warning
            error = self._statuses[child.name].last_error
            say("child.fell", child=child.name, restarts=restarts, backoff_s=backoff_s, error=error, **facts)
            await self._first(asyncio.sleep(backoff_s), self._stopping.wait())
            backoff_s = min(backoff_s * 2, self._limits.restart_backoff_s_max)
        ready.set()

    def _give_up(self, child: Child, code: int) -> None:
        facts = {"exit_code": code, "cause": meaning(code)}
        self._tell(child, state=ChildState.GAVE_UP, pid=None, **facts)
        error = self._statuses[child.name].last_error
        log.error("child.given_up", child=child.name, essential=child.essential, error=error, **facts)
        if child.essential:
            self.stop(EXIT_BROKEN)

    async def _live(self, child: Child, ready: asyncio.Event) -> int:
        """One process of a child, from start to exit code."""
        process = await asyncio.create_subprocess_exec(
            *child.command,
            stdout=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops in order.
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self._processes[child.name] = process
        self._tell(child, state=ChildState.STARTING, pid=process.pid)
        if self._stopping.is_set():
            process.terminate()  # The request to stop came while this one was being born.
        reading = asyncio.create_task(self._read(child, process, ready))
        patience = asyncio.create_task(self._expect_ready(child, process))
        try:
            return await process.wait()
        finally:
            patience.cancel()
            await reading
            self._processes.pop(child.name, None)

    async def _read(self, child: Child, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        """Pass the child's lines on as talk and look for the one that says ready."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if ERROR_WORDS in line:
                self._note_error(child, line)
                continue  # It stands on the child's standard error already.
            sys.stderr.write(line.decode(errors="replace"))
            sys.stderr.flush()
            status = self._statuses[child.name]
            if status.state is ChildState.STARTING and child.ready_words.encode() in line:
                self._tell(child, state=ChildState.READY)
                log.info("child.ready", child=child.name, pid=process.pid, restarts=status.restarts)
                ready.set()

    def _note_error(self, child: Child, line: bytes) -> None:
        try:
            told = json.loads(line)
            self._statuses[child.name].last_error = str(told["error"])[:CAUSE_CHARACTERS_MAX]
        except (ValueError, KeyError, TypeError):
            log.warning("child.unreadable", child=child.name, line=line[:CAUSE_CHARACTERS_MAX])

    async def _expect_ready(self, child: Child, process: asyncio.subprocess.Process) -> None:
        """A child that hangs before it is ready is as good as fallen."""
        await asyncio.sleep(self._limits.ready_s_max)
        if self._statuses[child.name].state is ChildState.STARTING:
            log.error("child.not_ready", child=child.name, seconds=self._limits.ready_s_max)
            process.kill()

    async def _end(self, child: Child) -> None:
        """Ask a child to stop, and insist when it does not."""
        process = self._processes.get(child.name)
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._limits.stop_s_max)
        except TimeoutError:
            log.error("child.killed", child=child.name, pid=process.pid, seconds=self._limits.stop_s_max)
            process.kill()

    def _tell(self, child: Child, **changes: object) -> None:
        """Note a change where a status command can read it: whole file or old file, never half."""
        status = self._statuses[child.name]
        for name, value in changes.items():
            setattr(status, name, value)
        status.since_ms = int(time.time() * 1000)
        told = SupervisorStatus(pid=os.getpid(), children=list(self._statuses.values()))
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        beside = self._state_file.with_suffix(".tmp")
        beside.write_bytes(msgspec.json.encode(told))
        beside.replace(self._state_file)


def meaning(code: int) -> str:
    """What an exit code of a child says."""
    if code < 0:
        return f"ended by signal {signal.Signals(-code).name}"
    return MEANINGS.get(code, f"ended with code {code}")


def _die_with_parent() -> None:
    """If the supervisor is killed without warning, its children stop cleanly instead of running on unseen."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
