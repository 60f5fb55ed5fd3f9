"""The records inside a batch, for the two purposes that need them: lookup by time, and compaction.

Records keep their bytes: a batch that loses some is rebuilt from the slices of the others, so their offsets and times
do not change. Layout: https://kafka.apache.org/documentation/#record
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from kafka import codec

from bopis.broker.storage.batch import COMPRESSION_MASK, HEADER_BYTES, LOG_APPEND_TIME, read_header, replace_records

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
_VARINT_BITS_MAX = 70


class UnreadableRecords(Exception):
    """The records cannot be read: their codec is not installed, or their bytes are not records."""


class BatchRecord(NamedTuple):
    """A record: its offset and time relative to its batch, its key, whether it is a tombstone, and all its bytes."""

    offset_delta: int
    timestamp_delta: int
    key: bytes | None
    tombstone: bool
    raw: bytes


def _decompressed(batch: bytes) -> bytes:
    body = batch[HEADER_BYTES:]
    compression = read_header(batch).attributes & COMPRESSION_MASK
    try:
        if compression == 0:
            return body
        if compression == GZIP:
            return gzip.decompress(body)
        if compression == SNAPPY and codec.has_snappy():
            return bytes(codec.snappy_decode(body))
        if compression == LZ4 and codec.has_lz4():
            return bytes(codec.lz4_decode(body))
        if compression == ZSTD and codec.has_zstd():
            return bytes(codec.zstd_decode(body))
    except Exception as error:
        raise UnreadableRecords(str(error)) from error
    raise UnreadableRecords(f"compression {compression} is not installed")


def _compressed(body: bytes, compression: int) -> bytes:
    if compression == 0:
        return body
    if compression == GZIP:
        return gzip.compress(body, mtime=0)
    encode = {SNAPPY: codec.snappy_encode, LZ4: codec.lz4_encode, ZSTD: codec.zstd_encode}[compression]
    return bytes(encode(body))


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """The zigzag-encoded number at an offset, and the offset after it."""
    byte = buffer[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    value, shift = byte & 0x7F, 7
    while byte >= 0x80:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > _VARINT_BITS_MAX:
            raise UnreadableRecords("a number is too long")
    return (value >> 1) ^ -(value & 1), at


def read_records(batch: bytes) -> Iterator[BatchRecord]:
    """The records of a batch in order. Raises `UnreadableRecords`."""
    body = _decompressed(batch)
    at, end = 0, len(body)
    try:
        for _ in range(read_header(batch).record_count):
            start = at
            length, at = _varint(body, at)
            stop = at + length
            if length < 0 or stop > end:
                raise UnreadableRecords("a record is cut short")
            timestamp_delta, at = _varint(body, at + 1)
            offset_delta, at = _varint(body, at)
            key_length, at = _varint(body, at)
            key = None if key_length < 0 else body[at : at + key_length]
            value_length, _ = _varint(body, at + max(key_length, 0))
            yield BatchRecord(offset_delta, timestamp_delta, key, value_length < 0, body[start:stop])
            at = stop
    except (IndexError, struct.error, zlib.error) as error:
        raise UnreadableRecords(str(error)) from error


def with_records(batch: bytes, kept: list[BatchRecord]) -> bytes:
    """The batch with only these of its records; their offsets and times, and the producer, do not change."""
    header = read_header(batch)
    body = _compressed(b"".join(record.raw for record in kept), header.compression)
    latest: int | None = None
    if not header.attributes & LOG_APPEND_TIME and kept:
        latest = header.base_timestamp + max(record.timestamp_delta for record in kept)
    return replace_records(batch[:HEADER_BYTES], body, len(kept), latest)


class FoundRecord(NamedTuple):
    """A record found by time."""

    offset: int
    timestamp_ms: int


def first_since(base_offset: int, batch: bytes, timestamp_ms: int) -> FoundRecord:
    """The first record of a batch that is not older than a time. The batch is known to contain one."""
    header = read_header(batch)
    if header.attributes & LOG_APPEND_TIME:
        return FoundRecord(base_offset, header.max_timestamp)
    try:
        for record in read_records(batch):
            timestamp = header.base_timestamp + record.timestamp_delta
            if timestamp >= timestamp_ms:
                return FoundRecord(base_offset + record.offset_delta, timestamp)
    except UnreadableRecords:
        # The batch is found, the record inside is not: reading from the batch's start misses nothing.
        pass
    return FoundRecord(base_offset, header.max_timestamp)
