"""Warm copies of tables whose partitions other workers own, so that a takeover reads only the end of a changelog.

A copy is an ordinary table into which the changelog is folded as it grows. Who keeps which copies is decided where
it is decided who owns what: in the group's assignment, which also prefers the keeper of a copy as the next owner.
"""

import asyncio
import time
from collections.abc import Collection, Iterator

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.batches import Chunk, fetched_chunks
from streams.client import LogClient
from streams.connection import Connection
from streams.limits import StreamLimits
from streams.processor import Processor
from streams.recovery import reader
from streams.standing import OPENING, READY, STANDBY, Standing
from streams.table import Table

log = structlog.get_logger("streams.standby")


class Copy:
    """The table of a partition, and the first offset of its changelog that is not in it; None: nothing is yet."""

    __slots__ = ("complete_at", "following", "table")

    def __init__(self, table: Table, following: int | None = None) -> None:
        self.table = table
        self.following = following
        self.complete_at = time.time()


class Standbys:
    """The copies of one worker, fed by a consumer of their own, in the background and in small pieces."""

    def __init__(self, processor: Processor, connection: Connection, limits: StreamLimits, client: LogClient) -> None:
        self._processor = processor
        self._topic = connection.topic(processor.changelog)
        self._reach = (connection, limits)
        self._limits = limits
        self._client = client
        self._copies: dict[int, Copy] = {}
        self._ends: dict[int, int] = {}
        self._changed = False
        self._running: asyncio.Task[None] | None = None

    def follow(self, numbers: Collection[int]) -> None:
        """Keep copies of these partitions, and of no others."""
        for number in [it for it in self._copies if it not in numbers]:
            self.take(number)
        for number in sorted(set(numbers) - set(self._copies)):
            self.adopt(number, Copy(Table(self._processor)))

    def adopt(self, number: int, copy: Copy) -> None:
        """Keep a partition's copy from here on; what was kept of it before is forgotten."""
        self._copies[number] = copy
        self._changed = True
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    def take(self, number: int) -> Copy | None:
        """Give a copy away: it is not followed any more. None when there is none that is any use."""
        copy = self._copies.pop(number, None)
        self._ends.pop(number, None)
        self._changed = True
        return None if copy is None or copy.following is None or self._outlived(copy) else copy

    async def close(self) -> None:
        """Stop following and let the reader go."""
        running = self._running
        self.abandon()
        if running is not None:
            await asyncio.wait([running], timeout=self._limits.stop_s_max)

    def abandon(self) -> None:
        self._copies.clear()
        if self._running is not None:
            self._running.cancel()

    def standings(self) -> Iterator[Standing]:
        """How each copy stands, by partition: how long ago it held everything, and how many records it lacks."""
        for number, copy in sorted(self._copies.items()):
            following = copy.following or 0
            lag = max(0, self._ends.get(number, following) - following)
            yield Standing(
                topic=self._topic,
                partition=number,
                role=STANDBY,
                state=READY if copy.following is not None and not lag else OPENING,
                position=copy.table.position,
                rows=len(copy.table.rows),
                lag=lag,
                age_s=round(max(0.0, time.time() - copy.complete_at), 3),
            )

    async def _run(self) -> None:
        """Follow while there is something to follow. What goes wrong here is no reason to end the worker: the copies
        are made anew."""
        try:
            while self._copies:
                try:
                    await self._follow()
                except Exception as error:
                    log.warning("standby.fell", processor=self._processor.name, error=repr(error))
                    self._copies = {number: Copy(Table(self._processor)) for number in self._copies}
                    await asyncio.sleep(self._limits.standby_retry_s)
        finally:
            self._running = None

    async def _follow(self) -> None:
        limits = self._limits
        fetching = {
            "max_partition_fetch_bytes": limits.fetch_bytes_max,
            # Few large answers instead of one for every commit of the owner: the copy is allowed to lag a little.
            "fetch_min_bytes": limits.standby_fetch_bytes_min,
            "fetch_max_wait_ms": limits.standby_fetch_wait_ms,
        }
        async with reader(self._client, self._reach, fetching) as consumer:
            self._changed = True
            while self._copies:
                if self._changed:
                    await self._place(consumer)
                chunks = await fetched_chunks(consumer._fetcher, None, limits.fetch_wait_s)
                for tp, chunk in chunks.items():
                    await self._load(consumer, tp, chunk)
                self._look(consumer)

    def _tp(self, number: int) -> TopicPartition:
        return TopicPartition(self._topic, number)

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        """Read the partitions that are kept now, each from where its copy stands."""
        self._changed = False
        copies = dict(self._copies)
        consumer.assign([self._tp(number) for number in copies])
        for number, copy in copies.items():
            if copy.following is None:
                await consumer.seek_to_beginning(self._tp(number))
            else:
                consumer.seek(self._tp(number), copy.following)

    async def _load(self, consumer: AIOKafkaConsumer, tp: TopicPartition, chunk: Chunk) -> None:
        """Fold a chunk into its copy, a slice at a time, because the same loop decides for the partitions owned."""
        number = tp.partition
        copy = self._copies.get(number)
        if copy is None or self._changed:
            return  # What is fetched may belong to a copy that was exchanged; placing comes first.
        if copy.following not in (None, chunk.start) or self._outlived(copy):
            log.info("standby.begins_anew", partition=number, followed=copy.following, found=chunk.start)
            self._copies[number] = Copy(Table(self._processor))
            await consumer.seek_to_beginning(tp)
            return
        size = self._limits.standby_slice_records
        for first in range(0, len(chunk.records), size):
            records = chunk.records[first : first + size]
            copy.table.load(records)
            copy.following = records[-1].offset + 1
            await asyncio.sleep(0)
            if self._copies.get(number) is not copy:
                return
        copy.following = chunk.next

    def _look(self, consumer: AIOKafkaConsumer) -> None:
        """Note which copies are complete: an answer without records says so, too."""
        if self._changed:
            return
        for number, copy in self._copies.items():
            end, asked_ms = consumer.highwater(self._tp(number)), consumer.last_poll_timestamp(self._tp(number))
            if end is None or asked_ms is None:
                continue
            self._ends[number] = end
            if copy.following is None and end == 0:
                copy.following = 0
            if copy.following is not None and copy.following >= end:
                copy.complete_at = max(copy.complete_at, asked_ms / 1000)

    def _outlived(self, copy: Copy) -> bool:
        """Whether the copy was behind for longer than the log keeps the records that remove rows."""
        return time.time() - copy.complete_at > self._limits.tombstones_kept_s
