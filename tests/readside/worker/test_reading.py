"""What the worker does with chunks: in order, bounded, gone back for, and not lost while the database is away."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from bopis.readside.errors import DatabaseAway, RecordsMissing
from streams.engine.batches import Chunk
from streams.engine.connection import LogConnection
from streams.errors import PartitionStuck, SourceReplaced, SourceTruncated
from streams.limits import StreamLimits
from streams.workers.projection_database import ProjectionDatabase
from streams.workers.projection_input import PENDING_RECORDS_MAX, ProjectionInput, SourceTopics
from tests.readside.world import Record

STOCK = TopicPartition("p.stock", 0)
LEVELS = TopicPartition("p.inventory-levels", 0)


class FakeLog:
    """Earliest and latest offsets, as the log's client tells them."""

    def __init__(self) -> None:
        self.begin, self.end = 0, 1_000_000

    async def offset(self, tp: Any, which: int) -> int:
        return self.begin if which == -2 else self.end


class FakeConnection:
    prefix = "p."

    def topic(self, name: str) -> str:
        return self.prefix + name


class FakeDatabase:
    """Takes batches; refuses what does not follow its position."""

    away = False

    def __init__(self) -> None:
        self.at: dict[tuple[str, int], int] = {}
        self.written: list[list[tuple[str, int | None, int | None]]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def positions(self) -> dict[tuple[str, int], int]:
        return dict(self.at)

    async def write(self, batches: Any) -> None:
        await self.open.wait()
        at = dict(self.at)
        for batch in batches:
            name = batch.topic.removeprefix("p.")
            position = at.get((name, batch.partition), -1)
            if batch.start > position + 1:
                raise RecordsMissing(topic=name, partition=batch.partition, position=position, offset=batch.start)
            at[name, batch.partition] = batch.following - 1
        self.at = at
        self.written.append([(batch.topic, batch.start, batch.following) for batch in batches])


class FakeConsumer:
    def __init__(self) -> None:
        self.sought: list[dict[Any, int]] = []
        self.gathering: list[float] = []

    def gather(self, seconds: float) -> None:
        self.gathering.append(seconds)

    async def seek(self, offsets: dict[Any, int]) -> None:
        self.sought.append(dict(offsets))


class Bench:
    """An input with fakes around it."""

    def __init__(self, **limits: Any) -> None:
        self.log, self.database, self.consumer = FakeLog(), FakeDatabase(), FakeConsumer()
        self.failures: list[BaseException] = []
        self.ready: list[dict[int, int]] = []
        topics: Any = SourceTopics(FakeConnection(), StreamLimits(**limits), self.log)  # type: ignore[arg-type]
        database: Any = self.database
        self.reading = ProjectionInput(topics, database, self.consumer, self.ready.append, self.failures.append)

    async def assign(self, *tps: Any) -> None:
        self.reading.assigned(tps)
        await asyncio.sleep(0.01)


def chunk(tp: Any, start: int, following: int) -> Chunk:
    return Chunk(tp, start, following, [Record(offset, 0, b"k", b"v") for offset in range(start, following)])


async def test_reading_begins_after_the_position_in_the_database() -> None:
    bench = Bench()
    bench.database.at["stock", 0] = 41

    await bench.assign(STOCK, LEVELS)

    assert bench.consumer.sought == [{STOCK: 42, LEVELS: 0}]
    assert set(bench.reading.wanted) == {STOCK, LEVELS}
    assert bench.ready == [{}]


async def test_while_one_transaction_runs_the_next_collects() -> None:
    bench = Bench()
    await bench.assign(STOCK, LEVELS)
    bench.database.open.clear()

    await bench.reading.take(chunk(STOCK, 0, 3))
    await asyncio.sleep(0.01)
    for it in (chunk(STOCK, 3, 5), chunk(LEVELS, 0, 4), chunk(STOCK, 5, 6)):
        await bench.reading.take(it)
    bench.database.open.set()
    await bench.reading.close()

    assert [[name for name, _, _ in batches] for batches in bench.database.written] == [
        ["p.stock"],
        ["p.stock", "p.inventory-levels", "p.stock"],
    ]
    assert bench.reading.durable_offsets() == {STOCK: 6, LEVELS: 4}


async def test_taking_waits_while_too_much_is_ahead_of_the_database() -> None:
    bench = Bench()
    await bench.assign(STOCK)
    bench.database.open.clear()
    await bench.reading.take(chunk(STOCK, 0, 1))
    await asyncio.sleep(0.01)

    taking = asyncio.ensure_future(bench.reading.take(chunk(STOCK, 1, 1 + PENDING_RECORDS_MAX)))
    await asyncio.sleep(0.01)
    waited = not taking.done()
    bench.database.open.set()
    await taking

    assert waited
    await bench.reading.close()
    assert bench.database.at["stock", 0] == PENDING_RECORDS_MAX


async def test_records_that_were_missed_are_gone_back_for_and_the_others_are_written() -> None:
    bench = Bench()
    await bench.assign(STOCK, LEVELS)

    await bench.reading.take(chunk(STOCK, 5, 9))
    await bench.reading.take(chunk(LEVELS, 0, 2))
    await asyncio.sleep(0.01)
    await bench.reading.take(chunk(STOCK, 0, 9))
    await bench.reading.close()

    assert bench.consumer.sought[1:] == [{STOCK: 0}]
    assert bench.database.at == {("stock", 0): 8, ("inventory-levels", 0): 1}
    assert bench.failures == []


async def test_going_back_again_and_again_ends_the_worker() -> None:
    bench = Bench(gap_seeks_max=2)
    await bench.assign(STOCK)

    for _ in range(3):
        await bench.reading.take(chunk(STOCK, 5, 9))
        await asyncio.sleep(0.01)

    assert [type(it) for it in bench.failures] == [PartitionStuck]


@pytest.mark.parametrize(("tp", "cause"), [(STOCK, SourceTruncated), (LEVELS, None)])
async def test_a_log_that_begins_later_is_a_hole_in_a_compacted_topic_and_a_loss_in_others(
    tp: Any, cause: type[Exception] | None
) -> None:
    bench = Bench()
    bench.log.begin = 7

    await bench.assign(tp)
    await bench.reading.take(chunk(tp, 7, 9))
    await bench.reading.close()

    assert [type(it) for it in bench.failures] == ([cause] if cause else [])
    assert bench.database.at == ({} if cause else {("inventory-levels", 0): 8})


async def test_a_database_that_is_ahead_of_the_log_belongs_to_another_log() -> None:
    bench = Bench()
    bench.log.end, bench.database.at["stock", 0] = 10, 99

    await bench.assign(STOCK)

    assert [type(it) for it in bench.failures] == [SourceReplaced]


async def test_a_rebalance_writes_what_is_here_and_forgets_who_owned_what() -> None:
    bench = Bench()
    await bench.assign(STOCK)
    await bench.reading.take(chunk(STOCK, 0, 3))

    await bench.reading.revoked()
    await bench.reading.take(chunk(STOCK, 3, 4))
    await bench.assign(LEVELS)

    assert bench.database.at == {("stock", 0): 2}
    assert set(bench.reading.wanted) == {LEVELS}


async def test_leaving_does_not_wait_for_a_database_that_is_away() -> None:
    bench = Bench(drain_s_max=0.05)
    await bench.assign(STOCK)
    bench.database.open.clear()
    await bench.reading.take(chunk(STOCK, 0, 3))

    await bench.reading.close()
    bench.database.open.set()
    await asyncio.sleep(0.01)

    assert bench.failures == []


async def test_fetches_gather_while_a_transaction_runs_and_come_at_once_when_none_does() -> None:
    bench = Bench()
    await bench.assign(STOCK)
    await bench.reading.take(chunk(STOCK, 0, 3))
    await asyncio.sleep(0.01)
    bench.database.open.clear()
    before = list(bench.consumer.gathering)

    await bench.reading.take(chunk(STOCK, 3, 5))
    await asyncio.sleep(0.05)
    while_running = bench.consumer.gathering[len(before) :]
    bench.database.open.set()
    await bench.reading.close()

    assert before[-1] == 0.0
    assert [seconds > 0 for seconds in while_running] == [True]
    assert bench.consumer.gathering[-1] == 0.0


async def test_the_positions_of_a_database_that_is_away_are_not_judged() -> None:
    bench = Bench()
    await bench.assign(STOCK)
    bench.database.open.clear()
    await bench.reading.take(chunk(STOCK, 0, 3))
    there = bench.reading.statuses()

    bench.database.away = True
    gone = bench.reading.statuses()
    bench.database.open.set()
    await bench.reading.close()

    assert [(it.position, it.committing) for it in there] == [(-1, True)]
    assert [(it.position, it.committing) for it in gone] == [(None, False)]


async def test_a_database_that_is_away_is_told_until_it_is_back() -> None:
    database = ProjectionDatabase(
        None, LogConnection(bootstrap="", prefix="p.", partitions=1, data_dir=Path()), StreamLimits()
    )
    told: list[list[str]] = []

    def work() -> str:
        told.append([it.text for it in database.issues.values()])
        if len(told) < 3:
            raise DatabaseAway(cause="connection refused")
        return "done"

    answer = await database._patiently(work)
    database.close()

    away = "the database does not answer: connection refused"
    assert (answer, told) == ("done", [[], [away], [away]])
    assert (database.away, database.issues) == (False, {})
