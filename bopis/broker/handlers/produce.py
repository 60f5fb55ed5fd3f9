"""Produce: decoded by hand, because it is the hottest request; answered after the commit."""

from __future__ import annotations

import logging
import sqlite3
import struct

from bopis.broker.connection import PendingRequest
from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import BrokerError, Refused
from bopis.broker.frames import FieldReader, pack_text
from bopis.broker.node import BrokerNode
from bopis.broker.storage.append import NO_TIME

log = logging.getLogger(__name__)

_ACKS_AND_TIMEOUT = struct.Struct(">hi")
_INT = struct.Struct(">i")
_NUMBER_CODE_OFFSET = struct.Struct(">ihq")
_LONG = struct.Struct(">q")
# An array's shortest item: an empty name and an empty array; a partition number and empty records.
_TOPIC_BYTES_MIN = 6
_PARTITION_BYTES_MIN = 8
_ACKS = (-1, 0, 1)
_NO_OFFSET = -1
_NO_THROTTLE = _INT.pack(0)
_NO_RECORD_ERRORS = _INT.pack(0)


class _PartitionProduce:
    """The batch for one partition, and its result."""

    __slots__ = ("code", "log_start", "message", "number", "offset", "records", "time_ms")

    def __init__(self, number: int, records: memoryview) -> None:
        self.number = number
        self.records = records
        self.code = ErrorCode.NONE
        self.offset = _NO_OFFSET
        self.time_ms = NO_TIME
        self.log_start = _NO_OFFSET
        self.message: str | None = None

    def refuse(self, code: ErrorCode, message: str | None) -> None:
        self.code, self.message, self.offset, self.time_ms = code, message, _NO_OFFSET, NO_TIME


class ProduceChange:
    """The batches of one request, as a change of the log. Raises `MalformedFrame` for a body that cannot be decoded."""

    __slots__ = ("_acks", "_node", "_request", "_topics", "size")

    def __init__(self, node: BrokerNode, request: PendingRequest) -> None:
        self._node = node
        self._request = request
        self.size = request.size
        fields = FieldReader(request.body)
        if request.header.version >= 3:
            # The transactional id is not used: epochs in the batches fence, not names.
            fields.text()
        self._acks, _ = fields.take(_ACKS_AND_TIMEOUT)
        self._topics: list[tuple[str, list[_PartitionProduce]]] = []
        for _ in range(fields.count(_TOPIC_BYTES_MIN)):
            name = fields.text() or ""
            count = fields.count(_PARTITION_BYTES_MIN)
            self._topics.append((name, [_PartitionProduce(fields.take(_INT)[0], fields.blob()) for _ in range(count)]))

    def stage(self, connection: sqlite3.Connection) -> None:
        """Append the batches to the open commit group; a refused batch does not stop the others."""
        node = self._node
        for name, parts in self._topics:
            for part in parts:
                partition = node.catalog.partition(name, part.number)
                try:
                    if self._acks not in _ACKS:
                        raise Refused(ErrorCode.INVALID_REQUIRED_ACKS)
                    if partition is None:
                        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                    part.log_start = partition.log_start
                    part.offset, part.time_ms = node.appender.stage(connection, partition, part.records)
                except Refused as refusal:
                    part.refuse(refusal.code, refusal.message)

    def settle(self, error: BaseException | None) -> None:
        """Answer after the commit, or after its failure."""
        parts = [part for _, parts in self._topics for part in parts]
        if error is not None:
            if not isinstance(error, BrokerError):
                log.error("produce.failed", exc_info=error)
            for part in parts:
                if part.code == ErrorCode.NONE:
                    part.refuse(ErrorCode.KAFKA_STORAGE_ERROR, str(error))
        if self._acks != 0:
            self._request.answer([self._response(self._request.header.version)])
            return
        self._request.answer(None)
        if any(part.code != ErrorCode.NONE for part in parts):
            # With acks=0 there is no response; as on Apache Kafka, a closed connection is the only sign of an error.
            self._request.abort()

    def _response(self, version: int) -> bytes:
        out = [_INT.pack(len(self._topics))]
        for name, parts in self._topics:
            out += (pack_text(name), _INT.pack(len(parts)))
            for part in parts:
                out.append(_NUMBER_CODE_OFFSET.pack(part.number, part.code, part.offset))
                if version >= 2:
                    out.append(_LONG.pack(part.time_ms))
                if version >= 5:
                    out.append(_LONG.pack(part.log_start))
                if version >= 8:
                    out += (_NO_RECORD_ERRORS, pack_text(part.message))
        if version >= 1:
            out.append(_NO_THROTTLE)
        return b"".join(out)


def produce(node: BrokerNode, request: PendingRequest) -> None:
    """Append the batches of one request."""
    node.writer.submit(ProduceChange(node, request))
