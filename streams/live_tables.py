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

log = structlog.get_logger("streams.live_tables")

# (topic without prefix, key, value); raises ValueError for a row that cannot be read.
Take = Callable[[str, str, bytes | None], None]


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
            max_partition_fetch_bytes=limits.recovery_fetch_bytes_max,
            request_timeout_ms=limits.request_timeout_ms,
            **connection.client_options(),
        )

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
            await self._fold()

    async def follow(self) -> None:
        """Go on reading until cancelled."""
        while True:
            await self._fold()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def _fold(self) -> None:
        chunks = await fetched_chunks(self._consumer._fetcher, None, self._limits.fetch_wait_s)
        for chunk in chunks.values():
            name = chunk.tp.topic.removeprefix(self._connection.prefix)
            for record in chunk.records:
                try:
                    self._take(name, (record.key or b"").decode(), record.value)
                except ValueError as error:
                    # A row that another version wrote: the others still count.
                    log.warning("row.unreadable", topic=chunk.tp.topic, offset=record.offset, error=str(error))
            self._positions[chunk.tp] = chunk.next
        await asyncio.sleep(0)
