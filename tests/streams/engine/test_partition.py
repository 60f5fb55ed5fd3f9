"""One partition around a log that is a list: gaps, lost records, large rows, and the order of a commit."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.structs import TopicPartition

from streams.engine.batches import Chunk
from streams.engine.connection import LogConnection
from streams.engine.log_client import EARLIEST
from streams.engine.partition import OwnedPartition
from streams.engine.worker_context import WorkerContext
from streams.errors import PartitionStuck, SourceReplaced, SourceTruncated
from streams.limits import StreamLimits
from tests.streams.records import StoredRecord
from tests.streams.toy_totals import Totals

SOURCE = TopicPartition("numbers", 0)
LIMITS = StreamLimits(slice_records_max=4, gap_seeks_max=3)


class FakeClient:
    """Answers offsets; nothing else is asked of it here."""

    def __init__(self, earliest: int, end: int) -> None:
        self.earliest, self.end = earliest, end

    async def offset(self, tp: TopicPartition, which: int) -> int:
        return self.earliest if which == EARLIEST else self.end


class FakeWriter:
    """Notes what is written, in order; `held` keeps commits on their way."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []
        self.held = asyncio.Event()
        self.held.set()
        self.epoch = 1

    async def publish(self, outputs: list[Any]) -> None:
        if outputs:
            await self.held.wait()
            self.written.append(("outputs", len(outputs)))

    async def atomically(self, tp: TopicPartition, entries: list[Any]) -> int:
        await self.held.wait()
        self.written.append((tp.topic, entries))
        return len(self.written)


def make(
    limits: StreamLimits = LIMITS, earliest: int = 0, end: int = 100
) -> tuple[OwnedPartition, FakeWriter, list[Any]]:
    connection = LogConnection(bootstrap="", prefix="", partitions=1, data_dir=Path())
    failures: list[Any] = []
    client: Any = FakeClient(earliest, end)
    partition = OwnedPartition(0, WorkerContext(Totals(), connection, limits, client, failures.append))
    writer: Any = FakeWriter()
    partition._writer = partition._commits._writer = writer
    partition.ready = True
    return partition, writer, failures


def chunk(start: int, following: int, *, every: int = 1, pad: int = 0) -> Chunk:
    key = b"k" + b"x" * pad
    records: list[Any] = [StoredRecord(n, b"%s%d" % (key, n), b'{"add":1}') for n in range(start, following, every)]
    return Chunk(SOURCE, start, following, records)


def committed(writer: FakeWriter) -> list[int]:
    """The positions of the commits, in order."""
    return [msgspec.json.decode(entries[0][1])["position"] for name, entries in writer.written if name == "totals"]


async def test_a_chunk_beyond_the_next_offset_is_not_decided_but_gone_back_for() -> None:
    partition, _, _ = make()
    assert await partition.take(chunk(0, 3)) is None

    assert await partition.take(chunk(5, 8)) == 3
    assert await partition.take(chunk(3, 8)) is None

    assert partition.next_offset == 8
    assert partition.rows == 8


async def test_offsets_without_records_are_no_gap() -> None:
    partition, writer, _ = make()

    assert await partition.take(chunk(0, 10, every=4)) is None
    assert await partition.take(chunk(10, 12)) is None

    await partition._commits.drain()
    assert partition.next_offset == 12
    assert committed(writer)[-1] == 11


async def test_a_gap_that_never_closes_ends_the_worker_instead_of_turning_for_ever() -> None:
    partition, _, _ = make()

    for _ in range(LIMITS.gap_seeks_max):
        assert await partition.take(chunk(5, 8)) == 0

    with pytest.raises(PartitionStuck):
        await partition.take(chunk(5, 8))


async def test_records_that_retention_removed_are_missed_out_loud() -> None:
    partition, _, _ = make(earliest=5)

    with pytest.raises(SourceTruncated, match="truncated_source_accepted"):
        await partition.take(chunk(5, 8))


@pytest.mark.parametrize(
    ("position", "earliest", "end", "error"),
    [(9, 0, 10, None), (3, 4, 10, None), (3, 5, 10, SourceTruncated), (10, 0, 10, SourceReplaced), (-1, 7, 9, None)],
)
async def test_the_source_must_go_on_where_the_rows_stop(
    position: int, earliest: int, end: int, error: type[Exception] | None
) -> None:
    partition, _, _ = make(earliest=earliest, end=end)
    partition._table.position = position

    if error is not None:
        with pytest.raises(error):
            await partition._check_source()
        return
    await partition._check_source()
    assert partition.next_offset == max(position + 1, earliest)


