"""Compacted topics held whole in a worker: read from the beginning, then followed. No group, no position to keep."""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.batches import fetched_chunks
from streams.client import EARLIEST, LATEST, LogClient
from streams.connection import Connection
from streams.limits import StreamLimits
from streams.processor import Record

log = structlog.get_logger("streams.live_tables")

# (topic without prefix, record, partition); raises ValueError for a row that cannot be read.
Take = Callable[[str, Record, int], None]


class LiveTables:
    """Rows of several topics, handed to one function in the order of each partition."""

    def __init__(self, connection: Connection, limits: StreamLimits, names: Sequence[str], take: Take) -> None:
        self._connection = connection
        self._limits = limits
        self._names = names
        self._take = take
        self._positions: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_min_bytes=limits.table_fetch_bytes_min,
            fetch_max_wait_ms=limits.table_fetch_wait_ms,
            max_partition_fetch_bytes=limits.recovery_fetch_bytes_max,
            request_timeout_ms=limits.request_timeout_ms,
            **connection.client_options(),
        )

    @property
    def records(self) -> int:
        """How far the topics were read, all partitions together."""
        return sum(self._positions.values())

    async def load(self, client: LogClient) -> None:
        """Read up to where the topics end now: who speaks before that knows only half."""
        await client.patiently("tables", self._consumer.start)
        ends = {}
        for name in self._names:
            topic = self._connection.topic(name)
            for number in range(await client.partitions(topic)):
                tp = TopicPartition(topic, number)
                ends[tp] = await client.offset(tp, LATEST)
                self._positions[tp] = await client.offset(tp, EARLIEST)
        self._consumer.assign(list(ends))
        for tp, offset in self._positions.items():
            self._consumer.seek(tp, offset)
        while any(self._positions[tp] < end for tp, end in ends.items()):
            await self.fold()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def fold(self) -> bool:
        """Take what one fetch brings. Returns whether it brought anything."""
        chunks = await fetched_chunks(self._consumer._fetcher, None, self._limits.fetch_wait_s)
        for chunk in chunks.values():
            name = chunk.tp.topic.removeprefix(self._connection.prefix)
            for record in chunk.records:
                try:
                    self._take(name, record, chunk.tp.partition)
                except ValueError as error:
                    # A row that another version wrote, or none at all: the others still count.
                    log.warning("row.unreadable", topic=chunk.tp.topic, offset=record.offset, error=str(error))
            self._positions[chunk.tp] = chunk.next
        await asyncio.sleep(0)
        return bool(chunks)
