"""Reads of records that are no longer in memory, by a thread with its own connection, so that the loop never waits."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.database import OFFSET_MAX, named_failure, offset_of, open_reader, row_id
from bopis.broker.storage.partition import LogPartition
from bopis.broker.storage.records import FoundRecord, first_since

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_AT_OR_BEFORE = "SELECT id, last_offset, top_timestamp FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
_READ = "SELECT records FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_LATE_ENOUGH = "SELECT id, records FROM batch WHERE id BETWEEN ? AND ? AND max_timestamp >= ? ORDER BY id LIMIT 1"


class ReadRange(NamedTuple):
    """Offsets of a partition to read, from `offset` to before `end`, up to `bytes_max`.

    With `whole_first` the first batch is read whatever its size.
    """

    partition_id: int
    offset: int
    end: int
    bytes_max: int
    whole_first: bool = True


class ColdReader:
    """Answers from the file. Each call runs in the reading thread."""

    def __init__(self, path: Path, limits: BrokerLimits) -> None:
        self._path = path
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._connection = open_reader(path, limits)

    async def close(self) -> None:
        """Wait for the read under way, then close."""
        await asyncio.to_thread(self._pool.shutdown)
        self._connection.close()

    async def run(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run a read. Raises `Refused` for a damaged page: that fails the request which needs it, not the server."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._connection)
        except sqlite3.Error as error:
            log.error("log.read_failed", extra={"path": str(self._path)}, exc_info=named_failure(self._path, error))
            raise Refused(ErrorCode.KAFKA_STORAGE_ERROR, str(error)) from error

    async def read(self, wanted: ReadRange) -> list[bytes]:
        """Whole batches, beginning with the one that contains the first offset."""
        return await self.run(lambda connection: read_batches(connection, wanted, self._limits.read_batches_max))

    async def first_since(self, partition: LogPartition, timestamp_ms: int) -> FoundRecord | None:
        """The first record of a partition that is not older than a time; None when all are older."""
        partition_id, start, end = partition.id, partition.log_start, partition.end
        return await self.run(lambda connection: find_record(connection, partition_id, start, end, timestamp_ms))


def read_batches(connection: sqlite3.Connection, wanted: ReadRange, batches_max: int) -> list[bytes]:
    """The stored batches of a range, at most `batches_max`."""
    first, at = row_id(wanted.partition_id, 0), row_id(wanted.partition_id, wanted.offset)
    # Rows are found by base offset, and the offset may be inside of a batch.
    before = connection.execute(_AT_OR_BEFORE, (first, at)).fetchone()
    if before is not None and before[1] >= wanted.offset:
        at = before[0]
    found: list[bytes] = []
    size = 0
    rows = connection.execute(_READ, (at, row_id(wanted.partition_id, wanted.end - 1), batches_max))
    for (records,) in rows:
        size += len(records)
        if size > wanted.bytes_max and (found or not wanted.whole_first):
            break
        found.append(records)
        if size >= wanted.bytes_max:
            break
    rows.close()
    return found


def find_record(
    connection: sqlite3.Connection, partition_id: int, start: int, end: int, timestamp_ms: int
) -> FoundRecord | None:
    """Bisect on the running maximum of times, which never falls, then look inside the batch."""
    low, high = start, end
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(_AT_OR_BEFORE, (row_id(partition_id, 0), row_id(partition_id, middle))).fetchone()
        # A middle without a batch (compacted away) counts with the batch before it.
        if row is not None and row[2] >= timestamp_ms:
            high = min(middle, max(low, offset_of(row[0])))
        else:
            low = middle + 1
    first, last = row_id(partition_id, start), row_id(partition_id, OFFSET_MAX)
    before = connection.execute(_AT_OR_BEFORE, (row_id(partition_id, 0), row_id(partition_id, low))).fetchone()
    if before is not None:
        first = before[0] if before[1] >= start else first
    for identity, records in connection.execute(_LATE_ENOUGH, (first, last, timestamp_ms)):
        return first_since(offset_of(identity), records, timestamp_ms)
    return None
