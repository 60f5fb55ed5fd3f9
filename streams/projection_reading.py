"""What the projection worker has read and not yet written: in order, bounded, and gone back for where missing."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import stamina
import structlog
from faust.types import TP

from bopis.readside.errors import DatabaseAway, RecordsMissing
from streams.batches import Chunk
from streams.client import EARLIEST, LATEST, LogClient
from streams.connection import Connection
from streams.errors import PartitionStuck, SourceReplaced, SourceTruncated
from streams.limits import StreamLimits
from streams.ownership import Reader

if TYPE_CHECKING:
    from bopis.readside.writer import Projection

log = structlog.get_logger("streams.projection")

STOCK, LEVELS, STORES = "stock", "inventory-levels", "stores"
COMPACTED = (LEVELS, STORES)

# What is ahead of the database: the memory bound, and the size of the largest transaction.
PENDING_RECORDS_MAX = 8_000
PENDING_CHUNKS_MAX = 32
RETRY_WAIT_S_MAX = 5.0
TOLD_EVERY_S = 10.0

Answer = TypeVar("Answer")
Told = Callable[[dict[int, int]], None]


class Database:
    """The projection in a thread of its own; waits while the database is away."""

    def __init__(self, engine: Any, prefix: str, limits: StreamLimits) -> None:
        self._engine = engine
        self._prefix = prefix
        self._absence_s_max = limits.absence_s_max
        self._thread = ThreadPoolExecutor(1, "projection")
        self._projection: Projection | None = None

    async def open(self) -> None:
        """Check the tables. Raises `SchemaAbsent`."""
        from bopis.readside.engine import patient
        from bopis.readside.migrate import require
        from bopis.readside.writer import Projection

        def check() -> None:
            with patient():
                require(self._engine)

        await self._patiently(check)
        self._projection = Projection(self._engine, self._prefix)

    async def positions(self) -> dict[tuple[str, int], int]:
        assert self._projection is not None
        return await self._patiently(self._projection.positions)

    async def write(self, batches: Sequence[Any]) -> None:
        projection = self._projection
        assert projection is not None
        await self._patiently(lambda: projection.write_many(batches))

    async def _patiently(self, work: Callable[[], Answer]) -> Answer:
        # The same batches again are harmless: what a lost answer had written is found consumed.
        async for attempt in stamina.retry_context(
            on=DatabaseAway, attempts=None, timeout=self._absence_s_max, wait_max=RETRY_WAIT_S_MAX
        ):
            with attempt:
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        raise AssertionError("stamina raises when it gives up")

    def close(self) -> None:
        self._thread.shutdown(wait=True)


class Feeds:
    """The topics that the projection reads, and whether the log still has what the database asks for."""

    def __init__(self, connection: Connection, limits: StreamLimits, client: LogClient) -> None:
        self._connection = connection
        self._client = client
        self.limits = limits

    def topic(self, name: str) -> str:
        return self._connection.topic(name)

    def name_of(self, topic: str) -> str:
        return topic.removeprefix(self._connection.prefix)

    async def check(self, tp: Any, position: int) -> int:
        """Where the log of a partition begins. Raises when the database is ahead of the log, or has missed
        records of a topic that is kept for ever."""
        begin, end = await self._client.offset(tp, EARLIEST), await self._client.offset(tp, LATEST)
        facts = {"topic": tp.topic, "partition": tp.partition, "position": position}
        if position >= end:
            raise SourceReplaced(**facts, end=end)
        if begin > position + 1 and self.name_of(tp.topic) not in COMPACTED:
            if not self.limits.truncated_source_accepted:
                raise SourceTruncated(**facts, earliest=begin)
            log.error("projection.truncated", **facts, earliest=begin)
        return begin


class Progress:
    """One line about many writes."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._records = self._writes = 0
        self._seconds = 0.0

    def wrote(self, records: int, seconds: float, positions: dict[str, int]) -> None:
        self._records += records
        self._writes += 1
        self._seconds += seconds
        if (passed := time.monotonic() - self._began) >= TOLD_EVERY_S:
            log.info(
                "projection.written",
                records=self._records,
                transactions=self._writes,
                busy=round(self._seconds / passed, 3),
                mean_ms=round(self._seconds / self._writes * 1000, 1),
                positions=positions,
            )
            self._begin()


