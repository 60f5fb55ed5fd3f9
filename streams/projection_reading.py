"""What the projection worker has read and not yet written: in order, bounded, and gone back for where missing."""

import asyncio
import time
from collections.abc import Callable, Iterable, KeysView
from typing import Any, Protocol

import structlog
from aiokafka.structs import TopicPartition

from bopis.readside.errors import RecordsMissing
from streams.batches import Chunk
from streams.client import EARLIEST, LATEST, LogClient
from streams.connection import Connection
from streams.errors import PartitionStuck, SourceReplaced, SourceTruncated
from streams.limits import StreamLimits
from streams.projection_database import Database, Progress
from streams.standing import OWNER, READY, Standing

log = structlog.get_logger("streams.projection")

STOCK, LEVELS, STORES = "stock", "inventory-levels", "stores"
ORDERS, ORDER_STATE, ORDER_EVENTS = "orders", "order-state", "order-events"
NOTICE_STATE = "notice-state"
COMPACTED = (LEVELS, STORES, ORDER_STATE, NOTICE_STATE)

# What is ahead of the database: the memory bound, and the size of the largest transaction.
PENDING_RECORDS_MAX = 8_000
PENDING_CHUNKS_MAX = 32
# How much the newest transaction counts in the mean that fetches wait by.
NEWEST_SHARE = 0.2

Told = Callable[[dict[int, int]], None]


class Reader(Protocol):
    """The member of the group, as `Reading` sees it."""

    async def place(self, offsets: dict[Any, int]) -> None:
        """Read these partitions from these offsets on."""

    def gather(self, seconds: float) -> None:
        """Let the next fetches wait so long for more to come; 0 is at once."""


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


class Reading:
    """The partitions of this worker: where each is read from, and what waits to be written."""

    def __init__(self, feeds: Feeds, database: Database, ready: Told, failed: Callable[[BaseException], None]) -> None:
        self._feeds = feeds
        self._database = database
        self._ready = ready
        self._failed = failed
        self._reader: Reader | None = None
        self._next: dict[TopicPartition, int] = {}
        # Where the log of a partition begins: what lies before is a hole in the log, not a record missed.
        self._begins: dict[TopicPartition, int] = {}
        self._seeks: dict[TopicPartition, int] = {}
        self._pending: list[Chunk] = []
        self._turned = asyncio.Condition()
        self._opening: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._progress = Progress()
        self._transaction_s = 0.0
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
        self._opening = asyncio.get_running_loop().create_task(
            self._open([TopicPartition(tp.topic, tp.partition) for tp in tps])
        )

    async def _open(self, tps: list[TopicPartition]) -> None:
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

    @property
    def wanted(self) -> KeysView[TopicPartition]:
        """The partitions whose position is known; the view follows as more become known."""
        return self._next.keys()

    def standings(self) -> list[Standing]:
        """How each partition stands, for whoever watches over the worker.

        A database that is away has a patience of its own, so meanwhile nothing is judged by the positions.
        """
        written, away = sum(self._next.values()), self._database.away
        return [
            Standing(
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
                # What arrives while this transaction runs has to wait for it anyhow, so one fetch may collect it.
                self._gather(self._transaction_s)
                await self._notify()
                await self._write_once(chunks)
        except Exception as error:
            self.closed = True
            self._failed(error)
        finally:
            self._writing = None
            self._gather(0.0)
            await self._notify()

    def _gather(self, seconds: float) -> None:
        if self._reader is not None:
            self._reader.gather(seconds)

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
        seconds = time.monotonic() - began
        self._transaction_s += (seconds - self._transaction_s) * NEWEST_SHARE
        self._progress.wrote(sum(len(chunk.records) for chunk in chunks), seconds, lambda: self._told(self._next))

    async def _go_back(self, missing: RecordsMissing, chunks: list[Chunk]) -> None:
        """Records were fetched while nobody listened: read them again, and write what the others brought."""
        tp = TopicPartition(self._feeds.topic(missing.topic), missing.partition)
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

    def _told(self, tps: Iterable[TopicPartition]) -> dict[str, int]:
        return {f"{self._feeds.name_of(tp.topic)}/{tp.partition}": self._next[tp] - 1 for tp in sorted(tps)}

    async def close(self) -> None:
        """Take nothing more and write what is here."""
        self.closed = True
        await self._notify()
        await self._drain()
