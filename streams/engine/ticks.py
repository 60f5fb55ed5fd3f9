"""Messages that the owner of a partition appends to the partition's own source: ticks, and what it follows elsewhere.

A clock inside a decision would give another result on every replay, and so would a table that changes beside the log.
So the shell reads the clock and the table, and the time or the change becomes a message like any other: it has a place
in the order, and a replay finds it there again. Only the owner writes such messages, and none before its earlier ones
are decided.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from aiokafka.structs import TopicPartition

from streams.engine.batches import NO_HEADERS
from streams.engine.exact_step import NO_POSITION
from streams.engine.processor import LogRecord, Processor
from streams.engine.rows import PartitionRows
from streams.engine.writer import PartitionWriter
from streams.limits import StreamLimits


class Ticker:
    """Appends a processor's tick messages to its own partition: only when a row is due, and not again before the
    earlier tick is decided."""

    def __init__(
        self,
        rows: PartitionRows,
        writer: PartitionWriter,
        source: TopicPartition,
        processor: Processor,
        limits: StreamLimits,
    ) -> None:
        self._rows = rows
        self._writer = writer
        self._source = source
        self._processor = processor
        self._limits = limits
        self._awaited = NO_POSITION
        self._last_deadline = NO_POSITION
        self._last_at_ms = 0

    def wait_for(self, offset: int) -> None:
        """Append no tick before the source is decided up to `offset`."""
        self._awaited = offset

    async def run(self, position: Callable[[], int], log_now_ms: Callable[[], int]) -> None:
        """Check for due rows until cancelled, by the clock `log_now_ms`; `position` is the newest offset of the source
        that is decided."""
        while True:
            await asyncio.sleep(self._limits.tick_check_ms / 1000)
            deadline_ms, now_ms = self._rows.next_deadline(), log_now_ms()
            if deadline_ms is None or deadline_ms > now_ms or position() < self._awaited:
                continue
            if deadline_ms == self._last_deadline and now_ms - self._last_at_ms < self._limits.tick_repeat_ms:
                continue  # The tick was decided and the row is still due: append another, but not in a busy loop.
            await self._tick(deadline_ms, now_ms)

    async def _tick(self, deadline_ms: int, now_ms: int) -> None:
        self._last_deadline, self._last_at_ms = deadline_ms, now_ms
        messages = self._processor.tick(self._rows, now_ms)
        if messages:
            entries = [(key, value, NO_HEADERS) for key, value in messages]
            first = await self._writer.atomically(self._source, entries)
            self._awaited = first + len(entries) - 1


class PartitionFeed(Protocol):
    """What one partition lacks of the followed topics."""

    def messages(self, rows: PartitionRows) -> Sequence[tuple[bytes, bytes]]:
        """The next messages (key, value), few enough for one batch; none when the rows have everything.

        It changes no row: `Processor.handle` does, when the message comes back in order.
        """


class Feed(Protocol):
    """Compacted topics that a worker keeps whole, for the partitions that it owns."""

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics, named without prefix."""

    def take(self, topic: str, record: LogRecord, partition: int) -> None:
        """Take one record of a topic. Raises ValueError for one that cannot be read."""

    def of_partition(self) -> PartitionFeed:
        """The feed of one more partition."""


class Feeder:
    """Appends the messages of a feed to one partition, batch after batch."""

    def __init__(
        self,
        rows: PartitionRows,
        writer: PartitionWriter,
        source: TopicPartition,
        feed: PartitionFeed,
        limits: StreamLimits,
    ) -> None:
        self._rows = rows
        self._writer = writer
        self._source = source
        self._feed = feed
        self._limits = limits
        self._awaited = NO_POSITION

    def wait_for(self, offset: int) -> None:
        """Append nothing before the source is decided up to `offset`."""
        self._awaited = offset

    async def run(self, position: Callable[[], int]) -> None:
        """Append what is lacking until cancelled; `position` is the newest offset of the source that is decided."""
        while True:
            await asyncio.sleep(self._limits.tick_check_ms / 1000)
            if position() < self._awaited:
                continue
            entries = [(key, value, NO_HEADERS) for key, value in self._feed.messages(self._rows)]
            if entries:
                self._awaited = await self._writer.atomically(self._source, entries) + len(entries) - 1
