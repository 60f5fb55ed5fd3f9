"""Workers that come and go: named ones and guests, stopped and killed, every few seconds under load."""

import asyncio
import random

import pytest

from tests.streams.stream_world import Load, World

PATIENCE = {"session_timeout_ms": 3_000, "heartbeat_ms": 500}


@pytest.mark.parametrize("rounds", [4, pytest.param(60, marks=pytest.mark.soak)])
async def test_totals_are_exact_while_workers_join_and_leave_every_few_seconds(world: World, rounds: int) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    steady = world.worker("steady", standby=1, **PATIENCE)
    steady.wait_ready()
    load = Load(world)
    loading = asyncio.create_task(load.run(seconds=3.5 * rounds, per_second=600))

    for number in range(rounds):
        # A guest has no lasting name: the group notices its end when it leaves or when its session times out.
        guest = world.worker(chance.choice(("", f"named-{number % 2}")), standby=1, **PATIENCE)
        await asyncio.to_thread(guest.wait_for, '"partitions.assigned"')
        await asyncio.sleep(chance.uniform(0.1, 2))
        if chance.random() < 0.3:
            guest.kill()
        else:
            assert await asyncio.to_thread(guest.stop) == 0
    await loading

    await load.check()
    assert steady.process.poll() is None


@pytest.mark.parametrize("name", ["named", ""], ids=["named", "guest"])
async def test_a_clean_stop_lets_others_take_over_long_before_the_session_ends(world: World, name: str) -> None:
    patience = {"session_timeout_ms": 150_000, "heartbeat_ms": 500}
    leaver = world.worker(name, **patience)
    leaver.wait_ready()
    stayer = world.worker("stayer", **patience)
    await asyncio.to_thread(stayer.wait_for, '"partition.recovered"')
    load = Load(world)
    await load.send(500)

    assert await asyncio.to_thread(leaver.stop) == 0
    await load.send(100)
    # Minutes would pass if the group waited for the session.
    await world.until_decided(60)

    await load.check()


async def test_a_named_worker_may_keep_its_place_for_a_quick_restart(world: World) -> None:
    patience = {"session_timeout_ms": 30_000, "heartbeat_ms": 500, "leave_on_stop": False}
    first = world.worker("kept", **patience)
    first.wait_ready()
    other = world.worker("other", **patience)
    await asyncio.to_thread(other.wait_for, '"partition.recovered"')
    load = Load(world)
    await load.send(300)
    await world.until_decided()
    before = other.count('"partitions.assigned"')

    assert await asyncio.to_thread(first.stop) == 0
    world.worker("kept", **patience)
    await load.send(300)
    await load.check()

    assert other.count('"partitions.assigned"') == before, "no other worker was asked to rebalance"
