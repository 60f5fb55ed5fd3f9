"""Who owns what: clean stops, namesakes, several workers, and positions that only the changelog knows."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.streams.stream_world import PARTITIONS, Load, World


async def test_a_clean_stop_commits_what_is_staged_and_hands_over_at_once(world: World) -> None:
    first = world.worker("first", session_timeout_ms=150_000)
    first.wait_ready()
    second = world.worker("second", session_timeout_ms=150_000)
    second.wait_ready()
    load = Load(world)
    await load.send(3_000)

    assert first.stop() == 0
    await load.send(100)
    # Minutes would pass if the group waited for the session.
    await world.until_decided()

    assert first.count('"clean": true') == 1
    await load.check()


async def test_two_workers_share_the_partitions_and_one_takes_all_when_the_other_dies(world: World) -> None:
    patience = {"session_timeout_ms": 3_000, "heartbeat_ms": 500}
    first = world.worker("first", **patience)
    first.wait_ready()
    load = Load(world)
    loading = asyncio.create_task(load.run(seconds=7, per_second=500))
    await asyncio.sleep(1)
    second = world.worker("second", **patience)
    await asyncio.to_thread(second.wait_for, "partition.recovered")
    await asyncio.sleep(1)

    first.kill()
    await loading
    # On a slow machine the load may have ended before the kill: no other worker can decide what comes now.
    await load.send(200)

    await load.check()
    assert second.count('"partition.recovered"') >= PARTITIONS


async def test_a_namesake_takes_over_and_the_first_one_leaves(world: World) -> None:
    first = world.worker("twin")
    first.wait_ready()
    load = Load(world)
    await load.send(500)

    second = world.worker("twin")
    second.wait_ready()
    await load.send(500)

    assert await asyncio.to_thread(first.process.wait, 60) == 75
    await load.check()
    assert second.process.poll() is None


@pytest.mark.parametrize("committed", [0, 900])
async def test_offsets_of_the_group_have_no_say(world: World, committed: int) -> None:
    """Somebody resets the group with a tool, or it lost its offsets: the changelog knows better."""
    worker = world.worker()
    worker.wait_ready()
    load = Load(world)
    await load.send(1_000)
    await world.until_decided()
    assert worker.stop() == 0
    await load.send(1_000)
    consumer = AIOKafkaConsumer(bootstrap_servers=world.engine.bootstrap, group_id=world.topic("totals"))
    await consumer.start()
    tps = [TopicPartition(world.topic("numbers"), number) for number in range(PARTITIONS)]
    consumer.assign(tps)
    await consumer.commit(dict.fromkeys(tps, committed))
    await consumer.stop()

    world.worker().wait_ready()

    await load.check()


async def test_a_topic_that_does_not_fit_is_refused_with_the_setting_to_change(world: World) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.engine.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(world.topic("numbers"), PARTITIONS + 1, 1)])
    await admin.close()

    worker = world.worker()

    assert await asyncio.to_thread(worker.process.wait, 60) == 78
    assert f"'{world.topic('numbers')}'" in worker.text
    assert "bopis topics migrate" in worker.text
