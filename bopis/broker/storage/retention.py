"""Retention: whole batches leave at the front, by age or by size, and their space is freed in small steps."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.database import OFFSET_MAX, row_id
from bopis.broker.storage.partition import LogPartition
from bopis.broker.storage.topic_settings import FOREVER

_SIZE = "SELECT coalesce(sum(size), 0) FROM batch WHERE id BETWEEN ? AND ?"
_OLDEST = "SELECT last_offset, max_timestamp, size FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_BEFORE = "SELECT id, last_offset, size FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_OF_DELETED_TOPICS = "SELECT id FROM partition WHERE topic_id IS NULL LIMIT 1"
_SILENT = (
    "SELECT partition_id, producer_id FROM producer WHERE updated_ms < ?"
    " AND producer_id NOT IN (SELECT producer_id FROM transactional) LIMIT ?"
)


class Purged(NamedTuple):
    """The result of one step of deleting batches: whether more are left, and the bytes freed."""

    more: bool
    freed: int


class SilentProducer(NamedTuple):
    """A producer that has written nothing to a partition for long."""

    partition_id: int
    producer_id: int


def measure(connection: sqlite3.Connection, partition_id: int, first: int, end: int) -> int:
    """The bytes of batches in a range of offsets."""
    if end <= first:
        return 0
    (size,) = connection.execute(_SIZE, (row_id(partition_id, first), row_id(partition_id, end - 1))).fetchone()
    return int(size)


def wants_retention(partition: LogPartition) -> bool:
    """Whether records of this partition may ever leave by age or size."""
    policy = partition.topic.policy
    return policy.delete and (policy.retention_ms != FOREVER or policy.retention_bytes != FOREVER)


def first_kept(
    connection: sqlite3.Connection, partition: LogPartition, oldest_ms: int, size: int | None, rows_max: int
) -> int:
    """The offset from which the partition is kept, judged by its oldest batches, at most `rows_max`.

    `oldest_ms` is the oldest time to keep; `size` is the partition's size in bytes, None without a limit of size.
    """
    policy = partition.topic.policy
    cut = partition.log_start
    rows = (row_id(partition.id, cut), row_id(partition.id, OFFSET_MAX), rows_max)
    for last_offset, max_timestamp, batch_size in connection.execute(_OLDEST, rows):
        # A batch leaves when its newest record is too old, or when the rest still reaches the limit of size.
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


def purge(connection: sqlite3.Connection, partition_id: int, before: int, limits: BrokerLimits) -> Purged:
    """Delete some of the batches that end before an offset."""
    if before <= 0:
        return Purged(more=False, freed=0)
    last, freed, count = None, 0, 0
    first_row, last_row = row_id(partition_id, 0), row_id(partition_id, before - 1)
    # A batch that contains the start stays whole; fetches begin at the offset inside.
    for identity, last_offset, size in connection.execute(_BEFORE, (first_row, last_row, limits.purge_slice_rows)):
        if last_offset >= before:
            break
        last, freed, count = identity, freed + size, count + 1
        if freed >= limits.purge_slice_bytes:
            break
    if last is None:
        return Purged(more=False, freed=0)
    connection.execute("DELETE FROM batch WHERE id BETWEEN ? AND ?", (first_row, last))
    return Purged(freed >= limits.purge_slice_bytes or count >= limits.purge_slice_rows, freed)


def has_deleted_topics(connection: sqlite3.Connection) -> bool:
    """Whether the file contains partitions of deleted topics."""
    return connection.execute(_OF_DELETED_TOPICS).fetchone() is not None


def purge_deleted_topics(connection: sqlite3.Connection, limits: BrokerLimits) -> None:
    """Delete some batches of a deleted topic's partition, and the partition itself when none is left."""
    row = connection.execute(_OF_DELETED_TOPICS).fetchone()
    if row is not None and not purge(connection, row[0], OFFSET_MAX, limits).more:
        connection.execute("DELETE FROM producer WHERE partition_id = ?", row)
        connection.execute("DELETE FROM partition WHERE id = ?", row)


def silent_producers(connection: sqlite3.Connection, before_ms: int, rows_max: int) -> list[SilentProducer]:
    """Producers that last wrote before a time; never one with a transactional id, because it must stay fenced."""
    return [SilentProducer._make(row) for row in connection.execute(_SILENT, (before_ms, rows_max))]


def delete_silent_producers(connection: sqlite3.Connection, before_ms: int, rows_max: int) -> None:
    """Delete the state of producers that are still silent."""
    # Selected again in the transaction: a producer may have written since it was read.
    rows = silent_producers(connection, before_ms, rows_max)
    connection.executemany("DELETE FROM producer WHERE partition_id = ? AND producer_id = ?", rows)
