"""The log goes away under load and comes back: nothing twice, nothing lost, no help needed."""

import asyncio

import pytest

from tests.streams.stream_world import Load, World


@pytest.mark.parametrize(("absences", "seconds"), [(1, 3.0), pytest.param(4, 15.0, marks=pytest.mark.soak)])
async def test_totals_are_exact_after_the_log_was_away(own_world: World, absences: int, seconds: float) -> None:
    engine = own_world.engine
    worker = own_world.worker()
    worker.wait_ready()
    load = Load(own_world)
    loading = asyncio.create_task(load.run(seconds=absences * (seconds + 3), per_second=800))

    for _ in range(absences):
        await asyncio.sleep(1.5)
        await asyncio.to_thread(engine.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(engine.start)
    await loading

    await load.check()
    assert worker.process.poll() is None, "the same process outlived the absence"
    assert worker.stop() == 0, worker.text[-3000:]


async def test_a_stop_is_clean_though_the_library_is_torn_down_while_offsets_are_committed(world: World) -> None:
    """Its own calls are cancelled then. That cancellation is not the worker's: the stop is completed."""
    worker = world.worker(torn=True, group_offsets_s=1_000)
    worker.wait_ready()
    load = Load(world)
    await load.send(200)
    await world.until_decided()

    code = worker.stop()

    assert code == 0, worker.text[-3000:]
    assert worker.count('"group_offsets.failed"') == 1
    await load.check()


async def test_a_worker_waits_for_a_log_that_is_not_there_yet(own_world: World) -> None:
    own_world.engine.kill()
    worker = own_world.worker()
    await asyncio.to_thread(worker.wait_for, "log.absent")

    own_world.engine.start()
    await asyncio.to_thread(worker.wait_ready)

    load = Load(own_world)
    await load.send(200)
    await load.check()
    assert worker.stop() == 0, worker.text[-3000:]
