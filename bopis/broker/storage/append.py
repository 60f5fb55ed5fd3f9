"""Appending: each batch is checked, given its offset, and staged; memory is updated only after the commit."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import NamedTuple

from bopis.broker.clock import RecordClock, system_ms
from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.batch import NO_PRODUCER, BatchHeader, check_batch, stamp
from bopis.broker.storage.database import OFFSET_MAX, row_id
from bopis.broker.storage.partition import CachedBatch, LogPartition, TailCache
from bopis.broker.storage.producer_state import (
    ProducerState,
    RecentBatch,
    check_sequence,
    find_duplicate,
    pack_batches,
    remember,
    unpack_state,
)

NO_TIME = -1

_INSERT_BATCH = "INSERT INTO batch VALUES (?, ?, ?, ?, NULL, ?, ?)"
_SELECT_PRODUCER = "SELECT epoch, batches FROM producer WHERE partition_id = ? AND producer_id = ?"
_REPLACE_PRODUCER = "INSERT OR REPLACE INTO producer VALUES (?, ?, ?, ?, ?)"


class AppendResult(NamedTuple):
    """The place of a batch, also of one that was appended before. `append_time_ms` is `NO_TIME` under CreateTime."""

    base_offset: int
    append_time_ms: int


class _StagedPartition:
    """A partition as it will be when the open commit group is on the disk."""

    __slots__ = ("batches", "end", "producers", "top_timestamp")

    def __init__(self, partition: LogPartition) -> None:
        self.end = partition.end
        self.top_timestamp = partition.top_timestamp
        self.batches: list[CachedBatch] = []
        self.producers: dict[int, ProducerState] = {}


class Appender:
    """Stages batches into the writer's open commit group. `now_ms` dates records under log-append time."""

    def __init__(self, cache: TailCache, limits: BrokerLimits, now_ms: RecordClock) -> None:
        self._cache = cache
        self._now_ms = now_ms
        self._limits = limits
        self._staged: dict[LogPartition, _StagedPartition] = {}
        self._producers: OrderedDict[tuple[int, int], ProducerState] = OrderedDict()

    def group_started(self) -> None:
        """Start a commit group with nothing staged."""
        self._staged = {}

    def group_ended(self, committed: bool) -> None:
        """Make the staged state visible, or discard it when the commit failed."""
        staged, self._staged = self._staged, {}
        if not committed:
            # Nothing to undo: partitions are unchanged until here.
            return
        for partition, after in staged.items():
            partition.end = after.end
            partition.top_timestamp = after.top_timestamp
            size = 0
            for batch in after.batches:
                size += len(batch.records)
                self._cache.add(partition, batch)
            for producer_id, state in after.producers.items():
                self._cache_state(partition.id, producer_id, state)
            partition.bytes_added += size
            if size:
                partition.wake(size)

    def stage(self, connection: sqlite3.Connection, partition: LogPartition, records: memoryview) -> AppendResult:
        """Add one batch to the open commit group; a repeated batch is not added again.

        Raises `Refused` with the code that Apache Kafka would answer.
        """
        if partition.deleted:
            raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        policy = partition.topic.policy
        if len(records) > policy.batch_bytes_max:
            raise Refused(ErrorCode.MESSAGE_TOO_LARGE, f"The topic takes batches up to {policy.batch_bytes_max} bytes.")
        header = check_batch(records)
        after = self._staged.get(partition)
        if after is None:
            after = self._staged[partition] = _StagedPartition(partition)
        if header.producer_id == NO_PRODUCER:
            return self._insert(connection, partition, header, records)
        # Before the sequence is checked: a repeat of an earlier batch is out of order, and yet an acknowledged one.
        state = self._state(connection, partition, after, header.producer_id)
        duplicate = find_duplicate(state, header)
        if duplicate is not None:
            return AppendResult(duplicate.base_offset, duplicate.append_time_ms)
        check_sequence(state, header)
        placed = self._insert(connection, partition, header, records)
        recent = RecentBatch(header.base_sequence, header.last_sequence, *placed)
        state = remember(state, header, recent, self._limits.producer_batches_kept)
        after.producers[header.producer_id] = state
        # The state is stored by the same commit as the batch, so that neither exists without the other.
        row = (partition.id, header.producer_id, state.epoch, system_ms(), pack_batches(state))
        connection.execute(_REPLACE_PRODUCER, row)
        return placed

    def _insert(
        self, connection: sqlite3.Connection, partition: LogPartition, header: BatchHeader, records: memoryview
    ) -> AppendResult:
        after = self._staged[partition]
        base, last = after.end, after.end + header.last_offset_delta
        assert last <= OFFSET_MAX
        append_time_ms = self._now_ms() if partition.topic.policy.append_time else NO_TIME
        max_timestamp = header.max_timestamp if append_time_ms == NO_TIME else append_time_ms
        stored = stamp(records, base, None if append_time_ms == NO_TIME else append_time_ms)
        # The running maximum never falls, so a lookup by time can bisect although times may run backwards.
        top = max(after.top_timestamp, max_timestamp)
        row = (row_id(partition.id, base), last, max_timestamp, top, len(stored), stored)
        connection.execute(_INSERT_BATCH, row)
        after.end = last + 1
        after.top_timestamp = top
        after.batches.append(CachedBatch(base, last, stored))
        return AppendResult(base, append_time_ms)

    def _state(
        self, connection: sqlite3.Connection, partition: LogPartition, after: _StagedPartition, producer_id: int
    ) -> ProducerState | None:
        """The state of a producer: staged, else cached, else from the file."""
        state = after.producers.get(producer_id) or self._producers.get((partition.id, producer_id))
        if state is not None:
            return state
        row = connection.execute(_SELECT_PRODUCER, (partition.id, producer_id)).fetchone()
        return None if row is None else unpack_state(*row)

    def _cache_state(self, partition_id: int, producer_id: int, state: ProducerState) -> None:
        self._producers[partition_id, producer_id] = state
        self._producers.move_to_end((partition_id, producer_id))
        if len(self._producers) > self._limits.producer_states_cached:
            self._producers.popitem(last=False)

    def forget_producers(self) -> None:
        """Clear the cached states, because some were deleted from the file."""
        self._producers.clear()
