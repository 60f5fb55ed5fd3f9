"""Group commit: while one commit is in flight, everything decided meanwhile becomes the next one."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiokafka.structs import TopicPartition

from streams.engine.batches import NO_HEADERS
from streams.engine.exact_step import NO_POSITION
from streams.engine.processor import Output
from streams.engine.table import PartitionTable, RowChange
from streams.engine.writer import PartitionWriter
from streams.limits import StreamLimits

ROW_SAMPLES = 200


class GroupCommit:
    """Writes what was staged: outputs first, then rows and position in one atomic batch.

    Outputs before position, because a position without its outputs would be a loss; outputs without their position
    are only published again, with the same ids. One commit at a time, because batches of one writer are ordered and
    because waiting is what makes the next commit large.
    """

    def __init__(
        self,
        table: PartitionTable,
        writer: PartitionWriter,
        changelog: TopicPartition,
        limits: StreamLimits,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._table = table
        self._writer = writer
        self._changelog = changelog
        self._limits = limits
        self._failed = failed
        self._outputs: list[Output] = []
        self._row_bytes = 1_024  # A careful guess, until the first commit is measured.
        self._runner: asyncio.Task[None] | None = None
        # Set whenever something staged has left, so that those who wait for room or for the end look again.
        self._turned = asyncio.Event()
        self._gathered = asyncio.Event()
        # The newest position that is in the log.
        self.durable = NO_POSITION
        self.commits = 0
        # The first offset of the changelog that is not in the table.
        self.following = 0

    def stage(self, position: int, outputs: list[Output], more: bool = False) -> None:
        """Hand over the result of a step. The changed rows are in the table already. `more`: the step is part of a
        backlog, so the next one follows at once and its rows may join this commit."""
        self._table.position = position
        self._outputs += outputs
        if more and not self._full():
            self._gathered.clear()
        else:
            self._gathered.set()
        if self._runner is None:
            self._runner = asyncio.get_running_loop().create_task(self._run())

    @property
    def busy(self) -> bool:
        """Whether a commit is in flight."""
        return self._runner is not None

    async def room(self) -> None:
        """Wait until a step may stage more: everything staged must fit into one batch of the changelog."""
        while self._full() and self._runner is not None:
            self._turned.clear()
            await self._turned.wait()

    def _full(self) -> bool:
        touched = self._table.rows.touched
        return (
            touched >= self._limits.commit_rows_max
            or touched * self._row_bytes >= self._limits.commit_bytes_target
            or len(self._outputs) >= self._limits.staged_outputs_max
        )

    def flush(self) -> None:
        """Commit what a backlog has gathered: no step follows at once."""
        self._gathered.set()

    async def drain(self) -> None:
        """Wait until everything staged is in the log."""
        self.flush()
        while self._runner is not None:
            self._turned.clear()
            await self._turned.wait()

    def stop(self) -> None:
        """Abandon what is staged: it is decided again from the log."""
        if self._runner is not None:
            self._runner.cancel()

    async def _run(self) -> None:
        try:
            # One turn of the loop first: chunks that are ready now join this commit.
            await asyncio.sleep(0)
            while self._outputs or self.durable < self._table.position:
                await self._gather()
                await self._commit_once()
                self._turned.set()
        except Exception as error:
            # Nothing more is committed: the worker ends, and its successor decides again from `durable` on.
            self._failed(error)
        finally:
            self._runner = None
            self._turned.set()

    async def _gather(self) -> None:
        """In a backlog, wait for more: a row that changes ten times meanwhile is encoded, sent and kept once."""
        if not self._gathered.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gathered.wait(), self._limits.commit_gather_s)

    async def _commit_once(self) -> None:
        # Rows, outputs and position are taken without an await in between: they belong to one moment.
        position, outputs = self._table.position, self._outputs
        self._outputs = []
        changes = self._table.commit(position)
        self._learn_row_size(changes)
        self._turned.set()
        await self._writer.publish(outputs)
        entries = [(key, value, NO_HEADERS) for key, value in changes]
        self.following = await self._writer.atomically(self._changelog, entries) + len(entries)
        self.durable = position
        self.commits += 1

    def _learn_row_size(self, changes: list[RowChange]) -> None:
        """Remember the mean size of a row, so that `room` knows how many rows fit into a batch.

        Measured on evenly spread samples: looking at every row would cost as much as encoding a tenth of them.
        """
        samples = changes[:: len(changes) // ROW_SAMPLES + 1]
        size = sum(len(key) + len(value or b"") for key, value in samples)
        self._row_bytes = max(self._row_bytes // 2, size // len(samples), 1)
