"""Deadlines become messages: once, in order, also when the worker dies in between."""

import asyncio
import time
from typing import Any

import msgspec

from tests.streams.stream_world import World


async def hold(world: World, until_ms: int) -> None:
    producer = await world.producer()
    value = b'{"hold":3,"until":%d}' % until_ms
    for number in range(4):
        await producer.send_and_wait(world.topic("numbers"), value, key=b"h%d" % number, partition=number % 2)
    await producer.stop()


async def ticks(world: World) -> dict[int, list[int]]:
    found = {}
    for number, records in (await world.read("numbers")).items():
        messages: list[Any] = [msgspec.json.decode(record.value) for record in records]
        found[number] = [message["tick"] for message in messages if "tick" in message]
    return found


async def expired(world: World) -> None:
    end = time.monotonic() + 15
    while not {f"h{n}" for n in range(4)} <= {key for key, row in (await world.rows()).items() if row[4]}:
        assert time.monotonic() < end, "the holds did not expire"
        await asyncio.sleep(0.1)


async def test_a_deadline_fires_once(world: World) -> None:
    world.worker().wait_ready()
    until_ms = int(time.time() * 1000) + 700
    await hold(world, until_ms)

    await expired(world)
    await asyncio.sleep(1.5)

    rows, made = await world.rows(), await ticks(world)
    assert all(rows[f"h{number}"] == [0, 0, 0, 0, 1] for number in range(4))
    assert [len(made[number]) for number in (0, 1)] == [1, 1]
    assert all(at >= until_ms for number in (0, 1) for at in made[number])
    assert set(await world.outputs()) == {f"h{number}@{until_ms}#1" for number in range(4)}


async def test_a_deadline_that_comes_while_nobody_works_fires_once_after_the_restart(world: World) -> None:
    worker = world.worker()
    worker.wait_ready()
    until_ms = int(time.time() * 1000) + 1_000
    await hold(world, until_ms)
    await world.until_decided()
    worker.kill()
    await asyncio.sleep(1.2)

    world.worker().wait_ready()
    await expired(world)
    await asyncio.sleep(1)

    rows, made = await world.rows(), await ticks(world)
    assert all(rows[f"h{number}"] == [0, 0, 0, 0, 1] for number in range(4))
    assert [len(made[number]) for number in (0, 1)] == [1, 1]
    assert set(await world.outputs()) == {f"h{number}@{until_ms}#1" for number in range(4)}
