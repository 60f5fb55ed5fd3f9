"""Whatever dies, and whenever: the totals stay those of one straight addition."""

import asyncio
import random
import signal

import pytest

from tests.streams.stream_world import Load, World


async def test_totals_are_exact_after_a_clean_run(world: World) -> None:
    worker = world.worker()
    worker.wait_ready()
    load = Load(world)

    await load.run(seconds=2, per_second=1000)

    await load.check()
    assert worker.stop() == 0


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.soak)])
async def test_totals_are_exact_after_kills_at_random_moments(world: World, kills: int) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    world.worker().wait_ready()
    load = Load(world)
    loading = asyncio.create_task(load.run(seconds=2.2 * kills, per_second=1500))

    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.05, 0.8))
        world.workers[-1].kill()
        worker = world.worker()
        await asyncio.to_thread(worker.wait_ready)
    await loading

    await load.check()
    assert world.workers[-1].stop() == 0


async def test_a_killed_worker_is_back_at_work_without_waiting_for_its_session(world: World) -> None:
    patience = {"session_timeout_ms": 150_000, "heartbeat_ms": 500}
    world.worker(**patience).wait_ready()
    load = Load(world)
    await load.send(100)
    await load.check()
    world.workers[-1].kill()
    await load.send(1)

    world.worker(**patience)

    await load.check()


async def test_a_sleeper_that_does_not_know_that_it_slept_is_refused_by_the_log_and_leaves(world: World) -> None:
    patience = {"session_timeout_ms": 4_000, "heartbeat_ms": 1_000}
    sleeper = world.worker("sleeper", timeless=True, **patience)
    sleeper.wait_ready()
    load = Load(world)
    loading = asyncio.create_task(load.run(seconds=10, per_second=800))
    await asyncio.sleep(1)

    sleeper.signal(signal.SIGSTOP)
    successor = world.worker("successor", **patience)
    await asyncio.to_thread(successor.wait_for, "partition.recovered")
    await asyncio.sleep(1)
    sleeper.signal(signal.SIGCONT)
    code = await asyncio.to_thread(sleeper.process.wait, 60)
    await loading

    assert code == 75, sleeper.text[-2000:]
    assert sleeper.count('"worker.fenced"') == 1
    await load.check()
    assert successor.stop() == 0
