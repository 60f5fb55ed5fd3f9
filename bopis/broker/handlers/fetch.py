"""Fetch: a true long poll. Batches go out as they lie in the file; nothing is parsed.

Fetch sessions are declined, as the protocol allows: every request names all its partitions.
"""

from __future__ import annotations

import asyncio
import logging
import struct

from bopis.broker.codes import Code
from bopis.broker.connection import Exchange
from bopis.broker.errors import Refused
from bopis.broker.frames import Cursor, pack_text
from bopis.broker.node import Node
from bopis.broker.partition import Partition
from bopis.broker.reading import Span

log = logging.getLogger(__name__)

_HEAD = struct.Struct(">iiiib")
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_SESSION = struct.Struct(">ii")
_PLACED = struct.Struct(">ihqq")
_TOPIC_BYTES_LEAST = 6
_PARTITION_BYTES_LEAST = 16
_PARTITION_BYTES_FLOOR = 65_536
_MS = 1_000


class _Want:
    """One partition of a request."""

    __slots__ = ("bytes_max", "code", "leader_epoch", "number", "offset", "partition", "records", "topic")

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.leader_epoch = -1
        self.offset = 0
        self.bytes_max = 0
        self.partition: Partition | None = None
        self.code = Code.NONE
        self.records: list[bytes] = []

    def check(self) -> None:
        """What is to be said about this partition before any reading."""
        self.records = []
        partition = self.partition
        if partition is None or partition.gone:
            self.code = Code.UNKNOWN_TOPIC_OR_PARTITION
        elif self.leader_epoch > 0:
            self.code = Code.UNKNOWN_LEADER_EPOCH
        elif not partition.log_start <= self.offset <= partition.end:
            self.code = Code.OFFSET_OUT_OF_RANGE
        else:
            self.code = Code.NONE

    @property
    def behind(self) -> bool:
        return self.code == Code.NONE and self.partition is not None and self.offset < self.partition.end


