"""Fetch: a long poll. Batches are sent as they are stored; nothing in them is parsed.

Fetch sessions (KIP-227) are declined, as the protocol allows: every request names all its partitions.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import NamedTuple

from bopis.broker.connection import PendingRequest
from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused
from bopis.broker.frames import FieldReader, pack_text
from bopis.broker.node import BrokerNode
from bopis.broker.storage.cold_reads import ReadRange
from bopis.broker.storage.partition import LogPartition

log = logging.getLogger(__name__)

# Replica id, max wait, min bytes, max bytes, isolation level.
_HEAD = struct.Struct(">iiiib")
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_SESSION = struct.Struct(">ii")
# Throttle time, error code, session id; since version 7.
_RESPONSE_HEAD = struct.Struct(">ihi")
# Partition, error code, high watermark, last stable offset.
_PARTITION_HEAD = struct.Struct(">ihqq")
# An array's shortest item: an empty name and an empty array; the fields of one partition.
_TOPIC_BYTES_MIN = 6
_PARTITION_BYTES_MIN = 16
# Served however full the buffers of other clients are, so that a reader always makes progress.
_RESPONSE_BYTES_MIN = 65_536
_NO_SESSION = 0
_NO_OFFSET = -1
_NO_ABORTED_TRANSACTIONS = _INT.pack(0)
_NULL_ARRAY = _INT.pack(-1)
_NO_PREFERRED_REPLICA = _INT.pack(-1)
_MS = 1_000


class _PartitionFetch:
    """One partition of a request, and what was read for it."""

    __slots__ = ("bytes_max", "code", "leader_epoch", "number", "offset", "partition", "records", "topic")

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.leader_epoch = -1
        self.offset = 0
        self.bytes_max = 0
        self.partition: LogPartition | None = None
        self.code = ErrorCode.NONE
        self.records: list[bytes] = []

    def check(self) -> None:
        """Discard what was read and find the error code, before reading again."""
        self.records = []
        partition = self.partition
        if partition is None or partition.deleted:
            self.code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        elif self.leader_epoch > 0:
            self.code = ErrorCode.UNKNOWN_LEADER_EPOCH
        elif not partition.log_start <= self.offset <= partition.end:
            self.code = ErrorCode.OFFSET_OUT_OF_RANGE
        else:
            self.code = ErrorCode.NONE

    @property
    def behind(self) -> bool:
        """Whether there are records to read."""
        return self.code == ErrorCode.NONE and self.partition is not None and self.offset < self.partition.end


class _MemoryRead(NamedTuple):
    """The bytes that were read from memory, and whether an offset is only in the file."""

    size: int
    needs_file: bool


class PendingFetch:
    """One fetch while it waits and reads. Raises `MalformedFrame` for a body that cannot be decoded."""

    def __init__(self, node: BrokerNode, request: PendingRequest) -> None:
        self._node = node
        self._request = request
        self._version = request.header.version
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._look_due = False
        self._missing_bytes = 0
        self._session_id = _NO_SESSION
        self._session_epoch = -1
        fields = FieldReader(request.body)
        _, self._wait_ms, self._bytes_min, self._bytes_max, self._isolation = fields.take(_HEAD)
        if self._version >= 7:
            self._session_id, self._session_epoch = fields.take(_SESSION)
        self._parts = self._read_parts(fields)
        # The request may wait for a minute; its bytes need not.
        request.body = memoryview(b"")

    def _read_parts(self, fields: FieldReader) -> list[_PartitionFetch]:
        parts: list[_PartitionFetch] = []
        for _ in range(fields.count(_TOPIC_BYTES_MIN)):
            topic = fields.text() or ""
            for _ in range(fields.count(_PARTITION_BYTES_MIN)):
                part = _PartitionFetch(topic, fields.take(_INT)[0])
                if self._version >= 9:
                    (part.leader_epoch,) = fields.take(_INT)
                (part.offset,) = fields.take(_LONG)
                if self._version >= 5:
                    fields.take(_LONG)  # the log start offset of a follower
                (part.bytes_max,) = fields.take(_INT)
                part.partition = self._node.catalog.partition(topic, part.number)
                parts.append(part)
        return parts

    def start(self) -> None:
        """Answer now if there is enough to read, else wait for it."""
        if self._session_id != _NO_SESSION and self._session_epoch > 0:
            # The client continues a session that this broker never opened; it starts again without one.
            code = ErrorCode.FETCH_SESSION_ID_NOT_FOUND
            self._request.answer([_RESPONSE_HEAD.pack(0, code, _NO_SESSION) + _INT.pack(0)])
            return
        if self._wait_ms > 0 and self._parts:
            wait = min(self._wait_ms, self._node.limits.fetch_wait_ms_max) / _MS
            self._timer = self._loop.call_later(wait, self._time_is_up)
            self._request.on_lost = self._stop_waiting
        self._look()

    def arrived(self, size: int) -> None:
        """A watched partition grew by `size` bytes, or changed altogether (negative)."""
        self._missing_bytes = 0 if size < 0 else self._missing_bytes - size
        if self._missing_bytes <= 0 and not self._look_due:
            # In the next turn of the loop, so that all partitions of one commit are answered together.
            self._look_due = True
            self._loop.call_soon(self._look)

    def _time_is_up(self) -> None:
        self._timer = None
        if not self._look_due:
            self._look()

    def _look(self) -> None:
        self._look_due = False
        if self._request.answered:
            return
        found = self._read_memory()
        waits = self._timer is not None
        has_error = any(part.code != ErrorCode.NONE for part in self._parts)
        if found.needs_file:
            self._stop_waiting()
            task = self._loop.create_task(self._read_cold())
            task.add_done_callback(self._cold_read_done)
        elif not waits or found.size >= self._bytes_min or has_error:
            self._stop_waiting()
            self._answer()
        else:
            self._missing_bytes = self._bytes_min - found.size
            for part in self._parts:
                if part.partition is not None:
                    part.partition.waiters.add(self)

    def _room(self) -> int:
        limits = self._node.limits
        room = max(_RESPONSE_BYTES_MIN, min(limits.fetch_response_bytes_max, self._node.egress_room))
        return min(max(self._bytes_max, 0), room)

    def _read_memory(self) -> _MemoryRead:
        """Read from the tails, up to the first partition whose offset is no longer in memory."""
        room, size = self._room(), 0
        for part in self._parts:
            part.check()
            if not part.behind or (size and room <= size):
                continue
            assert part.partition is not None
            records = part.partition.tail.read(part.offset, min(part.bytes_max, room - size), not size)
            if records is None:
                return _MemoryRead(size, needs_file=True)
            part.records = records
            size += sum(map(len, records))
        return _MemoryRead(size, needs_file=False)

    async def _read_cold(self) -> None:
        room, size = self._room(), 0
        for part in self._parts:
            # Checked again, because time has passed since: the topic may be deleted, or its start moved.
            part.check()
            if not part.behind or (size and room <= size):
                continue
            assert part.partition is not None
            bytes_max = min(part.bytes_max, room - size)
            records = part.partition.tail.read(part.offset, bytes_max, not size)
            if records is None:
                wanted = ReadRange(part.partition.id, part.offset, part.partition.end, bytes_max, not size)
                try:
                    records = await self._node.reader.read(wanted)
                except Refused as refusal:
                    part.code = refusal.code
                    continue
            part.records = records
            size += sum(map(len, records))
        self._answer()

    def _cold_read_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("fetch.failed", exc_info=task.exception())
            self._request.abort()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for part in self._parts:
            if part.partition is not None:
                part.partition.waiters.discard(self)

    def _answer(self) -> None:
        has_session_fields = self._version >= 7
        out = [_RESPONSE_HEAD.pack(0, ErrorCode.NONE, _NO_SESSION) if has_session_fields else _INT.pack(0)]
        by_topic: dict[str, list[_PartitionFetch]] = {}
        for part in self._parts:
            by_topic.setdefault(part.topic, []).append(part)
        out.append(_INT.pack(len(by_topic)))
        for topic, parts in by_topic.items():
            out.append(pack_text(topic) + _INT.pack(len(parts)))
            for part in parts:
                self._append_partition(out, part)
        self._request.answer(out)

    def _append_partition(self, out: list[bytes], part: _PartitionFetch) -> None:
        partition = part.partition if part.code == ErrorCode.NONE else None
        # Without transactions the last stable offset is the high watermark.
        end = _NO_OFFSET if partition is None else partition.end
        head = _PARTITION_HEAD.pack(part.number, part.code, end, end)
        if self._version >= 5:
            head += _LONG.pack(_NO_OFFSET if partition is None else partition.log_start)
        head += _NO_ABORTED_TRANSACTIONS if self._isolation else _NULL_ARRAY
        if self._version >= 11:
            head += _NO_PREFERRED_REPLICA
        out.append(head + _INT.pack(sum(map(len, part.records))))
        out += part.records
        part.records = []


def fetch(node: BrokerNode, request: PendingRequest) -> None:
    """Read records, waiting for them as long as the client allows."""
    PendingFetch(node, request).start()
