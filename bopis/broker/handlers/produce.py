"""Produce: read by hand, because it is the hot request; answered after the commit."""

from __future__ import annotations

import logging
import sqlite3
import struct

from bopis.broker.append import NO_TIME
from bopis.broker.codes import Code
from bopis.broker.connection import Exchange
from bopis.broker.errors import BrokerError, Refused
from bopis.broker.frames import Cursor, pack_text
from bopis.broker.node import Node

log = logging.getLogger(__name__)

_ACKS = struct.Struct(">hi")
_INDEX = struct.Struct(">i")
_PLACED = struct.Struct(">ihq")
_LONG = struct.Struct(">q")
_TOPIC_BYTES_LEAST = 6
_PARTITION_BYTES_LEAST = 8


class _Part:
    """One partition's batch in a request, and what became of it."""

    __slots__ = ("code", "log_start", "message", "number", "offset", "records", "time_ms")

    def __init__(self, number: int, records: memoryview) -> None:
        self.number = number
        self.records = records
        self.code = Code.NONE
        self.offset = -1
        self.time_ms = NO_TIME
        self.log_start = -1
        self.message: str | None = None

    def refuse(self, code: Code, message: str | None) -> None:
        self.code, self.message, self.offset, self.time_ms = code, message, -1, NO_TIME


class ProduceChange:
    """One request on its way into the log."""

    __slots__ = ("_acks", "_exchange", "_node", "_topics", "size")

    def __init__(self, node: Node, exchange: Exchange) -> None:
        self._node = node
        self._exchange = exchange
        self.size = exchange.size
        cursor = Cursor(exchange.body)
        if exchange.header.version >= 3:
            # The name of a transactional writer; what fences it is the epoch in its batches.
            cursor.text()
        self._acks, _ = cursor.take(_ACKS)
        self._topics: list[tuple[str, list[_Part]]] = []
        for _ in range(cursor.count(_TOPIC_BYTES_LEAST)):
            name = cursor.text() or ""
            parts = [_Part(cursor.take(_INDEX)[0], cursor.blob()) for _ in range(cursor.count(_PARTITION_BYTES_LEAST))]
            self._topics.append((name, parts))

    def stage(self, connection: sqlite3.Connection) -> None:
        node = self._node
        for name, parts in self._topics:
            for part in parts:
                partition = node.catalog.partition(name, part.number)
                try:
                    if self._acks not in (-1, 0, 1):
                        raise Refused(Code.INVALID_REQUIRED_ACKS)
                    if partition is None:
                        raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
                    part.log_start = partition.log_start
                    part.offset, part.time_ms = node.appender.stage(connection, partition, part.records)
                except Refused as refusal:
                    part.refuse(refusal.code, refusal.message)

    def settle(self, error: BaseException | None) -> None:
        parts = [part for _, parts in self._topics for part in parts]
        if error is not None:
            if not isinstance(error, BrokerError):
                log.error("produce.failed", exc_info=error)
            for part in parts:
                if part.code == Code.NONE:
                    part.refuse(Code.KAFKA_STORAGE_ERROR, str(error))
        if self._acks != 0:
            self._exchange.answer([self._response(self._exchange.header.version)])
            return
        self._exchange.answer(None)
        if any(part.code != Code.NONE for part in parts):
            # Whoever wants no answers can only be told by closing, as Apache Kafka does.
            self._exchange.abort()

    def _response(self, version: int) -> bytes:
        out = [_INDEX.pack(len(self._topics))]
        for name, parts in self._topics:
            out += (pack_text(name), _INDEX.pack(len(parts)))
            for part in parts:
                out.append(_PLACED.pack(part.number, part.code, part.offset))
                if version >= 2:
                    out.append(_LONG.pack(part.time_ms))
                if version >= 5:
                    out.append(_LONG.pack(part.log_start))
                if version >= 8:
                    out += (_INDEX.pack(0), pack_text(part.message))
        if version >= 1:
            out.append(_INDEX.pack(0))
        return b"".join(out)


def produce(node: Node, exchange: Exchange) -> None:
    """Append the batches of one request."""
    node.writer.submit(ProduceChange(node, exchange))
