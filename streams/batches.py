"""Record batches in and out, without an object of ours per record.

The libraries' own path builds two or three Python objects for every record, which costs more than most decisions.
The C parser of aiokafka already yields objects with offset, timestamp, key, value and headers: they are used as
they are, one list per fetch and partition.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from bopis import clock
from streams.processor import Record

MAGIC = 2
FullEntry = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
# One shared list: the C builder wants a list and never changes it.
NO_HEADERS: list[tuple[str, bytes]] = []


class Chunk:
    """What one fetch brought for one partition: the records from offset `start` on, up to before `next`.

    Offsets without a record in between were removed by compaction or belong to control batches; that is why
    neighbours are found by `start` and `next`, not by the offsets of records.
    """

    __slots__ = ("next", "records", "start", "tp")

    def __init__(self, tp: TopicPartition, start: int, following: int, records: list[Record]) -> None:
        self.tp = tp
        self.start = start
        self.next = following
        self.records = records


def parse(tp: TopicPartition, fetched: Any) -> Chunk:
    """The records of aiokafka's unread `PartitionRecords`."""
    start = following = fetched.next_fetch_offset
    raw = fetched._records
    records: list[Record] = []
    while raw.has_next():
        batch = raw.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException(f"bad checksum in {tp} near offset {following}")
        if not batch.is_control_batch:
            records += batch
        following = batch.next_offset
    # A fetch from the middle of a batch brings the whole batch.
    if records and records[0].offset < start:
        records = [record for record in records if record.offset >= start]
    return Chunk(tp, start, following, records)


async def fetched_chunks(fetcher: Any, wanted: Iterable[Any] | None, timeout_s: float) -> dict[Any, Chunk]:
    """Like the `fetched_records` of aiokafka's fetcher, but one chunk per partition."""
    end = time.monotonic() + timeout_s
    while True:
        # Until a new assignment is complete, what was fetched may belong to somebody else.
        if fetcher._subscriptions.reassignment_in_progress:
            await fetcher._subscriptions.wait_for_assignment()
        chunks = _drain(fetcher, wanted)
        left = end - time.monotonic()
        if chunks or left <= 0:
            return chunks
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=left)
        if not done:
            waiter.cancel()
            return {}
        if fetcher._closed:
            return {}
        waiter.result()


def _drain(fetcher: Any, wanted: Iterable[Any] | None) -> dict[Any, Chunk]:
    chunks: dict[Any, Chunk] = {}
    for tp in list(fetcher._records):
        if wanted is not None and tp not in wanted:
            if not fetcher._subscriptions.is_assigned(tp):
                del fetcher._records[tp]
            continue
        found = fetcher._records[tp]
        if type(found) is not FetchResult and chunks:
            break  # An error of one partition waits for the next call; the others' records go first.
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
        if type(found) is not FetchResult:
            found.check_raise()
        elif found.check_assignment(tp) and found.has_more():
            chunk = parse(tp, found._partition_records)
            found._assignment.state_value(tp).consumed_to(chunk.next)
            if chunk.next > chunk.start:
                chunks[tp] = chunk
    return chunks


class Batches:
    """Encodes entries into as few batches as fit. Sequence numbers are set when a batch is sent."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._now_ms = clock.now_ms()

    def encode(self, entries: Iterable[FullEntry]) -> list[tuple[Any, int]]:
        """(builder, number of records) for each batch, in order. A lone entry may be larger than the limit."""
        batches: list[tuple[Any, int]] = []
        builder, count, now_ms = self._builder(), 0, self._now_ms
        for key, value, headers in entries:
            if builder.append(count, now_ms, key, value, headers) is None:
                batches.append((builder, count))
                builder, count = self._builder(), 0
                builder.append(0, now_ms, key, value, headers)
            count += 1
        if count:
            batches.append((builder, count))
        return batches

    def _builder(self) -> Any:
        return DefaultRecordBatchBuilder(MAGIC, 0, 0, -1, -1, -1, self._bytes_max)
