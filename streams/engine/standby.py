"""Standby tables of partitions that other workers own, so that a takeover reads only the end of a changelog.

A standby is an ordinary table into which the changelog is folded as it grows. The group's assignment decides who keeps
which standbys, as it decides who owns what, and prefers the keeper of a standby as the next owner.
"""

import asyncio
import time
from collections.abc import Collection, Iterator

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.engine.aiokafka_internals import fetch_chunks
from streams.engine.batches import Chunk
from streams.engine.partition_status import OPENING, READY, STANDBY, PartitionStatus
from streams.engine.recovery import changelog_consumer
from streams.engine.table import PartitionTable
from streams.engine.worker_context import WorkerContext

log = structlog.get_logger("streams.engine.standby")


class StandbyTable:
    """A table and the first offset of its changelog that is not in it; None: nothing is read yet."""

    __slots__ = ("complete_at", "following", "table")

    def __init__(self, table: PartitionTable, following: int | None = None) -> None:
        self.table = table
        self.following = following
        # When the table last held the whole changelog, in seconds since 1970.
        self.complete_at = time.time()


class StandbyTables:
    """The standbys of one worker, fed by a consumer of their own, in the background and in small pieces."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._processor = context.processor
        self._limits = context.limits
        self._topic = context.connection.topic(context.processor.changelog)
        self._standbys: dict[int, StandbyTable] = {}
        self._ends: dict[int, int] = {}
        self._changed = False
        self._running: asyncio.Task[None] | None = None

    def keep(self, numbers: Collection[int]) -> None:
        """Keep standbys of these partitions, and of no others."""
        for number in [it for it in self._standbys if it not in numbers]:
            self.take(number)
        for number in sorted(set(numbers) - set(self._standbys)):
            self.adopt(number, self._new())

    def adopt(self, number: int, standby: StandbyTable) -> None:
        """Keep this standby of a partition; an earlier one is dropped."""
        self._standbys[number] = standby
        self._changed = True
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    def take(self, number: int) -> StandbyTable | None:
        """Give a standby away; it is not fed any more. None when there is none, or none that is of use."""
        standby = self._standbys.pop(number, None)
        self._ends.pop(number, None)
        self._changed = True
        unusable = standby is None or standby.following is None or self._is_outlived(standby)
        return None if unusable else standby

    async def close(self) -> None:
        """Stop feeding and release the consumer."""
        running = self._running
        self.abandon()
        if running is not None:
            await asyncio.wait([running], timeout=self._limits.stop_s_max)

    def abandon(self) -> None:
        """Stop feeding at once."""
        self._standbys.clear()
        if self._running is not None:
            self._running.cancel()

    def statuses(self) -> Iterator[PartitionStatus]:
        """The status of each standby, by partition: how long ago it was complete, and how many records it lacks."""
        for number, standby in sorted(self._standbys.items()):
            following = standby.following or 0
            lag = max(0, self._ends.get(number, following) - following)
            yield PartitionStatus(
                topic=self._topic,
                partition=number,
                role=STANDBY,
                state=READY if standby.following is not None and not lag else OPENING,
                position=standby.table.position,
                rows=len(standby.table.rows),
                lag=lag,
                age_s=round(max(0.0, time.time() - standby.complete_at), 3),
            )

    def _new(self) -> StandbyTable:
        return StandbyTable(PartitionTable(self._processor))

    async def _run(self) -> None:
        """Feed while there is a standby. A failure is no reason to end the worker: the standbys begin again."""
        try:
            while self._standbys:
                try:
                    await self._feed()
                except Exception as error:
                    log.warning("standby.fell", processor=self._processor.name, error=repr(error))
                    self._standbys = {number: self._new() for number in self._standbys}
                    await asyncio.sleep(self._limits.standby_retry_s)
        finally:
            self._running = None

    async def _feed(self) -> None:
        limits = self._limits
        async with changelog_consumer(
            self._context,
            max_partition_fetch_bytes=limits.fetch_bytes_max,
            # Few large fetches instead of one for every commit of the owner: a standby may lag a little.
            fetch_min_bytes=limits.standby_fetch_bytes_min,
            fetch_max_wait_ms=limits.standby_fetch_wait_ms,
        ) as consumer:
            self._changed = True
            while self._standbys:
                if self._changed:
                    await self._assign(consumer)
                chunks = await fetch_chunks(consumer, None, limits.fetch_wait_s)
                for tp, chunk in chunks.items():
                    await self._load(consumer, tp, chunk)
                self._note_complete(consumer)

    def _tp(self, number: int) -> TopicPartition:
        return TopicPartition(self._topic, number)

    async def _assign(self, consumer: AIOKafkaConsumer) -> None:
        """Read the partitions that are kept now, each from the end of its standby."""
        self._changed = False
        standbys = dict(self._standbys)
        consumer.assign([self._tp(number) for number in standbys])
        for number, standby in standbys.items():
            if standby.following is None:
                await consumer.seek_to_beginning(self._tp(number))
            else:
                consumer.seek(self._tp(number), standby.following)

    async def _load(self, consumer: AIOKafkaConsumer, tp: TopicPartition, chunk: Chunk) -> None:
        """Fold a chunk into its standby, a slice at a time: the same loop decides for the partitions owned."""
        number = tp.partition
        standby = self._standbys.get(number)
        if standby is None or self._changed:
            return  # The chunk may belong to a standby that was replaced; `_assign` comes first.
        if standby.following not in (None, chunk.start) or self._is_outlived(standby):
            log.info("standby.begins_anew", partition=number, followed=standby.following, found=chunk.start)
            self._standbys[number] = self._new()
            await consumer.seek_to_beginning(tp)
            return
        size = self._limits.standby_slice_records
        for first in range(0, len(chunk.records), size):
            records = chunk.records[first : first + size]
            standby.table.load(records)
            standby.following = records[-1].offset + 1
            await asyncio.sleep(0)
            if self._standbys.get(number) is not standby:
                return
        standby.following = chunk.next

    def _note_complete(self, consumer: AIOKafkaConsumer) -> None:
        """Note which standbys are complete: a fetch without records shows it, too."""
        if self._changed:
            return
        for number, standby in self._standbys.items():
            end, asked_ms = consumer.highwater(self._tp(number)), consumer.last_poll_timestamp(self._tp(number))
            if end is None or asked_ms is None:
                continue
            self._ends[number] = end
            if standby.following is None and end == 0:
                standby.following = 0
            if standby.following is not None and standby.following >= end:
                standby.complete_at = max(standby.complete_at, asked_ms / 1000)

    def _is_outlived(self, standby: StandbyTable) -> bool:
        """Whether it lagged for longer than the log keeps tombstones, so that it may have missed one."""
        return time.time() - standby.complete_at > self._limits.tombstones_kept_s
