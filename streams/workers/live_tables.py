"""Compacted topics held whole in a worker: read from the beginning, then followed. No group, no position to keep."""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.engine.aiokafka_internals import fetch_chunks, set_fetch_sizes
from streams.engine.connection import LogConnection
from streams.engine.consumers import standalone_consumer
from streams.engine.log_client import EARLIEST, LATEST, LogClient
from streams.engine.processor import LogRecord
from streams.limits import StreamLimits

log = structlog.get_logger("streams.workers.live_tables")

# (topic without prefix, record, partition); raises ValueError for a row that cannot be read.
TakeRow = Callable[[str, LogRecord, int], None]


class LiveTables:
    """Rows of several topics, handed to one function in the order of each partition."""

    def __init__(self, connection: LogConnection, limits: StreamLimits, names: Sequence[str], take: TakeRow) -> None:
        self._connection = connection
        self._limits = limits
        self._names = names
        self._take = take
        self._positions: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer = None
        self._is_quiet = False

    @property
    def records(self) -> int:
        """Offsets read so far, all partitions together: it grows while a load makes progress."""
        return sum(self._positions.values())

    async def load(self, client: LogClient) -> None:
        """Read up to where the topics end now: a decision before that would see half of the tables."""
        self._consumer = standalone_consumer(
            self._connection,
            self._limits,
            fetch_min_bytes=self._limits.table_fetch_bytes_min,
            fetch_max_wait_ms=self._limits.table_fetch_wait_ms,
            max_partition_fetch_bytes=self._limits.recovery_fetch_bytes_max,
        )
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
        """Follow no longer."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def fold(self) -> bool:
        """Take the rows of one fetch. Returns whether there were any."""
        chunks = await fetch_chunks(self._consumer, None, self._limits.fetch_wait_s)
        self._gather(bool(chunks))
        for chunk in chunks.values():
            name = chunk.tp.topic.removeprefix(self._connection.prefix)
            for record in chunk.records:
                try:
                    self._take(name, record, chunk.tp.partition)
                except ValueError as error:
                    # A row of another version, or none at all: the others still count.
                    log.warning("row.unreadable", topic=chunk.tp.topic, offset=record.offset, error=str(error))
            self._positions[chunk.tp] = chunk.next
        # A fetch that is there already returns without a wait, and other tasks share this loop.
        await asyncio.sleep(0)
        return bool(chunks)

    def _gather(self, has_rows: bool) -> None:
        """Fetch rows that follow each other closely in larger pieces. While there are none, let the log wait for the
        first one: a hundred fetches a second that bring nothing would keep a core busy on an idle machine."""
        if has_rows is not self._is_quiet:
            return
        self._is_quiet = not has_rows
        if self._is_quiet:
            set_fetch_sizes(self._consumer, 1, self._limits.table_quiet_wait_ms)
        else:
            set_fetch_sizes(self._consumer, self._limits.table_fetch_bytes_min, self._limits.table_fetch_wait_ms)
