"""LogRecord batches in and out, without an object of ours per record.

The libraries' own path builds two or three Python objects for every record, which costs more than most decisions.
The C parser of aiokafka already yields objects with offset, timestamp, key, value and headers: they are used as
they are, one list per fetch and partition.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from streams.engine.processor import LogRecord

MAGIC = 2
# Key, value and headers. A plain tuple: one is made for every row that a commit writes.
BatchEntry = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
# One shared list: the C builder takes a list and never changes it.
NO_HEADERS: list[tuple[str, bytes]] = []


class Chunk:
    """The records that one fetch brought for one partition: from offset `start` on, up to before `next`.

    Offsets without a record in between were removed by compaction or belong to control batches; that is why
    neighbours are found by `start` and `next`, not by the offsets of records.
    """

    __slots__ = ("next", "records", "start", "tp")

    def __init__(self, tp: TopicPartition, start: int, following: int, records: list[LogRecord]) -> None:
        self.tp = tp
        self.start = start
        self.next = following
        self.records = records


class EncodedBatch(NamedTuple):
    """A batch that lacks only its writer's sequence number, and how many records it has."""

    builder: DefaultRecordBatchBuilder
    records: int


class Batches:
    """Encodes entries into as few batches as fit, dated by `now_ms`. Sequence numbers are set when a batch is sent.

    Source of the format: https://kafka.apache.org/documentation/#recordbatch (version 2).
    """

    def __init__(self, bytes_max: int, now_ms: Callable[[], int]) -> None:
        self._bytes_max = bytes_max
        self._now_ms = now_ms()

    def encode(self, entries: Iterable[BatchEntry]) -> list[EncodedBatch]:
        """The batches, in order. A lone entry may be larger than the limit."""
        batches: list[EncodedBatch] = []
        builder, count, now_ms = self._builder(), 0, self._now_ms
        for key, value, headers in entries:
            # None: the entry does not fit any more.
            if builder.append(count, now_ms, key, value, headers) is None:
                batches.append(EncodedBatch(builder, count))
                builder, count = self._builder(), 0
                builder.append(0, now_ms, key, value, headers)
            count += 1
        if count:
            batches.append(EncodedBatch(builder, count))
        return batches

    def _builder(self) -> Any:
        # No compression, not transactional; the writer's id, epoch and sequence come later.
        return DefaultRecordBatchBuilder(MAGIC, 0, 0, -1, -1, -1, self._bytes_max)
