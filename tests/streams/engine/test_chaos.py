"""Everything at once, for as long as one likes: the totals stay those of one straight addition."""

import asyncio
import random
import signal

import pytest

from tests.streams.stream_world import Load, World

PATIENCE = {"session_timeout_ms": 4_000, "heartbeat_ms": 1_000}


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [90])
async def test_totals_are_exact_whatever_happens(own_world: World, seconds: int) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    names = ["one", "two"]
    workers = {name: own_world.worker(name, **PATIENCE) for name in names}
    load = Load(own_world)
    for worker in workers.values():
        await asyncio.to_thread(worker.wait_ready)
    loading = asyncio.create_task(load.run(seconds=seconds, per_second=700))

    while not loading.done():
        name = chance.choice(names)
        match chance.choice(["kill", "kill", "stop", "sleep", "log killed", "log frozen", "calm"]):
            case "kill":
                workers[name].kill()
            case "stop":
                if workers[name].process.poll() is None:
                    await asyncio.to_thread(workers[name].stop)
            case "sleep":
                if workers[name].process.poll() is None:
                    workers[name].signal(signal.SIGSTOP)
                    await asyncio.sleep(chance.uniform(0.5, 8))
                    workers[name].signal(signal.SIGCONT)
            case "log killed":
                await asyncio.to_thread(own_world.engine.kill)
                await asyncio.sleep(chance.uniform(0.1, 3))
                await asyncio.to_thread(own_world.engine.start)
            case "log frozen":
                await asyncio.to_thread(own_world.engine.freeze, chance.uniform(0.5, 6))
        await asyncio.sleep(chance.uniform(0.2, 3))
        for name in names:
            if workers[name].process.poll() is not None:
                workers[name] = own_world.worker(name, **PATIENCE)
    await loading

    await load.check()
    ends = [worker.process.poll() for worker in own_world.workers]
    # A request to stop that comes while Python is still starting ends the process before it could do anything.
    assert set(ends) <= {None, 0, 75, -signal.SIGKILL, -signal.SIGTERM}, ends


@pytest.mark.soak
async def test_totals_are_exact_after_the_log_stood_still(own_world: World) -> None:
    own_world.worker().wait_ready()
    load = Load(own_world)
    loading = asyncio.create_task(load.run(seconds=25, per_second=700))
    await asyncio.sleep(2)

    await asyncio.to_thread(own_world.engine.freeze, 15)
    await loading

    await load.check()
