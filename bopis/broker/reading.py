"""Reading what is no longer in memory: a thread with its own connection, so that a cold read blocks nobody."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from bopis.broker.codes import Code
from bopis.broker.database import OFFSET_MAX, named_failure, offset_of, open_reader, row_id
from bopis.broker.errors import Refused
from bopis.broker.limits import BrokerLimits
from bopis.broker.records import first_at_or_after

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_AT_OR_BEFORE = "SELECT id, last_offset, top_timestamp FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
_AT_OR_AFTER = "SELECT id, top_timestamp FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"
_READ = "SELECT records FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_LATE_ENOUGH = "SELECT id, records FROM batch WHERE id BETWEEN ? AND ? AND max_timestamp >= ? ORDER BY id LIMIT 1"


class Span:
    """A range of a partition that is to be read."""

    __slots__ = ("bytes_max", "end", "offset", "partition_id", "whole_first")

    def __init__(self, partition_id: int, offset: int, end: int, bytes_max: int, whole_first: bool = True) -> None:
        self.partition_id = partition_id
        self.offset = offset
        self.end = end
        self.bytes_max = bytes_max
        self.whole_first = whole_first


class LogReader:
    """Answers from the file. Each call runs in the reading thread."""

    def __init__(self, path: Path, limits: BrokerLimits) -> None:
        self._path = path
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._connection = open_reader(path, limits)

    async def close(self) -> None:
        """Let the read in flight finish."""
        await asyncio.to_thread(self._pool.shutdown)
        self._connection.close()

    async def run(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run a read; damage found by it is the client's storage error, not the end of the server."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._connection)
        except sqlite3.Error as error:
            log.error("log.read_failed", extra={"path": str(self._path)}, exc_info=named_failure(self._path, error))
            raise Refused(Code.KAFKA_STORAGE_ERROR, str(error)) from error

    async def read(self, span: Span) -> list[bytes]:
        """Whole batches from the one that holds the offset, at least one if there is one."""
        return await self.run(lambda connection: read_batches(connection, span, self._limits.read_batches_max))

    async def offset_at(self, partition_id: int, bounds: tuple[int, int], timestamp_ms: int) -> tuple[int, int] | None:
        """The first record, and its time, that is not older than the time; None when all are."""
        return await self.run(lambda connection: find_offset(connection, partition_id, bounds, timestamp_ms))


def read_batches(connection: sqlite3.Connection, span: Span, batches_max: int) -> list[bytes]:
    """The stored batches of a span, cut to its bytes."""
    low, at = row_id(span.partition_id, 0), row_id(span.partition_id, span.offset)
    before = connection.execute(_AT_OR_BEFORE, (low, at)).fetchone()
    if before is not None and before[1] >= span.offset:
        at = before[0]
    found: list[bytes] = []
    size = 0
    rows = connection.execute(_READ, (at, row_id(span.partition_id, span.end - 1), batches_max))
    for (records,) in rows:
        size += len(records)
        if size > span.bytes_max and (found or not span.whole_first):
            break
        found.append(records)
        if size >= span.bytes_max:
            break
    rows.close()
    return found


def find_offset(
    connection: sqlite3.Connection, partition_id: int, bounds: tuple[int, int], timestamp_ms: int
) -> tuple[int, int] | None:
    """Bisect on the running maximum of the times, which never falls, then look inside the batch."""
    low, high = bounds
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(_AT_OR_BEFORE, (row_id(partition_id, 0), row_id(partition_id, middle))).fetchone()
        if row is not None and row[2] >= timestamp_ms:
            high = min(middle, max(low, offset_of(row[0])))
        else:
            low = middle + 1
    first, last = row_id(partition_id, bounds[0]), row_id(partition_id, OFFSET_MAX)
    before = connection.execute(_AT_OR_BEFORE, (row_id(partition_id, 0), row_id(partition_id, low))).fetchone()
    if before is not None:
        first = before[0] if before[1] >= bounds[0] else first
    for identity, records in connection.execute(_LATE_ENOUGH, (first, last, timestamp_ms)):
        return first_at_or_after(offset_of(identity), records, timestamp_ms)
    return None
