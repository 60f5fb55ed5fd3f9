"""Retention: whole batches leave at the front, by age or by size, and their bytes are given back in small steps."""

from __future__ import annotations

import sqlite3
import time

from bopis.broker.database import OFFSET_MAX, row_id
from bopis.broker.limits import BrokerLimits
from bopis.broker.partition import Partition
from bopis.broker.topics import FOREVER

_SIZE = "SELECT coalesce(sum(size), 0) FROM batch WHERE id BETWEEN ? AND ?"
_OLDEST = "SELECT last_offset, max_timestamp, size FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_BEFORE = "SELECT id, last_offset, size FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_SILENT = (
    "SELECT partition_id, producer_id FROM producer WHERE updated_ms < ?"
    " AND producer_id NOT IN (SELECT producer_id FROM transactional) LIMIT ?"
)


def measure(connection: sqlite3.Connection, partition_id: int, first: int, end: int) -> int:
    """How many bytes of batches lie in a range of offsets."""
    if end <= first:
        return 0
    (size,) = connection.execute(_SIZE, (row_id(partition_id, first), row_id(partition_id, end - 1))).fetchone()
    return int(size)


def wants_retention(partition: Partition) -> bool:
    """Whether anything of this partition may ever leave by age or size."""
    policy = partition.topic.policy
    return policy.delete and (policy.retention_ms != FOREVER or policy.retention_bytes != FOREVER)


def first_kept(connection: sqlite3.Connection, partition: Partition, size: int | None, rows_max: int) -> int:
    """The offset from which the partition is kept. Looks at so many of the oldest batches at once."""
    policy = partition.topic.policy
    oldest_ms = time.time_ns() // 1_000_000 - policy.retention_ms
    cut = partition.log_start
    span = (row_id(partition.id, cut), row_id(partition.id, OFFSET_MAX))
    for last_offset, max_timestamp, batch_size in connection.execute(_OLDEST, (*span, rows_max)):
        too_old = policy.retention_ms != FOREVER and max_timestamp < oldest_ms
        too_much = (
            size is not None and policy.retention_bytes != FOREVER and size - batch_size >= policy.retention_bytes
        )
        if not (too_old or too_much):
            break
        cut = last_offset + 1
        if size is not None:
            size -= batch_size
    return min(cut, partition.end)


def purge(connection: sqlite3.Connection, partition_id: int, before: int, limits: BrokerLimits) -> tuple[bool, int]:
    """Delete some batches that end before an offset. Returns whether any are left, and the bytes that went."""
    if before <= 0:
        return False, 0
    last, freed, count = None, 0, 0
    span = (row_id(partition_id, 0), row_id(partition_id, before - 1))
    for identity, last_offset, size in connection.execute(_BEFORE, (*span, limits.purge_slice_rows)):
        if last_offset >= before:
            break
        last, freed, count = identity, freed + size, count + 1
        if freed >= limits.purge_slice_bytes:
            break
    if last is None:
        return False, 0
    connection.execute("DELETE FROM batch WHERE id BETWEEN ? AND ?", (span[0], last))
    return freed >= limits.purge_slice_bytes or count >= limits.purge_slice_rows, freed


def has_doomed(connection: sqlite3.Connection) -> bool:
    """Whether there are remains of deleted topics."""
    return connection.execute("SELECT 1 FROM partition WHERE topic_id IS NULL LIMIT 1").fetchone() is not None


def purge_doomed(connection: sqlite3.Connection, limits: BrokerLimits) -> bool:
    """Delete some batches of deleted topics, then what is left of their partitions. Returns whether to go on."""
    row = connection.execute("SELECT id FROM partition WHERE topic_id IS NULL LIMIT 1").fetchone()
    if row is None:
        return False
    more, _ = purge(connection, row[0], OFFSET_MAX, limits)
    if not more:
        connection.execute("DELETE FROM producer WHERE partition_id = ?", row)
        connection.execute("DELETE FROM partition WHERE id = ?", row)
    return True


def silent_producers(connection: sqlite3.Connection, before_ms: int, rows_max: int) -> list[tuple[int, int]]:
    """Producers that have been silent for long; never a named one, because it must stay fenced."""
    return connection.execute(_SILENT, (before_ms, rows_max)).fetchall()


def forget_producers(connection: sqlite3.Connection, before_ms: int, rows_max: int) -> int:
    """Forget those that are silent still."""
    rows = silent_producers(connection, before_ms, rows_max)
    connection.executemany("DELETE FROM producer WHERE partition_id = ? AND producer_id = ?", rows)
    return len(rows)
