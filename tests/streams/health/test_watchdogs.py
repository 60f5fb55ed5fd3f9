"""A stall is detected, named in the log and in the worker's report, and ends the worker; a full disk is reported."""

import asyncio
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bopis.adapters.log import LogReader
from bopis.services.worker_reports import FELL, RUNNING, ReceivedReport, newest_reports
from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.engine.partition import OwnedPartition
from streams.engine.partition_status import OWNER, READY, PartitionStatus
from streams.engine.topics import COMPACT, TopicShape, ensure_topics, planned, topic_plans
from streams.engine.worker_context import WorkerContext
from streams.errors import NoProgress, OutOfGroup, RecoveryStalled
from streams.health.monitor import HealthMonitor
from streams.health.watchdog import StallTimer, Watchdog
from streams.limits import StreamLimits
from tests.streams.stream_world import Load, WorkerProcess, World
from tests.streams.toy_totals import Totals

WATCHFUL = {"watch_s": 0.3, "status_s": 1.0}
STALLED, REFUSED, OVERSLEPT = 80, 81, 75


async def reports(world: World) -> dict[str, ReceivedReport]:
    """The newest report of each worker, by its name."""

    def read() -> dict[str, ReceivedReport]:
        with LogReader(world.engine.bootstrap, world.prefix) as log:
            return {it.report.instance: it for it in newest_reports(log)}

    return await asyncio.to_thread(read)


async def until_reported(world: World, name: str, issue: str, seconds: float = 30.0) -> ReceivedReport:
    """Wait until a worker's report names an issue."""
    end = time.monotonic() + seconds
    while True:
        found = (await reports(world)).get(name)
        if found and any(it.name == issue for it in found.report.issues):
            return found
        assert time.monotonic() < end, found
        await asyncio.sleep(0.2)


async def ended(worker: WorkerProcess, seconds: float = 40.0) -> int:
    try:
        return await asyncio.to_thread(worker.process.wait, seconds)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the worker goes on:\n{worker.text[-4000:]}") from None


async def test_a_step_that_does_not_come_back_ends_the_worker_and_says_where(any_world: World) -> None:
    worker = any_world.worker("blocked", stall_s=3, **WATCHFUL)
    worker.wait_ready()
    producer = await any_world.producer()
    await producer.send_and_wait(any_world.topic("numbers"), b'{"sleep":600}', key=b"k")
    await producer.stop()

    assert await ended(worker) == STALLED, worker.text[-2000:]
    assert '"watchdog.loop_blocked"' in worker.text
    assert "time.sleep(message.sleep)" in worker.text

    newest = await until_reported(any_world, "blocked", "LoopBlocked")
    assert newest.report.state == FELL
    assert newest.report.exit_code == STALLED


async def test_a_worker_that_gets_nothing_although_there_is_something_ends(any_world: World) -> None:
    any_world.worker("deaf", deaf=True, stall_s=4, **WATCHFUL).wait_ready()
    load = Load(any_world)
    await load.send(100)

    worker = any_world.workers[-1]
    assert await ended(worker) == STALLED, worker.text[-2000:]
    assert '"watchdog.no_progress"' in worker.text

    newest = await until_reported(any_world, "deaf", "NoProgress")
    assert "stall_seconds" in newest.report.issues[0].text

    any_world.worker("deaf", **WATCHFUL)
    await load.check()


async def test_a_commit_that_hangs_in_a_log_that_stands_still_ends_the_worker(own_world: World) -> None:
    """The step is still busy when the log stops, so its commit meets a log that neither answers nor closes."""
    worker = own_world.worker("hanging", commit_stall_s=3, **WATCHFUL)
    worker.wait_ready()
    load = Load(own_world)
    await load.send(100)
    await load.check()
    producer = await own_world.producer()
    await producer.send_and_wait(own_world.topic("numbers"), b'{"sleep":2.5}', key=b"k")
    await producer.stop()
    await asyncio.sleep(1)

    freezing = asyncio.create_task(asyncio.to_thread(own_world.engine.freeze, 10))
    code = await ended(worker)

    assert code == STALLED, worker.text[-2000:]
    assert '"watchdog.commit_stalled"' in worker.text

    await freezing
    await own_world.until_decided(start=lambda: own_world.worker("hanging", **WATCHFUL))
    rows = await own_world.rows()
    assert {key: row[1] for key, row in rows.items() if key != "k"} == dict(load.sums)


