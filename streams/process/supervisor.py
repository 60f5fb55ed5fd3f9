"""Keeps one process per processor running: starts them, the log first; restarts those that fall; stops them, the log
last."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import structlog

from bopis.adapters.supervision import ChildStatus, end_with_parent, write_status
from bopis.errors import CONFIGURATION, EXIT_CODES, INTERNAL_FAULT, OK
from streams.limits import SupervisorLimits
from streams.process.fork_server import WORKER_MODULES
from streams.process.forked import ForkClient, ForkedProcess

log = structlog.get_logger("streams.process.supervisor")

LINE_BYTES_MAX = 1 << 20
# A child repeats its errors on its standard output in this form, so that the last one explains its end.
ERROR_MARK = b'"event":"error"'
CAUSE_CHARACTERS_MAX = 600
Process = asyncio.subprocess.Process | ForkedProcess


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running. It is ready when a line on its standard output contains `ready_mark`."""

    name: str
    command: tuple[str, ...]
    ready_mark: str = "ready"
    # A module of ours is forked, with the libraries imported already: its command is ``PYTHON -m MODULE …``.
    is_forked: bool = False
    # What it needs beside the libraries of workers.
    imports: tuple[str, ...] = ()
    # Without an essential child, such as the log itself, the others have nothing to do.
    essential: bool = False


class ChildState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPED = "stopped"
    FAILING = "failing"
    GAVE_UP = "gave up"


