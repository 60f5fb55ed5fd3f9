"""The header of a record batch (format v2): read, checked, and stamped with its offset.

A batch stays an opaque blob. Only fields outside its checksum are rewritten (base offset, leader epoch), and for
log-append time the timestamp fields inside, with a new checksum. Layout:
https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from crc32c import crc32c

from bopis.broker.error_codes import ErrorCode
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
# The part that all formats share: base offset, length, leader epoch, magic.
_PREFIX = struct.Struct(">qiib")
_LONG = struct.Struct(">q")
_INT = struct.Struct(">i")
_CHECKSUM = struct.Struct(">I")
# Offsets of fields in a batch.
_LENGTH_AT, _LENGTH_COUNTS_FROM = 8, 12
_LEADER_EPOCH_AT = 12
_MAGIC_AT = 16
_CHECKSUM_AT, _CHECKED_FROM = 17, 21
_ATTRIBUTES_LOW_BYTE_AT = 22
_MAX_TIMESTAMP_AT = 35
_RECORD_COUNT_AT = 57
_SEQUENCES = 1 << 31


class BatchHeader(NamedTuple):
    """The fixed fields before the records."""

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
        """The sequence of the last record; sequences wrap to zero after 2^31 - 1."""
        return (self.base_sequence + self.last_offset_delta) % _SEQUENCES

    @property
    def compression(self) -> int:
        return self.attributes & COMPRESSION_MASK


def read_header(batch: bytes | memoryview) -> BatchHeader:
    """The header of a batch that is known to be complete."""
    return BatchHeader._make(_HEADER.unpack_from(batch))


def check_batch(batch: memoryview) -> BatchHeader:
    """The header of a producer's batch. Raises `Refused` with the code that Apache Kafka would answer."""
    if len(batch) < _PREFIX.size:
        raise Refused(ErrorCode.CORRUPT_MESSAGE, "The record batch is shorter than its header.")
    if batch[_MAGIC_AT] != MAGIC:
        raise Refused(ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT, "Only record batches of format 2 are taken.")
    if len(batch) < HEADER_BYTES:
        raise Refused(ErrorCode.CORRUPT_MESSAGE, "The record batch is shorter than its header.")
    header = read_header(batch)
    whole = header.length + _LENGTH_COUNTS_FROM
    if whole < HEADER_BYTES or whole > len(batch):
        raise Refused(ErrorCode.CORRUPT_MESSAGE, "The record batch is cut short.")
    if whole < len(batch):
        raise Refused(ErrorCode.INVALID_RECORD, "A produce request carries one record batch per partition.")
    if crc32c(batch[_CHECKED_FROM:]) != header.checksum:
        raise Refused(ErrorCode.CORRUPT_MESSAGE, "The checksum of the record batch does not match.")
    _check_fields(header)
    return header


def _check_fields(header: BatchHeader) -> None:
    if header.record_count <= 0 or header.last_offset_delta != header.record_count - 1:
        raise Refused(ErrorCode.INVALID_RECORD, "The record count of the batch does not match its offsets.")
    if header.attributes & CONTROL:
        raise Refused(ErrorCode.INVALID_RECORD, "Clients may not write control batches.")
    if header.attributes & TRANSACTIONAL:
        raise Refused(ErrorCode.INVALID_TXN_STATE, "This log does not take transactions.")
    if header.producer_id >= 0 and (header.producer_epoch < 0 or header.base_sequence < 0):
        raise Refused(ErrorCode.INVALID_RECORD, "An idempotent batch needs an epoch and a sequence.")


def stamp(batch: memoryview, base_offset: int, append_time_ms: int | None) -> bytes:
    """The batch as it is stored: with its offset, and dated by the log when a time is given."""
    head = bytearray(batch[:HEADER_BYTES])
    _LONG.pack_into(head, 0, base_offset)
    _INT.pack_into(head, _LEADER_EPOCH_AT, LEADER_EPOCH)
    body = batch[HEADER_BYTES:]
    if append_time_ms is not None:
        head[_ATTRIBUTES_LOW_BYTE_AT] |= LOG_APPEND_TIME
        _LONG.pack_into(head, _MAX_TIMESTAMP_AT, append_time_ms)
        _seal_head(head, body)
    elif head[_ATTRIBUTES_LOW_BYTE_AT] & LOG_APPEND_TIME:
        # Under CreateTime the times are the writer's; a client may not claim that the log set them.
        head[_ATTRIBUTES_LOW_BYTE_AT] &= ~LOG_APPEND_TIME & 0xFF
        _seal_head(head, body)
    return b"".join((head, body))


def _seal_head(head: bytearray, body: memoryview) -> None:
    checksum = crc32c(body, crc32c(memoryview(head)[_CHECKED_FROM:]))
    _CHECKSUM.pack_into(head, _CHECKSUM_AT, checksum)


def replace_records(head: bytes, body: bytes, record_count: int, max_timestamp: int | None = None) -> bytes:
    """A batch of a header, other records, and optionally another latest time; with its new length and checksum."""
    batch = bytearray(head) + body
    if max_timestamp is not None:
        _LONG.pack_into(batch, _MAX_TIMESTAMP_AT, max_timestamp)
    _INT.pack_into(batch, _RECORD_COUNT_AT, record_count)
    _INT.pack_into(batch, _LENGTH_AT, len(batch) - _LENGTH_COUNTS_FROM)
    _CHECKSUM.pack_into(batch, _CHECKSUM_AT, crc32c(memoryview(batch)[_CHECKED_FROM:]))
    return bytes(batch)


def is_intact(batch: bytes) -> bool:
    """Whether a stored batch matches its checksum."""
    if len(batch) < HEADER_BYTES:
        return False
    (checksum,) = _CHECKSUM.unpack_from(batch, _CHECKSUM_AT)
    return bool(crc32c(memoryview(batch)[_CHECKED_FROM:]) == checksum)