async def test_an_operator_may_accept_that_records_are_gone() -> None:
    partition, _, _ = make(msgspec.structs.replace(LIMITS, truncated_source_accepted=True), earliest=5, end=10)
    partition._table.position = 2

    await partition._check_source()

    assert partition.next_offset == 5


async def test_while_one_commit_is_on_its_way_everything_else_becomes_the_next_one() -> None:
    partition, writer, _ = make()
    writer.held.clear()
    await partition.take(chunk(0, 4))
    for start in range(4, 40, 4):
        await partition.take(chunk(start, start + 4))
    writer.held.set()
    await partition._commits.drain()

    assert len(committed(writer)) == 2
    assert committed(writer)[-1] == 39
    assert partition.settled


async def test_outputs_are_in_the_log_before_the_position_that_covers_them() -> None:
    partition, writer, _ = make()

    await partition.take(chunk(0, 8))
    await partition._commits.drain()

    assert [name for name, _ in writer.written] == ["outputs", "totals"] * (len(writer.written) // 2)
    assert sum(count for name, count in writer.written if name == "outputs") == 8


async def test_rows_and_position_leave_in_one_batch_with_the_position_first() -> None:
    partition, writer, _ = make()

    await partition.take(chunk(0, 40))
    await partition._commits.drain()

    covered = -1
    for entries in (entries for name, entries in writer.written if name == "totals"):
        position = msgspec.json.decode(entries[0][1])["position"]
        assert entries[0][0] == b"\x00position"
        assert [key for key, _, _ in entries[1:]] == [b"k%d" % n for n in range(covered + 1, position + 1)]
        covered = position
    assert covered == 39


async def test_rows_that_grow_make_commits_of_fewer_records() -> None:
    """Everything staged must fit into one batch, or the position could not be atomic with its rows."""
    limits = msgspec.structs.replace(LIMITS, commit_bytes_target=100_000, commit_rows_max=1_000)
    partition, writer, _ = make(limits)
    for start in range(0, 400, 40):
        taking = asyncio.create_task(partition.take(chunk(start, start + 40, pad=5_000)))
        await taking
    await partition._commits.drain()

    sizes = [sum(len(key) for key, _, _ in entries) for name, entries in writer.written if name == "totals"]
    assert max(sizes) < 500_000
    assert committed(writer)[-1] == 399


async def test_a_step_waits_when_too_much_is_staged() -> None:
    partition, writer, _ = make(msgspec.structs.replace(LIMITS, commit_rows_max=8))
    writer.held.clear()
    taking = asyncio.create_task(partition.take(chunk(0, 60)))
    await asyncio.sleep(0.05)

    assert not taking.done()
    assert partition.next_offset <= 16

    writer.held.set()
    await taking
    await partition._commits.drain()
    assert committed(writer)[-1] == 59


async def test_a_partition_at_rest_decides_nothing_more_and_has_everything_in_the_log() -> None:
    partition, writer, _ = make()
    writer.held.clear()
    await partition.take(chunk(0, 8))
    resting = asyncio.create_task(partition.rest(drain_s_max=5))
    await asyncio.sleep(0.05)
    await partition.take(chunk(8, 12))

    assert not resting.done()

    writer.held.set()
    assert await resting
    assert committed(writer)[-1] == 7
    assert partition.durable_next_offset == 8


async def test_a_partition_that_cannot_come_to_rest_returns_false() -> None:
    partition, writer, _ = make()
    writer.held.clear()
    await partition.take(chunk(0, 8))

    assert not await partition.rest(drain_s_max=0.05)


async def test_a_commit_that_fails_is_reported_and_nothing_more_is_written() -> None:
    partition, writer, failures = make()

    async def broken(tp: TopicPartition, entries: list[Any]) -> int:
        raise ConnectionError("gone")

    writer.atomically = broken  # type: ignore[method-assign]  # a fault, planted
    await partition.take(chunk(0, 4))
    await partition._commits.drain()

    assert [type(failure) for failure in failures] == [ConnectionError]
    assert not partition.settled
    assert partition.durable_next_offset == 0
