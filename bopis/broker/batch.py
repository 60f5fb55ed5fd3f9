"""The header of a record batch (format v2): read, checked, and stamped with its place in the log.

A batch stays an opaque blob. Only what lies outside its checksum is rewritten (base offset, leader epoch), and for
log-append time the two timestamp fields inside it, with the checksum put right.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from crc32c import crc32c

from bopis.broker.codes import Code
from bopis.broker.errors import Refused

HEADER_BYTES = 61
LEADER_EPOCH = 0
NO_PRODUCER = -1
MAGIC = 2

COMPRESSION_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20

_HEADER = struct.Struct(">qiibIhiqqqhii")
_PREFIX = struct.Struct(">qiib")
_CHECKSUM = struct.Struct(">I")
_CHECKSUM_AT = 17
_CHECKED_FROM = 21
_LENGTH_COUNTS_FROM = 12
_SEQUENCES = 1 << 31


class BatchHeader(NamedTuple):
    """The fixed fields in front of a batch's records."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    checksum: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def last_sequence(self) -> int:
        """Sequences wrap to zero after the largest 32-bit number."""
        return (self.base_sequence + self.last_offset_delta) % _SEQUENCES

    @property
    def compression(self) -> int:
        return self.attributes & COMPRESSION_MASK


def read_header(batch: bytes | memoryview) -> BatchHeader:
    """The header of a batch that is known to be whole."""
    return BatchHeader._make(_HEADER.unpack_from(batch))


def check_batch(batch: memoryview) -> BatchHeader:
    """The header of exactly one sound batch from a producer, or the refusal Apache Kafka would give."""
    if len(batch) < _PREFIX.size:
        raise Refused(Code.CORRUPT_MESSAGE, "The record batch is shorter than its header.")
    if batch[16] != MAGIC:
        raise Refused(Code.UNSUPPORTED_FOR_MESSAGE_FORMAT, "Only record batches of format 2 are taken.")
    if len(batch) < HEADER_BYTES:
        raise Refused(Code.CORRUPT_MESSAGE, "The record batch is shorter than its header.")
    header = read_header(batch)
    whole = header.length + _LENGTH_COUNTS_FROM
    if whole < HEADER_BYTES or whole > len(batch):
        raise Refused(Code.CORRUPT_MESSAGE, "The record batch is cut short.")
    if whole < len(batch):
        raise Refused(Code.INVALID_RECORD, "A produce request carries one record batch per partition.")
    if crc32c(batch[_CHECKED_FROM:]) != header.checksum:
        raise Refused(Code.CORRUPT_MESSAGE, "The checksum of the record batch does not match.")
    _check_fields(header)
    return header


def _check_fields(header: BatchHeader) -> None:
    if header.record_count <= 0 or header.last_offset_delta != header.record_count - 1:
        raise Refused(Code.INVALID_RECORD, "The record count of the batch does not match its offsets.")
    if header.attributes & CONTROL:
        raise Refused(Code.INVALID_RECORD, "Clients may not write control batches.")
    if header.attributes & TRANSACTIONAL:
        raise Refused(Code.INVALID_TXN_STATE, "This log does not take transactions.")
    if header.producer_id >= 0 and (header.producer_epoch < 0 or header.base_sequence < 0):
        raise Refused(Code.INVALID_RECORD, "An idempotent batch needs an epoch and a sequence.")


def stamp(batch: memoryview, base_offset: int, append_time_ms: int | None) -> bytes:
    """The batch as it is stored: with its offset, and with the log's time when the topic wants that."""
    head = bytearray(batch[:HEADER_BYTES])
    struct.pack_into(">q", head, 0, base_offset)
    struct.pack_into(">i", head, 12, LEADER_EPOCH)
    body = batch[HEADER_BYTES:]
    if append_time_ms is not None:
        head[22] |= LOG_APPEND_TIME
        struct.pack_into(">q", head, 35, append_time_ms)
        _seal_head(head, body)
    elif head[22] & LOG_APPEND_TIME:
        # The topic keeps the writer's times; a client may not claim that the log set them.
        head[22] &= ~LOG_APPEND_TIME & 0xFF
        _seal_head(head, body)
    return b"".join((head, body))


def _seal_head(head: bytearray, body: memoryview) -> None:
    checksum = crc32c(body, crc32c(memoryview(head)[_CHECKED_FROM:]))
    _CHECKSUM.pack_into(head, _CHECKSUM_AT, checksum)


def seal(batch: bytearray) -> None:
    """Put the length and the checksum right after a change."""
    struct.pack_into(">i", batch, 8, len(batch) - _LENGTH_COUNTS_FROM)
    _CHECKSUM.pack_into(batch, _CHECKSUM_AT, crc32c(memoryview(batch)[_CHECKED_FROM:]))


def is_sound(batch: bytes) -> bool:
    """Whether a stored batch still matches its checksum."""
    if len(batch) < HEADER_BYTES:
        return False
    (checksum,) = _CHECKSUM.unpack_from(batch, _CHECKSUM_AT)
    return bool(crc32c(memoryview(batch)[_CHECKED_FROM:]) == checksum)
