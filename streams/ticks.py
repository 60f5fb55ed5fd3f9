"""Ticks: when a deadline has come, the partition tells itself so, through its own source.

A clock inside a decision would answer differently on every replay. So the shell looks at the clock, and what it saw
becomes a message like any other: it has a place in the order, and a replay meets it there again.
"""

import asyncio
from collections.abc import Callable

from aiokafka.structs import TopicPartition

from bopis.clock import now_ms as log_now_ms
from streams.batches import NO_HEADERS
from streams.limits import StreamLimits
from streams.processor import Processor
from streams.rows import Rows
from streams.rules import NO_POSITION
from streams.writer import PartitionWriter


class Ticker:
    """Appends a processor's tick messages to its own partition: only when something is due, and not again while
    an earlier tick is still on its way."""

    def __init__(
        self, rows: Rows, writer: PartitionWriter, source: TopicPartition, processor: Processor, limits: StreamLimits
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
        """No tick before the source is decided up to `offset`."""
        self._awaited = offset

    async def run(self, position: Callable[[], int]) -> None:
        while True:
            await asyncio.sleep(self._limits.tick_check_ms / 1000)
            deadline_ms, now_ms = self._rows.next_deadline(), log_now_ms()
            if deadline_ms is None or deadline_ms > now_ms or position() < self._awaited:
                continue
            if deadline_ms == self._last_deadline and now_ms - self._last_at_ms < self._limits.tick_repeat_ms:
                continue  # The tick came back and the row is still due: ask again, but not in a busy loop.
            await self._tick(deadline_ms, now_ms)

    async def _tick(self, deadline_ms: int, now_ms: int) -> None:
        self._last_deadline, self._last_at_ms = deadline_ms, now_ms
        messages = self._processor.tick(self._rows, now_ms)
        if messages:
            entries = [(key, value, NO_HEADERS) for key, value in messages]
            first = await self._writer.atomically(self._source, entries)
            self._awaited = first + len(entries) - 1
