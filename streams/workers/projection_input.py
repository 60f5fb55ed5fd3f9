"""Records that the projection has read and not written: in order, bounded, and read again where some are missing."""

import asyncio
import time
from collections.abc import Callable, Iterable, KeysView, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from aiokafka.structs import TopicPartition

from bopis.names import LEVELS_TOPIC, NOTICE_STATE_TOPIC, ORDER_STATE_TOPIC, STORES_TOPIC
from bopis.readside.errors import RecordsMissing
from streams.engine.batches import Chunk
from streams.engine.connection import LogConnection
from streams.engine.log_client import EARLIEST, LATEST, LogClient
from streams.engine.partition_status import OWNER, READY, PartitionStatus
from streams.errors import PartitionStuck, SourceReplaced, SourceTruncated
from streams.limits import StreamLimits
from streams.workers.projection_database import ProjectionDatabase

if TYPE_CHECKING:
    from bopis.readside.writer import Batch

log = structlog.get_logger("streams.workers.projection")

COMPACTED = (LEVELS_TOPIC, STORES_TOPIC, ORDER_STATE_TOPIC, NOTICE_STATE_TOPIC)

# Records read ahead of the database: the memory bound, and the size of the largest transaction.
PENDING_RECORDS_MAX = 8_000
PENDING_CHUNKS_MAX = 32
# The weight of the newest transaction in the mean for which fetches wait.
NEWEST_SHARE = 0.2
WRITES_LOGGED_EVERY_S = 10.0


class SeekableConsumer(Protocol):
    """The member of the group that brings the chunks."""

    async def seek(self, offsets: Mapping[Any, int]) -> None:
        """Read these partitions from these offsets on."""

    def gather(self, seconds: float) -> None:
        """Let the next fetches wait so long for more to come; 0: they return at the first byte."""


class SourceTopics:
    """The topics that the projection reads, and whether the log still has the records after a position."""

    def __init__(self, connection: LogConnection, limits: StreamLimits, client: LogClient) -> None:
        self._connection = connection
        self._client = client
        self.limits = limits

    def topic(self, name: str) -> str:
        """The full name of a topic."""
        return self._connection.topic(name)

    def name_of(self, topic: str) -> str:
        """The name of a topic without prefix."""
        return topic.removeprefix(self._connection.prefix)

    async def check(self, tp: Any, position: int) -> int:
        """The first offset of a partition. Raises `SourceReplaced` when the database is ahead of the log, and
        `SourceTruncated` when records beyond the position are gone from a topic that is kept for ever."""
        begin, end = await self._client.offset(tp, EARLIEST), await self._client.offset(tp, LATEST)
        facts = {"topic": tp.topic, "partition": tp.partition, "position": position}
        if position >= end:
            raise SourceReplaced(**facts, end=end)
        if begin > position + 1 and self.name_of(tp.topic) not in COMPACTED:
            if not self.limits.truncated_source_accepted:
                raise SourceTruncated(**facts, earliest=begin)
            log.error("projection.truncated", **facts, earliest=begin)
        return begin


