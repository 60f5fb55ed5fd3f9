"""The one writer of the file: changes that arrive together are committed together (group commit).

The loop stages changes on the writer's connection, which only touches memory; the commit with its fsync runs in a
thread, and meanwhile the next group collects. A failed commit is undone as a whole, before any of its changes was
acknowledged. Housekeeping uses the same connection for short jobs, so two transactions never overlap.
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

from bopis.broker.errors import BrokerError, StorageBusy, StorageFull
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.database import PAGE_BYTES, named_failure

log = logging.getLogger(__name__)

# Rough upper limits of what is written: by a change beside its own bytes, and by a job.
_PAGES_PER_CHANGE = 2
JOB_BYTES = 512 * 1024
_POLL_SECONDS = 0.002

Answer = TypeVar("Answer")
Work = Callable[[], Any]
Done = Callable[[Any, BaseException | None], None]


class Change(Protocol):
    """A change to commit. `size` is about what it writes, in bytes."""

    size: int

    def stage(self, connection: sqlite3.Connection) -> None:
        """Write to the open transaction; on the loop, so it must not block."""

    def settle(self, error: BaseException | None) -> None:
        """React to the end of the commit: on the disk (None), or undone as a whole because of an error."""


class CommitListener(Protocol):
    """State in memory that must follow the commits."""

    def group_started(self) -> None:
        """A commit group opens."""

    def group_ended(self, committed: bool) -> None:
        """The commit group is on the disk, or undone."""


class Writer:
    """Owns the writing connection and its thread.

    A failed commit raises `StorageFull` or `StorageBusy` for its changes; after any other error of SQLite `failed` is
    set, and the process must end, because the state of the disk is unknown.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, limits: BrokerLimits) -> None:
        self._connection = connection
        self._path = path
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._listeners: list[CommitListener] = []
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
        # About the bytes in the write-ahead log; the checkpointer subtracts what it has copied.
        self.written_bytes = 0
        self.failed: asyncio.Future[BrokerError] = self._loop.create_future()

    def follow(self, listener: CommitListener) -> None:
        """Call this listener for each commit group."""
        self._listeners.append(listener)

    def submit(self, change: Change) -> None:
        """Commit a change together with all others of this turn of the loop."""
        self._changes.append(change)
        self._wake()

    async def change(self, stage: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Commit what `stage` writes and return its result. If it raises, it must not have written anything."""
        change = _FunctionChange(stage, self._loop)
        self.submit(change)
        answer: Answer = await change.settled
        return answer

    async def job(
        self, work: Callable[[sqlite3.Connection], Answer], *, transaction: bool = True, written_bytes: int = JOB_BYTES
    ) -> Answer:
        """Run short work on the connection in the thread, between two commit groups; returns its result."""
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
        """Commit what was submitted, copy the write-ahead log into the file, and end the thread."""
        await self._idle.wait()
        self._queue.put(None)
        # Not join(), which would block the loop that the thread calls at its end.
        while self._thread.is_alive():
            await asyncio.sleep(_POLL_SECONDS)
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            # Harmless: the write-ahead log stays beside the file and is read at the next start.
            log.warning("log.checkpoint_skipped")
        self._connection.close()

    def _wake(self) -> None:
        self._idle.clear()
        if not self._busy and not self._turn_due:
            # In the next turn of the loop, so that all requests read in this one join the same commit.
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        if self._busy:
            return
        # Jobs and groups alternate: neither housekeeping nor clients wait for more than one of the other kind.
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
        # A limited group limits how long each change in it waits for the disk.
        while self._changes and size < self._limits.commit_group_bytes_max:
            group.append(self._changes.popleft())
            size += group[-1].size
        self.written_bytes += size + (len(group) + 1) * _PAGES_PER_CHANGE * PAGE_BYTES
        for listener in self._listeners:
            listener.group_started()
        try:
            # Takes the write lock now: another program's lock has to fail this group, not its commit.
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
                # Also an interrupt: otherwise the change would wait for its result for ever.
                failure = error
            try:
                self._loop.call_soon_threadsafe(self._finish, done, answer, failure)
            except RuntimeError:
                # The loop was closed meanwhile, and with it everything that waits for this result.
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
    """A change given as a function; its caller waits for `settled`."""

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
            # Refused by itself, before it wrote: the other changes of the group are committed.
            self._refusal = refusal

    def settle(self, error: BaseException | None) -> None:
        if self.settled.done():
            return
        failure = error or self._refusal
        if failure is None:
            self.settled.set_result(self._answer)
        else:
            self.settled.set_exception(failure)
