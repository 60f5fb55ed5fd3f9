"""Standby tables: a takeover reads the end of the changelog only, and its rows are those of a full recovery."""

import asyncio
import json
import random
import time
from typing import Any

from tests.streams.stream_world import Load, WorkerProcess, World

PATIENCE = {"session_timeout_ms": 3_000, "heartbeat_ms": 500}


def events(worker: WorkerProcess, name: str) -> list[dict[str, Any]]:
    """The log events of a worker with this name, in order."""
    logged = [json.loads(line) for line in worker.text.splitlines() if line.startswith("{")]
    return [it for it in logged if it.get("event") == name]


async def until(words: str, condition: Any, seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, words
        await asyncio.sleep(0.05)


async def test_a_takeover_from_a_killed_owner_reads_only_what_its_standby_had_not_seen(world: World) -> None:
    owner = world.worker("owner", standby=1, **PATIENCE)
    owner.wait_ready()
    load = Load(world, keys=3_000)
    await load.send(9_000)
    await world.until_decided()
    keeper = world.worker("keeper", standby=1, **PATIENCE)
    await asyncio.to_thread(keeper.wait_for, '"standby": [')
    await until("the work is shared", lambda: len(events(keeper, "partition.recovered")) == 1)
    await load.send(2_000)
    await world.until_decided()
    await asyncio.sleep(2)

    owner.kill()
    await load.send(500)
    await load.check()

    taken = events(keeper, "partition.recovered")[1:]
    rows = sum(it["rows"] for it in taken)
    assert [it["warm"] for it in taken] == [True]
    assert rows > 1_000
    assert sum(it["records"] for it in taken) < 100, "only the end of the changelog was read"


async def test_the_standby_of_a_partition_that_moved_is_the_table_of_its_owner(world: World) -> None:
    """An owner that gives a partition up keeps its rows as the standby, so that they return without being read."""
    owner = world.worker("owner", standby=1, **PATIENCE)
    owner.wait_ready()
    load = Load(world, keys=2_000)
    await load.send(6_000)
    await world.until_decided()
    other = world.worker("other", standby=1, **PATIENCE)
    await until("the work is shared", lambda: len(events(other, "partition.recovered")) == 1)
    await load.send(1_000)
    await world.until_decided()
    await asyncio.sleep(3)

    assert other.stop() == 0
    await load.send(200)
    await load.check()

    back = [it for it in events(owner, "partition.recovered") if it["warm"]]
    assert back
    assert all(it["records"] < it["rows"] / 2 for it in back), back
    assert owner.stop() == 0


async def test_totals_are_exact_after_many_takeovers_by_standbys(world: World) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    workers = {name: world.worker(name, standby=1, **PATIENCE) for name in ("one", "two")}
    for worker in workers.values():
        await asyncio.to_thread(worker.wait_for, '"partition.recovered"')
    load = Load(world, keys=400)
    loading = asyncio.create_task(load.run(seconds=16, per_second=500))

    await asyncio.sleep(3)
    first = True
    while not loading.done():
        name = chance.choice(sorted(workers))
        if chance.random() < 0.5:
            workers[name].kill()
        else:
            await asyncio.to_thread(workers[name].stop)
        # Longer than a session now and then, so that the other one takes over.
        await asyncio.sleep(5.0 if first else chance.choice((0.2, 5.0)))
        first = False
        workers[name] = world.worker(name, standby=1, **PATIENCE)
        await asyncio.sleep(chance.uniform(0.5, 4))
    await loading

    await load.check()
    recovered = [it for worker in world.workers for it in events(worker, "partition.recovered")]
    assert any(it["warm"] for it in recovered)
    assert not any(events(worker, "standby.fell") for worker in world.workers)