class ProjectionInput:
    """The partitions of this worker: from which offset each is read on, and the chunks that wait to be written."""

    def __init__(
        self,
        topics: SourceTopics,
        database: ProjectionDatabase,
        consumer: SeekableConsumer,
        ready: Callable[[dict[int, int]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._topics = topics
        self._database = database
        self._consumer = consumer
        self._ready = ready
        self._failed = failed
        # Of each partition, the first offset that is not written. Partitions without one are not read.
        self._next: dict[TopicPartition, int] = {}
        # The first offset that the log has: records before it are a hole in the log, not missed by this worker.
        self._begins: dict[TopicPartition, int] = {}
        self._seeks: dict[TopicPartition, int] = {}
        self._pending: list[Chunk] = []
        self._turned = asyncio.Condition()
        self._opening: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._statistics = WriteStatistics()
        self._transaction_s = 0.0
        self.closed = False

    async def revoked(self) -> None:
        """A rebalance begins: write everything that was read, then give up all partitions."""
        if self._opening is not None:
            self._opening.cancel()
        await self._drain()
        self._next.clear()

    def assigned(self, tps: Iterable[Any]) -> None:
        """A rebalance ended: read these partitions from the database's positions on."""
        partitions = [TopicPartition(tp.topic, tp.partition) for tp in tps]
        self._opening = asyncio.get_running_loop().create_task(self._open(partitions))

    async def _open(self, tps: list[TopicPartition]) -> None:
        try:
            positions = await self._database.positions()
            for tp in tps:
                position = positions.get((self._topics.name_of(tp.topic), tp.partition), -1)
                self._begins[tp] = await self._topics.check(tp, position)
                self._next[tp] = position + 1
            log.info("projection.assigned", positions=self._positions(tps))
            await self._consumer.seek({tp: max(self._next[tp], self._begins[tp]) for tp in tps})
            self._ready({})
        except Exception as error:
            self._failed(error)

    @property
    def wanted(self) -> KeysView[TopicPartition]:
        """The partitions whose position is known; the view follows as more become known."""
        return self._next.keys()

    def statuses(self) -> list[PartitionStatus]:
        """The status of each partition.

        An absent database has a patience of its own, so meanwhile no stall may be seen in the positions.
        """
        written, away = sum(self._next.values()), self._database.away
        return [
            PartitionStatus(
                topic=tp.topic,
                partition=tp.partition,
                role=OWNER,
                state=READY,
                position=None if away else offset - 1,
                commits=written,
                committing=self._writing is not None and not away,
            )
            for tp, offset in sorted(self._next.items())
        ]

    def durable_offsets(self) -> dict[TopicPartition, int]:
        """The offsets to commit in the group: only its lag is read from them, never a position."""
        return {tp: offset for tp, offset in self._next.items() if offset > 0}

    async def take(self, chunk: Chunk) -> None:
        """Queue one chunk; waits while too much is queued. While one transaction runs, the next collects."""
        if self.closed or chunk.tp not in self._next:
            return
        self._pending.append(chunk)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())
        async with self._turned:
            await self._turned.wait_for(self._has_room)

    def _has_room(self) -> bool:
        queued = sum(len(chunk.records) for chunk in self._pending)
        return self.closed or (queued < PENDING_RECORDS_MAX and len(self._pending) < PENDING_CHUNKS_MAX)

    async def _write(self) -> None:
        try:
            await asyncio.sleep(0)  # Chunks that are ready now join this transaction.
            while self._pending:
                chunks, self._pending = self._pending, []
                # Records that arrive while this transaction runs wait for it anyhow, so one fetch may collect them.
                self._consumer.gather(self._transaction_s)
                await self._notify()
                await self._write_once(chunks)
        except Exception as error:
            self.closed = True
            self._failed(error)
        finally:
            self._writing = None
            self._consumer.gather(0.0)
            await self._notify()

    async def _write_once(self, chunks: list[Chunk]) -> None:
        chunks = [chunk for chunk in chunks if chunk.tp in self._next]
        batches = [_batch(chunk, self._begins[chunk.tp]) for chunk in chunks]
        began = time.monotonic()
        try:
            await self._database.write(batches)
        except RecordsMissing as missing:
            await self._go_back(missing, chunks)
            return
        for chunk in chunks:
            if chunk.tp in self._next:
                self._next[chunk.tp] = max(self._next[chunk.tp], chunk.next)
            self._seeks.pop(chunk.tp, None)
        seconds = time.monotonic() - began
        self._transaction_s += (seconds - self._transaction_s) * NEWEST_SHARE
        records = sum(len(chunk.records) for chunk in chunks)
        self._statistics.add(records, seconds, lambda: self._positions(self._next))

    async def _go_back(self, missing: RecordsMissing, chunks: list[Chunk]) -> None:
        """Read records again that were fetched while their partition was not read, and keep the chunks of the others.
        Raises `PartitionStuck` when going back does not help."""
        tp = TopicPartition(self._topics.topic(missing.topic), missing.partition)
        self._seeks[tp] = self._seeks.get(tp, 0) + 1
        if self._seeks[tp] > self._topics.limits.gap_seeks_max:
            raise PartitionStuck(topic=tp.topic, partition=tp.partition, position=missing.position)
        log.warning("projection.gap", topic=tp.topic, partition=tp.partition, position=missing.position)
        self._begins[tp] = await self._topics.check(tp, missing.position)
        self._next[tp] = missing.position + 1
        self._pending = [it for it in (*chunks, *self._pending) if it.tp != tp]
        await self._consumer.seek({tp: max(self._next[tp], self._begins[tp])})

    async def _notify(self) -> None:
        async with self._turned:
            self._turned.notify_all()

    async def _drain(self) -> None:
        """Wait for the transaction that runs, but not for an absent database: the log has all of it."""
        try:
            async with asyncio.timeout(self._topics.limits.drain_s_max), self._turned:
                await self._turned.wait_for(lambda: self._writing is None)
        except TimeoutError:
            log.warning("projection.not_drained", seconds=self._topics.limits.drain_s_max)

    def _positions(self, tps: Iterable[TopicPartition]) -> dict[str, int]:
        return {f"{self._topics.name_of(tp.topic)}/{tp.partition}": self._next[tp] - 1 for tp in sorted(tps)}

    async def close(self) -> None:
        """Take no more chunks and write those that are queued."""
        self.closed = True
        await self._notify()
        await self._drain()


class WriteStatistics:
    """Logs one line about many writes."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._records = self._writes = 0
        self._seconds = 0.0

    def add(self, records: int, seconds: float, positions: Callable[[], dict[str, int]]) -> None:
        """Count one write of `seconds`; `positions` is called when the line is due."""
        self._records += records
        self._writes += 1
        self._seconds += seconds
        if (passed := time.monotonic() - self._began) >= WRITES_LOGGED_EVERY_S:
            log.info(
                "projection.written",
                records=self._records,
                transactions=self._writes,
                busy=round(self._seconds / passed, 3),
                mean_ms=round(self._seconds / self._writes * 1000, 1),
                positions=positions(),
            )
            self._begin()


def _batch(chunk: Chunk, begin: int) -> "Batch":
    """A chunk for the database. `begin`: the first offset that the log has; nothing before it can be missing."""
    # Imported here: SQLAlchemy is of no use to the other workers, which import this package's parts, too.
    from bopis.readside.writer import Batch

    start = 0 if chunk.start <= begin else chunk.start
    return Batch(chunk.tp.topic, chunk.tp.partition, chunk.records, start, chunk.next)