class Reading:
    """The partitions of this worker: where each is read from, and what waits to be written."""

    def __init__(self, feeds: Feeds, database: Database, ready: Told, failed: Callable[[BaseException], None]) -> None:
        self._feeds = feeds
        self._database = database
        self._ready = ready
        self._failed = failed
        self._reader: Reader | None = None
        self._next: dict[TP, int] = {}
        # Where the log of a partition begins: what lies before is a hole in the log, not a record missed.
        self._begins: dict[TP, int] = {}
        self._seeks: dict[TP, int] = {}
        self._pending: list[Chunk] = []
        self._turned = asyncio.Condition()
        self._opening: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._progress = Progress()
        self.closed = False

    async def revoked(self) -> None:
        """A rebalance begins: write what is here, then forget who owned what."""
        if self._opening is not None:
            self._opening.cancel()
        await self._drain()
        self._next.clear()

    def assigned(self, tps: Iterable[Any], reader: Reader) -> None:
        """A rebalance ended: ask the database where to read on."""
        self._reader = reader
        self._opening = asyncio.get_running_loop().create_task(self._open([TP(tp.topic, tp.partition) for tp in tps]))

    async def _open(self, tps: list[TP]) -> None:
        try:
            positions = await self._database.positions()
            for tp in tps:
                at = positions.get((self._feeds.name_of(tp.topic), tp.partition), -1)
                self._begins[tp] = await self._feeds.check(tp, at)
                self._next[tp] = at + 1
            log.info("projection.assigned", positions=self._told(tps))
            if self._reader is not None:
                await self._reader.place({tp: max(self._next[tp], self._begins[tp]) for tp in tps})
            self._ready({})
        except Exception as error:
            self._failed(error)

    def next_offsets(self) -> dict[TP, int]:
        """Where to read: the partitions whose position is known."""
        return {tp: max(offset, self._begins[tp]) for tp, offset in self._next.items()}

    def durable_offsets(self) -> dict[TP, int]:
        """What may be told to the group as done, for whoever watches its lag."""
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
                await self._notify()
                await self._write_once(chunks)
        except Exception as error:
            self.closed = True
            self._failed(error)
        finally:
            self._writing = None
            await self._notify()

    async def _write_once(self, chunks: list[Chunk]) -> None:
        from bopis.readside.writer import Batch

        chunks = [chunk for chunk in chunks if chunk.tp in self._next]
        batches = []
        for chunk in chunks:
            start = 0 if chunk.start <= self._begins[chunk.tp] else chunk.start
            batches.append(Batch(chunk.tp.topic, chunk.tp.partition, chunk.records, start, chunk.next))
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
        records = sum(len(chunk.records) for chunk in chunks)
        self._progress.wrote(records, time.monotonic() - began, self._told(self._next))

    async def _go_back(self, missing: RecordsMissing, chunks: list[Chunk]) -> None:
        """Records were fetched while nobody listened: read them again, and write what the others brought."""
        tp = TP(self._feeds.topic(missing.topic), missing.partition)
        self._seeks[tp] = self._seeks.get(tp, 0) + 1
        if self._seeks[tp] > self._feeds.limits.gap_seeks_max:
            raise PartitionStuck(topic=tp.topic, partition=tp.partition, position=missing.position)
        log.warning("projection.gap", topic=tp.topic, partition=tp.partition, position=missing.position)
        self._begins[tp] = await self._feeds.check(tp, missing.position)
        self._next[tp] = missing.position + 1
        self._pending = [it for it in (*chunks, *self._pending) if it.tp != tp]
        if self._reader is not None:
            await self._reader.place({tp: max(self._next[tp], self._begins[tp])})

    async def _notify(self) -> None:
        async with self._turned:
            self._turned.notify_all()

    async def _drain(self) -> None:
        """Wait for what is being written, but not for a database that is away: the log has it all."""
        try:
            async with asyncio.timeout(self._feeds.limits.drain_s_max), self._turned:
                await self._turned.wait_for(lambda: self._writing is None)
        except TimeoutError:
            log.warning("projection.not_drained", seconds=self._feeds.limits.drain_s_max)

    def _told(self, tps: Iterable[TP]) -> dict[str, int]:
        return {f"{self._feeds.name_of(tp.topic)}/{tp.partition}": self._next[tp] - 1 for tp in sorted(tps)}

    async def close(self) -> None:
        """Take nothing more and write what is here."""
        self.closed = True
        await self._notify()
        await self._drain()
