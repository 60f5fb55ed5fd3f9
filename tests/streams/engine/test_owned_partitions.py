"""A worker that is leaving claims nothing, whatever the group gives to it."""

import asyncio
from pathlib import Path
from typing import Any

from aiokafka.structs import TopicPartition

from streams.engine.connection import LogConnection
from streams.engine.ownership import OwnedPartitions
from streams.engine.worker_context import WorkerContext
from streams.limits import StreamLimits
from tests.streams.toy_totals import Totals

TP = TopicPartition("numbers", 0)


class Log:
    """A log that never answers, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def partitions(self, topic: str) -> int:
        self.asked.append(topic)
        await asyncio.Event().wait()
        return 1


class Consumer:
    """A member of the group that keeps no standby tables."""

    async def place(self, offsets: dict[Any, int]) -> None:
        raise AssertionError("nothing is ready")

    def standbys(self) -> list[int]:
        return []


def owned(log: Any) -> OwnedPartitions:
    connection = LogConnection(bootstrap="", prefix="", partitions=1, data_dir=Path())
    failed: Any = None
    return OwnedPartitions(WorkerContext(Totals(), connection, StreamLimits(), log, failed), lambda rows: None)


async def test_an_assigned_partition_is_opened() -> None:
    log = Log()
    partitions = owned(log)

    partitions.assigned([TP], Consumer())
    await asyncio.sleep(0)

    assert log.asked == ["numbers"]
    assert [it.partition for it in partitions.statuses()] == [0]
    partitions.abandon()


async def test_a_worker_that_was_fenced_off_claims_nothing_more() -> None:
    """The consumer's own thread may finish a rebalance while the worker leaves."""
    log = Log()
    partitions = owned(log)
    partitions.abandon()

    partitions.assigned([TP], Consumer())
    await asyncio.sleep(0)

    assert log.asked == []
    assert partitions.statuses() == []


async def test_a_worker_that_stops_cleanly_claims_nothing_more() -> None:
    log = Log()
    partitions = owned(log)
    await partitions.close()

    partitions.assigned([TP], Consumer())
    await asyncio.sleep(0)

    assert log.asked == []
