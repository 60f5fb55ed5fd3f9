"""Commits in a backlog gather; commits beside one do not wait."""

import asyncio
from typing import Any

from aiokafka.structs import TopicPartition

from streams.engine.commit import GroupCommit
from streams.engine.table import PartitionTable
from streams.limits import StreamLimits
from tests.streams.toy_totals import Totals

CHANGELOG = TopicPartition("totals", 0)
GENEROUS_S = 30.0


class Writer:
    """Takes every batch at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    async def publish(self, outputs: Any) -> None:
        assert not outputs

    async def atomically(self, _tp: TopicPartition, entries: Any) -> int:
        self.batches.append(len(entries) - 1)
        return 0


def commit_of(limits: StreamLimits) -> tuple[PartitionTable, Writer, GroupCommit]:
    def failed(error: BaseException) -> None:
        raise error

    table, writer = PartitionTable(Totals()), Writer()
    return table, writer, GroupCommit(table, writer, CHANGELOG, limits, failed)  # type: ignore[arg-type]  # a fake


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_in_a_backlog_a_row_that_changes_ten_times_is_written_once() -> None:
    table, writer, commits = commit_of(StreamLimits(commit_gather_s=GENEROUS_S))

    for position in range(10):
        table.rows.put("a", [position])
        commits.stage(position, [], more=True)
        await turns()
    before = list(writer.batches)
    table.rows.put("b", [1])
    commits.stage(10, [])
    await asyncio.wait_for(commits.drain(), GENEROUS_S / 2)

    assert before == []
    assert writer.batches == [2]
    assert commits.durable == 10


async def test_a_leave_does_not_wait_for_the_rest_of_a_backlog() -> None:
    table, writer, commits = commit_of(StreamLimits(commit_gather_s=GENEROUS_S))
    table.rows.put("a", [1])
    commits.stage(0, [], more=True)
    await turns()

    await asyncio.wait_for(commits.drain(), GENEROUS_S / 2)

    assert writer.batches == [1]


async def test_what_is_gathered_leaves_at_once_when_nothing_follows() -> None:
    table, writer, commits = commit_of(StreamLimits(commit_gather_s=GENEROUS_S))
    table.rows.put("a", [1])
    commits.stage(0, [], more=True)
    await turns()
    assert writer.batches == []

    commits.flush()
    await turns()

    assert writer.batches == [1]


async def test_a_backlog_that_stops_is_committed_when_its_time_is_over() -> None:
    table, writer, commits = commit_of(StreamLimits(commit_gather_s=0.01))
    table.rows.put("a", [1])
    commits.stage(0, [], more=True)

    while not writer.batches:
        await asyncio.sleep(0.01)

    assert writer.batches == [1]


async def test_a_full_commit_leaves_in_the_middle_of_a_backlog() -> None:
    table, writer, commits = commit_of(StreamLimits(commit_gather_s=GENEROUS_S, commit_rows_max=3))

    for position in range(3):
        table.rows.put(f"k{position}", [1])
        commits.stage(position, [], more=True)
    await asyncio.wait_for(commits.room(), GENEROUS_S / 2)

    assert writer.batches == [3]
