"""What plain consumers share: the status of their partitions, and the offsets that they commit."""

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError
from aiokafka.structs import TopicPartition

from bopis.topics.plans import TopicPlan
from streams.engine.connection import LogConnection
from streams.engine.partition_status import OPENING, READY
from streams.limits import StreamLimits
from streams.workers.consumer_worker import ConsumerWorker
from streams.workers.worker import WorkerReady

FIRST, SECOND, LOST = (TopicPartition("events", number) for number in range(3))


class Group:
    """A member of a group that owns two partitions and notes commits."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []
        self.refused = False

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset({FIRST, SECOND})

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refused:
            raise CommitFailedError
        self.commits.append(dict(offsets))


class Reader(ConsumerWorker):
    """A consumer that does nothing by itself."""

    sources = ("events",)
    other_topics = ("rows",)

    def routines(self) -> Sequence[Coroutine[Any, Any, None]]:
        return ()

    def recovered(self) -> int:
        return 12


def plan(name: str) -> TopicPlan:
    return TopicPlan(name=f"p.{name}", partitions=3, settings=(), exact_partitions=True)


@pytest.fixture
def readiness() -> list[WorkerReady]:
    return []


@pytest.fixture
def reader(readiness: list[WorkerReady], monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setattr("gc.freeze", lambda: None)  # this process goes on with other tests
    connection = LogConnection(
        bootstrap="127.0.0.1:1", prefix="p.", partitions=3, data_dir=Path(), plans=(plan("rows"), plan("events"))
    )
    reader = Reader("reader", connection, StreamLimits(), readiness.append)
    reader.group = Group()  # type: ignore[assignment]  # a fake
    return reader


def committed(reader: Reader) -> Any:
    group: Any = reader.group
    return group.commits


async def test_offsets_of_owned_partitions_are_committed_once(reader: Reader) -> None:
    reader.next_offsets = {FIRST: 4, LOST: 9}

    await reader.commit()
    await reader.commit()
    reader.next_offsets = {FIRST: 5, SECOND: 1}
    await reader.commit()

    assert committed(reader) == [{FIRST: 4}, {FIRST: 5, SECOND: 1}]


async def test_a_commit_that_fails_is_repeated_and_ends_nothing(reader: Reader) -> None:
    reader.next_offsets = {FIRST: 4}
    reader.group.refused = True  # type: ignore[attr-defined]  # a fake
    await reader.commit()
    reader.group.refused = False  # type: ignore[attr-defined]  # a fake

    await reader.commit()

    assert committed(reader) == [{FIRST: 4}]


async def test_offsets_are_committed_again_after_a_rebalance(reader: Reader) -> None:
    """Another member may have committed others meanwhile."""
    reader.next_offsets = {FIRST: 4}
    await reader.commit()

    await reader.revoked()
    reader.assigned([FIRST])
    await reader.commit()

    assert committed(reader) == [{FIRST: 4}, {FIRST: 4}]


async def test_statuses_follow_the_assignment_and_the_records_that_are_done(reader: Reader) -> None:
    reader.assigned([SECOND, FIRST])
    reader.next_offsets = {FIRST: 4}

    before = [(it.partition, it.state, it.position, it.recovered) for it in reader.statuses()]
    reader.report_ready({})
    after = [it.state for it in reader.statuses()]
    await reader.revoked()

    assert before == [(0, OPENING, 3, 12), (1, OPENING, None, 12)]
    assert after == [READY, READY]
    assert list(reader.statuses()) == []


async def test_readiness_is_reported_once(reader: Reader, readiness: list[WorkerReady]) -> None:
    reader.report_ready({0: 3})
    reader.report_ready({0: 4})

    assert [(it.processor, it.rows) for it in readiness] == [("reader", {0: 3})]


def test_topics_are_declared_as_the_product_plans_them(reader: Reader) -> None:
    assert list(reader.topic_plans()) == [plan("events"), plan("rows")]