async def test_a_recovery_that_loads_nothing_is_reported_and_ends_the_worker(any_world: World, tmp_path: Path) -> None:
    limits = msgspec.structs.replace(StreamLimits(), recovery_stall_s=2.0, watch_s=0.2, status_write_s_max=3.0)
    connection = LogConnection(
        bootstrap=any_world.engine.bootstrap, prefix=any_world.prefix, partitions=2, data_dir=tmp_path
    )
    client = LogClient(connection, limits)
    await client.start()
    shape = TopicShape("workers", COMPACT, 1 << 20, exact_partitions=False)
    plans = (*topic_plans(Totals(), connection, limits), *planned(connection, [shape]))
    await ensure_topics(plans, client)
    await client.watch(tuple(plan.name for plan in plans))
    failures: asyncio.Queue[BaseException] = asyncio.Queue()
    partition = OwnedPartition(0, WorkerContext(Totals(), connection, limits, client, failures.put_nowait))
    monitor = HealthMonitor("totals", connection, limits, client)

    freezing = asyncio.create_task(asyncio.to_thread(any_world.engine.freeze, 8))
    await asyncio.sleep(0.3)
    opening = asyncio.create_task(partition.open())
    monitor.begin(lambda: [partition.status()], lambda: True, failures.put_nowait)
    failure = await asyncio.wait_for(failures.get(), 20)

    assert isinstance(failure, RecoveryStalled)
    assert failure.exit_code == STALLED

    await freezing
    await asyncio.wait_for(opening, 60)
    partition.close()
    await monitor.end(failure)
    assert [it.report.state for it in (await reports(any_world)).values()] == [FELL]
    await client.stop()


async def test_a_disk_that_fills_is_an_issue_and_no_reason_to_end(any_world: World) -> None:
    worker = any_world.worker("full", disk_free_bytes_min=1 << 60, **WATCHFUL)
    worker.wait_ready()

    newest = await until_reported(any_world, "full", "watchdog.disk_low")

    assert "free some space" in newest.report.issues[0].text
    assert newest.report.state == RUNNING
    assert worker.count('"watchdog.disk_low"') == 1
    assert worker.stop() == 0


async def test_a_log_that_refuses_a_write_is_named_and_ends_the_worker(world: World) -> None:
    worker = world.worker("refused", **WATCHFUL)
    worker.wait_ready()
    load = Load(world)
    await load.send(10)
    await load.check()
    await allow(world, "totals", 200)

    await load.send(400)

    assert await ended(worker) == REFUSED, worker.text[-2000:]
    assert "MessageSizeTooLarge" in worker.text
    newest = await until_reported(world, "refused", "LogRefused")
    assert "MessageSizeTooLarge" in newest.report.issues[0].text

    await allow(world, "totals", 64 << 20)
    world.worker("refused", **WATCHFUL)
    await load.check()


