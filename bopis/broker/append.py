"""Appending: each batch is checked, given its offset, and staged; memory follows only after the commit."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import NamedTuple

from bopis import clock
from bopis.broker.batch import NO_PRODUCER, BatchHeader, check_batch, stamp
from bopis.broker.codes import Code
from bopis.broker.database import OFFSET_MAX, row_id
from bopis.broker.errors import Refused
from bopis.broker.limits import BrokerLimits
from bopis.broker.partition import Partition, TailBatch, TailCache
from bopis.broker.producers import (
    PastBatch,
    ProducerState,
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


class Appended(NamedTuple):
    """Where a batch went, or where it already was."""

    base_offset: int
    append_time_ms: int


class _Staged:
    """What one partition will be when the open group is committed."""

    __slots__ = ("batches", "end", "producers", "top_timestamp")

    def __init__(self, partition: Partition) -> None:
        self.end = partition.end
        self.top_timestamp = partition.top_timestamp
        self.batches: list[TailBatch] = []
        self.producers: dict[int, ProducerState] = {}


class Appender:
    """Stages batches into the writer's open group."""

    def __init__(self, cache: TailCache, limits: BrokerLimits) -> None:
        self._cache = cache
        self._limits = limits
        self._staged: dict[Partition, _Staged] = {}
        self._producers: OrderedDict[tuple[int, int], ProducerState] = OrderedDict()

    def group_started(self) -> None:
        self._staged = {}

    def group_ended(self, committed: bool) -> None:
        staged, self._staged = self._staged, {}
        if not committed:
            return
        for partition, after in staged.items():
            partition.end = after.end
            partition.top_timestamp = after.top_timestamp
            size = 0
            for batch in after.batches:
                size += len(batch.records)
                self._cache.add(partition, batch)
            for producer_id, state in after.producers.items():
                self._keep(partition.id, producer_id, state)
            partition.grown += size
            if size:
                partition.wake(size)

    def stage(self, connection: sqlite3.Connection, partition: Partition, records: memoryview) -> Appended:
        """Put one batch into the open group. Raises the protocol's refusal."""
        if partition.gone:
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
        policy = partition.topic.policy
        if len(records) > policy.batch_bytes_max:
            raise Refused(Code.MESSAGE_TOO_LARGE, f"The topic takes batches up to {policy.batch_bytes_max} bytes.")
        header = check_batch(records)
        after = self._staged.get(partition)
        if after is None:
            after = self._staged[partition] = _Staged(partition)
        state: ProducerState | None = None
        if header.producer_id != NO_PRODUCER:
            state = self._state(connection, partition, after, header.producer_id)
            duplicate = find_duplicate(state, header)
            if duplicate is not None:
                return Appended(duplicate.base_offset, duplicate.append_time_ms)
            check_sequence(state, header)
        return self._take(connection, partition, header, (records, state))

    def _take(
        self,
        connection: sqlite3.Connection,
        partition: Partition,
        header: BatchHeader,
        given: tuple[memoryview, ProducerState | None],
    ) -> Appended:
        records, state = given
        after = self._staged[partition]
        base, last = after.end, after.end + header.last_offset_delta
        assert last <= OFFSET_MAX
        append_time_ms = clock.now_ms() if partition.topic.policy.append_time else NO_TIME
        max_timestamp = header.max_timestamp if append_time_ms == NO_TIME else append_time_ms
        stored = stamp(records, base, None if append_time_ms == NO_TIME else append_time_ms)
        top = max(after.top_timestamp, max_timestamp)
        row = (row_id(partition.id, base), last, max_timestamp, top, len(stored), stored)
        connection.execute(_INSERT_BATCH, row)
        if header.producer_id != NO_PRODUCER:
            past = PastBatch(header.base_sequence, header.last_sequence, base, append_time_ms)
            state = remember(state, header, past, self._limits.producer_batches_kept)
            after.producers[header.producer_id] = state
            kept = (partition.id, header.producer_id, state.epoch, clock.machine_ms(), pack_batches(state))
            connection.execute(_REPLACE_PRODUCER, kept)
        after.end = last + 1
        after.top_timestamp = top
        after.batches.append(TailBatch(base, last, stored))
        return Appended(base, append_time_ms)

    def _state(
        self, connection: sqlite3.Connection, partition: Partition, after: _Staged, producer_id: int
    ) -> ProducerState | None:
        state = after.producers.get(producer_id) or self._producers.get((partition.id, producer_id))
        if state is not None:
            return state
        row = connection.execute(_SELECT_PRODUCER, (partition.id, producer_id)).fetchone()
        return None if row is None else unpack_state(*row)

    def _keep(self, partition_id: int, producer_id: int, state: ProducerState) -> None:
        self._producers[partition_id, producer_id] = state
        self._producers.move_to_end((partition_id, producer_id))
        if len(self._producers) > self._limits.producer_states_cached:
            self._producers.popitem(last=False)

    def forget_producers(self) -> None:
        """Read the states from the file again: some were removed there."""
        self._producers.clear()
