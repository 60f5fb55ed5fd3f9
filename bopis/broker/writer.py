"""One writer for the file: everything that arrived together is committed together.

The loop stages changes on the writer's connection, which only touches memory; the commit with its fsync runs in a
thread, and while it runs the next group gathers. A failed commit is undone as a whole: nothing of it was told to
anyone. Housekeeping shares the connection as short jobs, so two transactions never meet.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from bopis.broker.database import PAGE_BYTES, named_failure
from bopis.broker.errors import BrokerError, StorageBusy, StorageFull
from bopis.broker.limits import BrokerLimits

log = logging.getLogger(__name__)

# What a change and a job write at most, roughly, beside a change's own bytes.
_PAGES_PER_CHANGE = 2
JOB_BYTES = 512 * 1024

Answer = TypeVar("Answer")
Work = Callable[[], Any]
Done = Callable[[Any, BaseException | None], None]


class Change(Protocol):
    """Something to be committed."""

    size: int

    def stage(self, connection: sqlite3.Connection) -> None:
        """Write to the open transaction."""

    def settle(self, error: BaseException | None) -> None:
        """The commit is on the disk, or it failed as a whole."""


class GroupListener(Protocol):
    """Whoever keeps state in memory that must follow the commits."""

    def group_started(self) -> None:
        """A group opens: what is staged from now on belongs together."""

    def group_ended(self, committed: bool) -> None:
        """The group is on the disk, or gone."""


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path, limits: BrokerLimits) -> None:
        self._connection = connection
        self._path = path
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._listeners: list[GroupListener] = []
        self._changes: deque[Change] = deque()
        self._jobs: deque[tuple[Work, Done]] = deque()
        self._busy = False
        self._turn_due = False
        self._job_next = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._queue: SimpleQueue[tuple[Work, Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()
        # About how much went into the write-ahead log; the checkpointer takes off what it has seen.
        self.written_bytes = 0
        self.failed: asyncio.Future[BrokerError] = self._loop.create_future()

    def follow(self, listener: GroupListener) -> None:
        """Tell this listener of each group."""
        self._listeners.append(listener)

    def submit(self, change: Change) -> None:
        """Commit this with everything else that arrives in this turn of the loop."""
        self._changes.append(change)
        self._wake()

    async def change(self, stage: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Commit what `stage` writes and return what it answers. A refusal must come before it writes."""
        change = _FunctionChange(stage, self._loop)
        self.submit(change)
        answer: Answer = await change.settled
        return answer

    async def job(
        self, work: Callable[[sqlite3.Connection], Answer], *, transaction: bool = True, written_bytes: int = JOB_BYTES
    ) -> Answer:
        """Run short work on the connection in the thread, between two groups."""
        settled: asyncio.Future[Answer] = self._loop.create_future()

        def done(answer: Any, error: BaseException | None) -> None:
            if settled.done():
                return
            if error is None:
                settled.set_result(answer)
            else:
                settled.set_exception(error)

        run = (lambda: self._transaction(work)) if transaction else (lambda: work(self._connection))
        self._jobs.append((run, done))
        self.written_bytes += written_bytes
        self._wake()
        return await settled

    async def close(self) -> None:
        """Finish what was begun, fold the write-ahead log into the file, and end the thread."""
        await self._idle.wait()
        self._queue.put(None)
        while self._thread.is_alive():
            await asyncio.sleep(0.002)
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            # The write-ahead log stays beside the file and is read at the next start.
            log.warning("log.checkpoint_skipped")
        self._connection.close()

    def _wake(self) -> None:
        self._idle.clear()
        if not self._busy and not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        if self._busy:
            return
        if self._jobs and (self._job_next or not self._changes):
            self._job_next = False
            self._hand_over(*self._jobs.popleft())
        elif self._changes:
            self._job_next = True
            self._start_group()
        else:
            self._idle.set()

    def _start_group(self) -> None:
        group: list[Change] = []
        size = 0
        while self._changes and size < self._limits.commit_group_bytes_max:
            group.append(self._changes.popleft())
            size += group[-1].size
        self.written_bytes += size + (len(group) + 1) * _PAGES_PER_CHANGE * PAGE_BYTES
        for listener in self._listeners:
            listener.group_started()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for change in group:
                change.stage(self._connection)
        except Exception as error:
            self._undo()
            self._finish(lambda _, failure: self._end_group(group, failure), None, error)
            return
        self._hand_over(self._commit, lambda _, failure: self._end_group(group, failure))

    def _end_group(self, group: list[Change], error: BaseException | None) -> None:
        for listener in self._listeners:
            listener.group_ended(error is None)
        for change in group:
            change.settle(error)

    def _hand_over(self, work: Work, done: Done) -> None:
        self._busy = True
        self._queue.put((work, done))

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            work, done = item
            answer: Any = None
            failure: BaseException | None = None
            try:
                answer = work()
            except BaseException as error:
                failure = error
            try:
                self._loop.call_soon_threadsafe(self._finish, done, answer, failure)
            except RuntimeError:
                # The loop was closed under us: nobody is left to be told.
                return

    def _finish(self, done: Done, answer: Any, error: BaseException | None) -> None:
        self._busy = False
        done(answer, self._named(error))
        if self._changes or self._jobs:
            self._wake()
        else:
            self._idle.set()

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            self._undo()
            raise

    def _transaction(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            answer = work(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        return answer

    def _undo(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.warning("log.rollback_failed", exc_info=True)

    def _named(self, error: BaseException | None) -> BaseException | None:
        if not isinstance(error, sqlite3.Error):
            return error
        failure = named_failure(self._path, error)
        if not isinstance(failure, StorageFull | StorageBusy) and not self.failed.done():
            self.failed.set_result(failure)
        return failure


class _FunctionChange:
    """A change given as a function, awaited by its caller."""

    size = 0

    def __init__(self, stage: Callable[[sqlite3.Connection], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.settled: asyncio.Future[Any] = loop.create_future()
        self._stage = stage
        self._answer: Any = None
        self._refusal: BrokerError | None = None

    def stage(self, connection: sqlite3.Connection) -> None:
        try:
            self._answer = self._stage(connection)
        except BrokerError as refusal:
            self._refusal = refusal

    def settle(self, error: BaseException | None) -> None:
        if self.settled.done():
            return
        failure = error or self._refusal
        if failure is None:
            self.settled.set_result(self._answer)
        else:
            self.settled.set_exception(failure)