async def allow(world: World, topic: str, bytes_max: int) -> None:
    """How large a batch the log takes for a topic from now on."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.engine.bootstrap)
    await admin.start()
    config: Any = {"max.message.bytes": str(bytes_max), "cleanup.policy": "compact"}
    config["message.timestamp.type"] = "LogAppendTime"
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, world.topic(topic), config)])
    await admin.close()


async def test_reports_that_cannot_be_written_hurt_nobody(world: World) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.engine.bootstrap)
    await admin.start()
    from aiokafka.admin import NewTopic

    await admin.create_topics([NewTopic(world.topic("workers"), 1, 1, topic_configs={"max.message.bytes": "10"})])
    await admin.close()

    worker = world.worker("mute", **WATCHFUL)
    worker.wait_ready()
    load = Load(world)
    await load.send(500)
    await load.check()

    assert worker.count('"report.failed"') == 1
    assert worker.stop() == 0


class Ends:
    """A log whose end is known, or is not."""

    def __init__(self, end: int | None) -> None:
        self.end = end
        self.issues: dict[str, Any] = {}

    async def ends(self, tps: list[Any]) -> dict[Any, int]:
        return {} if self.end is None else dict.fromkeys(tps, self.end)

    async def answers(self) -> bool:
        return self.end is not None


@pytest.mark.parametrize(
    ("end", "moves", "committing", "falls"),
    [(10, False, False, True), (10, True, False, False), (None, False, False, False), (6, False, False, False)],
    ids=["lag and no move", "lag and moves", "the end is not known", "no lag"],
)
async def test_only_who_has_records_and_decides_none_of_them_stands_still(
    end: int | None, moves: bool, committing: bool, falls: bool, tmp_path: Path
) -> None:
    failures: list[BaseException] = []
    log: Any = Ends(end)
    limits = msgspec.structs.replace(StreamLimits(), stall_s=0.2, watch_s=0.05, disk_free_bytes_min=0)
    watchdog = Watchdog(log, limits, tmp_path, failures.append)

    for number in range(10):
        at = 5 + number / 10 if moves else 5
        status = PartitionStatus(
            topic="numbers",
            partition=0,
            role=OWNER,
            state=READY,
            position=at,
            committing=committing,  # type: ignore[arg-type]  # finer than the log's
        )
        await watchdog.check([status], lambda: True)
        await asyncio.sleep(0.05)

    assert bool(failures) == falls
    assert all(isinstance(it, NoProgress) for it in failures)


@pytest.mark.parametrize(
    ("end", "membership", "falls"),
    [
        (10, [False] * 10, True),
        (10, [False, False, True] * 3, False),
        (None, [False] * 10, False),
        (10, [None] * 10, False),
    ],
    ids=["out of the group", "comes back each time", "the log does not answer", "has not asked to join"],
)
async def test_only_who_is_out_of_its_group_while_the_log_answers_ends_for_it(
    end: int | None, membership: list[bool | None], falls: bool, tmp_path: Path
) -> None:
    failures: list[BaseException] = []
    log: Any = Ends(end)
    limits = msgspec.structs.replace(StreamLimits(), group_stall_s=0.2, watch_s=0.05, disk_free_bytes_min=0)
    watchdog = Watchdog(log, limits, tmp_path, failures.append)

    for is_member in membership:
        await watchdog.check([], lambda is_member=is_member: is_member)  # type: ignore[misc]  # bound at once
        await asyncio.sleep(0.05)

    assert bool(failures) == falls
    assert all(isinstance(it, OutOfGroup) for it in failures)


def test_time_that_nobody_lived_through_is_no_stall() -> None:
    timer = StallTimer()

    assert timer.stalled_s("a", 1, True, 5.0) == 0.0
    assert timer.stalled_s("a", 1, True, 5.0) == 5.0
    assert timer.stalled_s("a", 1, False, 5.0) == 0.0
    assert timer.stalled_s("a", 1, True, 5.0) == 5.0
    assert timer.stalled_s("a", 2, True, 5.0) == 0.0


async def test_a_worker_that_slept_longer_than_its_session_leaves_with_nothing_to_write(any_world: World) -> None:
    """Nobody took its partitions, and nothing was on its way that could be refused: it leaves by its own clock."""
    worker = any_world.worker("asleep", session_timeout_ms=3_000, heartbeat_ms=500, **WATCHFUL)
    worker.wait_ready()
    load = Load(any_world)
    await load.send(100)
    await load.check()

    worker.signal(signal.SIGSTOP)
    await asyncio.sleep(4)
    worker.signal(signal.SIGCONT)

    assert await ended(worker) == OVERSLEPT, worker.text[-2000:]
    assert worker.count('"worker.overslept"') == 1
    newest = await until_reported(any_world, "asleep", "Overslept")
    assert newest.report.exit_code == OVERSLEPT


async def test_a_worker_that_was_stopped_for_a_while_is_not_taken_for_stalled(any_world: World) -> None:
    worker = any_world.worker("stopped", stall_s=3, watch_s=0.3, session_timeout_ms=30_000)
    worker.wait_ready()
    load = Load(any_world)
    await load.send(100)
    await load.check()

    worker.signal(signal.SIGSTOP)
    await load.send(100)
    await asyncio.sleep(5)
    worker.signal(signal.SIGCONT)

    await load.check()
    assert worker.process.poll() is None
    assert "watchdog." not in worker.text