class FetchExchange:
    """One fetch while it waits and reads."""

    def __init__(self, node: Node, exchange: Exchange) -> None:
        self._node = node
        self._exchange = exchange
        self._version = exchange.header.version
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._look_due = False
        self._missing = 0
        self._session_id = 0
        self._session_epoch = -1
        cursor = Cursor(exchange.body)
        _, self._wait_ms, self._bytes_min, self._bytes_max, self._isolation = cursor.take(_HEAD)
        if self._version >= 7:
            self._session_id, self._session_epoch = cursor.take(_SESSION)
        self._wants = self._read_wants(cursor)
        exchange.body = memoryview(b"")

    def _read_wants(self, cursor: Cursor) -> list[_Want]:
        wants: list[_Want] = []
        for _ in range(cursor.count(_TOPIC_BYTES_LEAST)):
            topic = cursor.text() or ""
            for _ in range(cursor.count(_PARTITION_BYTES_LEAST)):
                want = _Want(topic, cursor.take(_INT)[0])
                if self._version >= 9:
                    (want.leader_epoch,) = cursor.take(_INT)
                (want.offset,) = cursor.take(_LONG)
                if self._version >= 5:
                    cursor.take(_LONG)
                (want.bytes_max,) = cursor.take(_INT)
                want.partition = self._node.catalog.partition(topic, want.number)
                wants.append(want)
        return wants

    def start(self) -> None:
        """Answer now if there is something to say, else wait for it."""
        if self._session_id != 0 and self._session_epoch > 0:
            self._answer_session(Code.FETCH_SESSION_ID_NOT_FOUND)
            return
        if self._wait_ms > 0 and self._wants:
            wait = min(self._wait_ms, self._node.limits.fetch_wait_ms_max) / _MS
            self._timer = self._loop.call_later(wait, self._time_is_up)
            self._exchange.on_lost = self._stop_waiting
        self._look()

    def arrived(self, size: int) -> None:
        """A watched partition has grown, or changed altogether."""
        self._missing = 0 if size < 0 else self._missing - size
        if self._missing <= 0 and not self._look_due:
            self._look_due = True
            self._loop.call_soon(self._look)

    def _time_is_up(self) -> None:
        self._timer = None
        if not self._look_due:
            self._look()

    def _look(self) -> None:
        self._look_due = False
        if self._exchange.answered:
            return
        found, cold = self._read_memory()
        waits = self._timer is not None
        if cold:
            self._stop_waiting()
            task = self._loop.create_task(self._read_cold())
            task.add_done_callback(self._cold_read_done)
        elif not waits or found >= self._bytes_min or any(want.code != Code.NONE for want in self._wants):
            self._stop_waiting()
            self._answer()
        else:
            self._missing = self._bytes_min - found
            for want in self._wants:
                if want.partition is not None:
                    want.partition.waiters.add(self)

    def _room(self) -> int:
        limits = self._node.limits
        room = max(_PARTITION_BYTES_FLOOR, min(limits.fetch_response_bytes_max, self._node.egress_room))
        return min(max(self._bytes_max, 0), room)

    def _read_memory(self) -> tuple[int, bool]:
        """Read what the tails hold; tells how much that was, and whether the file is needed too."""
        room, found = self._room(), 0
        for want in self._wants:
            want.check()
            if not want.behind or (found and room <= found):
                continue
            assert want.partition is not None
            records = want.partition.tail.read(want.offset, min(want.bytes_max, room - found), not found)
            if records is None:
                return found, True
            want.records = records
            found += sum(map(len, records))
        return found, False

    async def _read_cold(self) -> None:
        room, found = self._room(), 0
        for want in self._wants:
            want.check()
            if not want.behind or (found and room <= found):
                continue
            assert want.partition is not None
            bytes_max = min(want.bytes_max, room - found)
            records = want.partition.tail.read(want.offset, bytes_max, not found)
            if records is None:
                span = Span(want.partition.id, want.offset, want.partition.end, bytes_max, not found)
                try:
                    records = await self._node.reader.read(span)
                except Refused as refusal:
                    want.code = refusal.code
                    continue
            want.records = records
            found += sum(map(len, records))
        self._answer()

    def _cold_read_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("fetch.failed", exc_info=task.exception())
            self._exchange.abort()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for want in self._wants:
            if want.partition is not None:
                want.partition.waiters.discard(self)

    def _answer_session(self, code: Code) -> None:
        self._exchange.answer([struct.pack(">ihii", 0, code, 0, 0)])

    def _answer(self) -> None:
        version = self._version
        out = [struct.pack(">ihi", 0, Code.NONE, 0) if version >= 7 else _INT.pack(0)]
        by_topic: dict[str, list[_Want]] = {}
        for want in self._wants:
            by_topic.setdefault(want.topic, []).append(want)
        out.append(_INT.pack(len(by_topic)))
        for topic, wants in by_topic.items():
            out.append(pack_text(topic) + _INT.pack(len(wants)))
            for want in wants:
                self._append_partition(out, want)
        self._exchange.answer(out)

    def _append_partition(self, out: list[bytes], want: _Want) -> None:
        sound = want.code == Code.NONE and want.partition is not None
        end = want.partition.end if sound and want.partition is not None else -1
        head = _PLACED.pack(want.number, want.code, end, end)
        if self._version >= 5:
            head += _LONG.pack(want.partition.log_start if sound and want.partition is not None else -1)
        # No transaction was ever aborted here.
        head += _INT.pack(0 if self._isolation else -1)
        if self._version >= 11:
            head += _INT.pack(-1)
        out.append(head + _INT.pack(sum(map(len, want.records))))
        out += want.records
        want.records = []


def fetch(node: Node, exchange: Exchange) -> None:
    """Read records, waiting for them if the client wants to."""
    FetchExchange(node, exchange).start()
