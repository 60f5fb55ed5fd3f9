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

from streams.engine.batches import NO_HEADERS, BatchEntry
from streams.engine.exact_step import NO_POSITION
from streams.engine.processor import LogRecord, Processor
from streams.engine.rows import PartitionRows
from streams.engine.writer import PartitionWriter
from streams.limits import StreamLimits

Beat = Callable[[], None]


class Pulse:
    """One timer of a worker for all of its partitions: calls functions again and again, in one turn of the loop, while
    there are any. A timer for each would wake an idle process a hundred times a second."""

    def __init__(self, interval_s: float = StreamLimits().tick_check_ms / 1000) -> None:
        self._interval_s = interval_s
        self._beats: dict[Beat, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, beat: Beat) -> None:
        """Call a function from now on; it must not raise. Call this on the loop that the function needs."""
        self._beats[beat] = None
        if self._timer is None:
            self._wait()

    def remove(self, beat: Beat) -> None:
        """Call a function no more. One that was not added is ignored."""
        self._beats.pop(beat, None)
        if not self._beats and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._beat)

    def _beat(self) -> None:
        self._wait()
        for beat in tuple(self._beats):
            beat()


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
        self._last_deadline: int | None = None
        self._last_at_ms = 0

    def wait_for(self, offset: int) -> None:
        """Append no tick before the source is decided up to `offset`."""
        self._awaited = offset

    def is_due(self, position: int, log_now_ms: Callable[[], int]) -> bool:
        """Whether a tick is to be appended now, by the clock `log_now_ms`; `position` is the newest offset of the
        source that is decided."""
        deadline_ms = self._rows.next_deadline()
        if deadline_ms is None or position < self._awaited:
            return False
        now_ms = log_now_ms()
        if deadline_ms > now_ms:
            return False
        # The tick may have been decided and the row be due still: append another, but not in a busy loop.
        return deadline_ms != self._last_deadline or now_ms - self._last_at_ms >= self._limits.tick_repeat_ms

    async def append(self, now_ms: int) -> None:
        """Append the ticks of the rows that are due."""
        self._last_deadline, self._last_at_ms = self._rows.next_deadline(), now_ms
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

    def lacking(self, position: int) -> Sequence[BatchEntry]:
        """The messages to append now; `position` is the newest offset of the source that is decided."""
        if position < self._awaited:
            return ()
        return [(key, value, NO_HEADERS) for key, value in self._feed.messages(self._rows)]

    async def append(self, entries: Sequence[BatchEntry]) -> None:
        """Append what was lacking."""
        self._awaited = await self._writer.atomically(self._source, entries) + len(entries) - 1
