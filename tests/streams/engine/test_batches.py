"""Record batches in and out, and what lies between a fetch and a chunk."""

import struct
from typing import Any

import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from streams.clock import system_ms
from streams.engine.aiokafka_internals import parse
from streams.engine.batches import NO_HEADERS, Batches

TP = TopicPartition("t", 0)


def blob(base_offset: int, count: int, value: bytes = b"v") -> bytearray:
    [(builder, made)] = Batches(1 << 20, system_ms).encode((b"k%d" % n, value, NO_HEADERS) for n in range(count))
    assert made == count
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, base_offset)
    return data


def emptied(base_offset: int, count: int) -> bytes:
    """A batch whose records were all superseded, as Apache Kafka leaves it: its header, with the last sequence of
    its writer and the offsets that it had."""
    header = blob(base_offset, count)[:61]
    struct.pack_into(">i", header, 8, 61 - 12)
    struct.pack_into(">i", header, 57, 0)
    struct.pack_into(">I", header, 17, calc_crc32c(bytes(header[21:])))
    return bytes(header)


def fetched(data: bytes, at: int) -> Any:
    return PartitionRecords(TP, MemoryRecords(data), [], at, None, None, True, 0)


def test_a_fetch_from_the_middle_of_a_batch_leaves_the_head_out() -> None:
    chunk = parse(TP, fetched(bytes(blob(10, 5) + blob(20, 2)), 12))

    assert [record.offset for record in chunk.records] == [12, 13, 14, 20, 21]
    assert (chunk.start, chunk.next) == (12, 22)
    assert chunk.records[0].key == b"k2"


def test_a_fetch_steps_over_batches_that_compaction_has_emptied() -> None:
    chunk = parse(TP, fetched(emptied(10, 5) + bytes(blob(15, 2)) + emptied(17, 3), 10))

    assert [record.offset for record in chunk.records] == [15, 16]
    assert (chunk.start, chunk.next) == (10, 20)


def test_a_fetch_of_nothing_but_an_emptied_batch_goes_on_behind_it() -> None:
    chunk = parse(TP, fetched(emptied(10, 5), 12))

    assert chunk.records == []
    assert (chunk.start, chunk.next) == (12, 15)


def test_a_batch_cut_off_at_the_end_of_a_fetch_is_left_for_the_next_one() -> None:
    whole = bytes(blob(0, 3) + blob(3, 3))

    chunk = parse(TP, fetched(whole[:-5], 0))

    assert [record.offset for record in chunk.records] == [0, 1, 2]
    assert chunk.next == 3


def test_a_damaged_batch_is_refused() -> None:
    data = blob(0, 3)
    data[-1] ^= 1

    with pytest.raises(CorruptRecordException):
        parse(TP, fetched(bytes(data), 0))


def test_entries_are_cut_into_batches_that_fit() -> None:
    batches = Batches(1_000, system_ms).encode((b"k", b"x" * 300, NO_HEADERS) for _ in range(7))

    assert [count for _, count in batches] == [3, 3, 1]


def test_a_lone_entry_may_be_larger_than_a_batch() -> None:
    batches = Batches(1_000, system_ms).encode([(b"k", b"x" * 5_000, NO_HEADERS)])

    assert [count for _, count in batches] == [1]
