"""Inside a batch: the few places where single records matter (time lookup, compaction).

Records keep their bytes: a batch that loses some is put together again from the slices of those that stay, so that
offsets and times remain what they were.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from kafka import codec

from bopis.broker.batch import COMPRESSION_MASK, HEADER_BYTES, LOG_APPEND_TIME, read_header, seal

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


class Opaque(Exception):
    """The records cannot be read here (a codec that is not installed, or bytes of nobody's making)."""


class Record(NamedTuple):
    """One record of a batch: its place, its key, whether it is a tombstone, and its bytes."""

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
        raise Opaque(str(error)) from error
    raise Opaque(f"compression {compression} is not installed")


def _compressed(body: bytes, compression: int) -> bytes:
    if compression == 0:
        return body
    if compression == GZIP:
        return gzip.compress(body, mtime=0)
    encode = {SNAPPY: codec.snappy_encode, LZ4: codec.lz4_encode, ZSTD: codec.zstd_encode}[compression]
    return bytes(encode(body))


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
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
        if shift > 70:
            raise Opaque("a number is too long")
    return (value >> 1) ^ -(value & 1), at


def walk(batch: bytes) -> Iterator[Record]:
    """The records of a batch in order."""
    body = _decompressed(batch)
    at, end = 0, len(body)
    try:
        for _ in range(read_header(batch).record_count):
            start = at
            length, at = _varint(body, at)
            stop = at + length
            if length < 0 or stop > end:
                raise Opaque("a record is cut short")
            timestamp_delta, at = _varint(body, at + 1)
            offset_delta, at = _varint(body, at)
            key_length, at = _varint(body, at)
            key = None if key_length < 0 else body[at : at + key_length]
            value_length, _ = _varint(body, at + max(key_length, 0))
            yield Record(offset_delta, timestamp_delta, key, value_length < 0, body[start:stop])
            at = stop
    except (IndexError, struct.error, zlib.error) as error:
        raise Opaque(str(error)) from error


def with_records(batch: bytes, kept: list[Record]) -> bytes:
    """The same batch with only these of its records; offsets, times and producer stay as they were."""
    header = read_header(batch)
    body = _compressed(b"".join(record.raw for record in kept), header.compression)
    fresh = bytearray(batch[:HEADER_BYTES]) + body
    if not header.attributes & LOG_APPEND_TIME and kept:
        latest = header.base_timestamp + max(record.timestamp_delta for record in kept)
        struct.pack_into(">q", fresh, 35, latest)
    struct.pack_into(">i", fresh, 57, len(kept))
    seal(fresh)
    return bytes(fresh)


def first_at_or_after(base_offset: int, batch: bytes, timestamp_ms: int) -> tuple[int, int]:
    """The offset and time of the first record of the batch that is not older. The batch is known to hold one."""
    header = read_header(batch)
    if header.attributes & LOG_APPEND_TIME:
        return base_offset, header.max_timestamp
    try:
        for record in walk(batch):
            timestamp = header.base_timestamp + record.timestamp_delta
            if timestamp >= timestamp_ms:
                return base_offset + record.offset_delta, timestamp
    except Opaque:
        # The batch is found, the record inside is not: reading from the batch's start misses nothing.
        pass
    return base_offset, header.max_timestamp