class Supervisor:
    """Runs children until SIGTERM or SIGINT, or until an essential child is given up."""

    def __init__(
        self,
        children: Sequence[Child],
        state_file: Path,
        limits: SupervisorLimits = SupervisorLimits(),
        all_ready: Callable[[Sequence[ChildStatus]], None] | None = None,
        changed: Callable[[ChildStatus], None] | None = None,
    ) -> None:
        self._all_ready = all_ready
        self._changed = changed
        self._children = tuple(children)
        self._state_file = state_file
        self._limits = limits
        self._statuses = {child.name: ChildStatus(name=child.name) for child in children}
        self._processes: dict[str, Process] = {}
        more = [module for child in children for module in child.imports]
        self._forks = ForkClient((*WORKER_MODULES, *more))
        self._stopping = asyncio.Event()
        self._code = OK

    def stop(self, code: int = OK) -> None:
        """Stop all children; `run` then returns the highest code that was given."""
        self._code = max(self._code, code)
        self._stopping.set()

    async def run(self) -> int:
        """Start the essential children one after the other, and the others together when those are ready. Returns the
        exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        keepers: list[tuple[Child, asyncio.Task[None]]] = []
        try:
            pending: list[asyncio.Event] = []
            for child in self._children:
                ready = asyncio.Event()
                keepers.append((child, asyncio.create_task(self._keep(child, ready))))
                if child.essential:
                    await self._first(ready.wait(), self._stopping.wait())
                else:
                    pending.append(ready)
            await self._first(self._all(pending), self._stopping.wait())
            if self._all_ready is not None and not self._stopping.is_set():
                self._all_ready(tuple(self._statuses.values()))
            await self._stopping.wait()
        finally:
            self._stopping.set()
            others = [child for child in self._children if not child.essential]
            await asyncio.gather(*(self._end(child) for child in others))
            for child, keeper in reversed(keepers):
                await self._end(child)
                await keeper
            await self._forks.close()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        return self._code

    async def _all(self, events: Sequence[asyncio.Event]) -> None:
        for event in events:
            await event.wait()

    async def _first(self, *waits: Coroutine[Any, Any, object]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _keep(self, child: Child, ready: asyncio.Event) -> None:
        """Run one child, process after process, until it is stopped. `ready` is set when nobody has to wait for it any
        more."""
        backoff_s, restarts = self._limits.restart_backoff_s, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._live(child, ready)
            if self._stopping.is_set() or code == OK:
                self._set(child, state=ChildState.STOPPED, pid=None, exit_code=code)
                break
            # A child that was healthy for long begins with a short back-off again.
            if time.monotonic() - began > self._limits.stable_s:
                backoff_s, restarts = self._limits.restart_backoff_s, 0
            restarts += 1
            # A configuration that does not fit will not fit after a restart either.
            if code == CONFIGURATION or (child.essential and restarts > self._limits.restarts_max):
                self._give_up(child, code)
                break
            if not child.essential and restarts >= self._limits.waited_for_restarts_max:
                ready.set()  # The others can do their work without it.
            failing = restarts > self._limits.restarts_max
            state = ChildState.FAILING if failing else ChildState.BACKING_OFF
            facts = {"exit_code": code, "cause": meaning(code)}
            self._set(child, state=state, pid=None, restarts=restarts, **facts)
            # A child that falls again and again is never given up for good, because the cause may pass (a full disk, a
            # log that refuses): it is tried at the longest back-off, and each fall is logged as an error.
            write = log.error if failing else log.warning
            error = self._statuses[child.name].last_error
            write("child.fell", child=child.name, restarts=restarts, backoff_s=backoff_s, error=error, **facts)
            await self._first(asyncio.sleep(backoff_s), self._stopping.wait())
            backoff_s = min(backoff_s * 2, self._limits.restart_backoff_s_max)
        ready.set()

    def _give_up(self, child: Child, code: int) -> None:
        facts = {"exit_code": code, "cause": meaning(code)}
        self._set(child, state=ChildState.GAVE_UP, pid=None, **facts)
        error = self._statuses[child.name].last_error
        log.error("child.given_up", child=child.name, essential=child.essential, error=error, **facts)
        if child.essential:
            self.stop(CONFIGURATION if code == CONFIGURATION else INTERNAL_FAULT)

    async def _live(self, child: Child, ready: asyncio.Event) -> int:
        """Run one process of a child; its exit code."""
        process = await self._start(child)
        self._processes[child.name] = process
        self._set(child, state=ChildState.STARTING, pid=process.pid)
        if self._stopping.is_set():
            process.terminate()  # The request to stop came while this process was started.
        reading = asyncio.create_task(self._read(child, process, ready))
        patience = asyncio.create_task(self._expect_ready(child, process))
        try:
            return await process.wait()
        finally:
            patience.cancel()
            await reading
            self._processes.pop(child.name, None)

    async def _start(self, child: Child) -> Process:
        """Start a child: by a fork, where it is a module of ours, else as a program of its own."""
        if child.is_forked:
            return await self._forks.spawn(child.command[2:], LINE_BYTES_MAX)
        return await asyncio.create_subprocess_exec(
            *child.command,
            stdout=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops in order.
            preexec_fn=end_with_parent(),  # A supervisor that is killed leaves no child running.
        )

    async def _read(self, child: Child, process: Process, ready: asyncio.Event) -> None:
        """Pass the child's lines on to standard error, and find the one that says that it is ready."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if ERROR_MARK in line:
                self._note_error(child, line)
                continue  # The child has written it to its standard error already.
            sys.stderr.write(line.decode(errors="replace"))
            sys.stderr.flush()
            status = self._statuses[child.name]
            if status.state == ChildState.STARTING and child.ready_mark.encode() in line:
                self._set(child, state=ChildState.READY)
                log.info("child.ready", child=child.name, pid=process.pid, restarts=status.restarts)
                ready.set()

    def _note_error(self, child: Child, line: bytes) -> None:
        try:
            last_error = str(json.loads(line)["error"])[:CAUSE_CHARACTERS_MAX]
            self._statuses[child.name] = msgspec.structs.replace(self._statuses[child.name], last_error=last_error)
        except (ValueError, KeyError, TypeError):
            log.warning("child.unreadable", child=child.name, line=line[:CAUSE_CHARACTERS_MAX])

    async def _expect_ready(self, child: Child, process: Process) -> None:
        """Kill a child that hangs before it is ready."""
        await asyncio.sleep(self._limits.ready_s_max)
        if self._statuses[child.name].state == ChildState.STARTING:
            log.error("child.not_ready", child=child.name, seconds=self._limits.ready_s_max)
            process.kill()

    async def _end(self, child: Child) -> None:
        """Ask a child to stop, and kill it when it does not."""
        process = self._processes.get(child.name)
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._limits.stop_s_max)
        except TimeoutError:
            log.error("child.killed", child=child.name, pid=process.pid, seconds=self._limits.stop_s_max)
            process.kill()

    def _set(self, child: Child, **changes: object) -> None:
        """Change a child's status, and write it where a status command reads it."""
        since_ms = int(time.time() * 1000)
        self._statuses[child.name] = msgspec.structs.replace(self._statuses[child.name], since_ms=since_ms, **changes)
        write_status(self._state_file, self._statuses.values())
        if self._changed is not None:
            self._changed(self._statuses[child.name])


def meaning(code: int) -> str:
    """The meaning of a child's exit code; below zero it was ended by a signal."""
    if code < 0:
        return f"ended by signal {signal.Signals(-code).name}"
    return EXIT_CODES.get(code, f"ended with code {code}")
