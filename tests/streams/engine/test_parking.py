"""A record that can never be handled is parked with its cause; a bug stops the worker."""

import time
from typing import Any

from tests.streams.stream_world import Load, World


async def send(world: World, *values: bytes | None, partition: int = 0) -> list[int]:
    producer = await world.producer()
    try:
        return [
            # The clock of the sender is wrong on purpose: a record's time is the log's.
            (await producer.send_and_wait(world.topic("numbers"), value, b"k", partition, timestamp_ms=1_000)).offset
            for value in values
        ]
    finally:
        await producer.stop()


async def test_poison_is_parked_with_its_cause_and_the_partition_goes_on(world: World) -> None:
    world.worker(record_bytes_max=10_000).wait_ready()
    oversize = b'{"add":5,"key":"%s"}' % (b"x" * 20_000)

    offsets = await send(world, b'{"add":1}', b"not json", oversize, None, b'{"add":2}')
    await world.until_decided()

    letters = sorted((await world.read("dead-letters"))[0], key=lambda letter: facts(letter)["offset"])
    assert [letter.value for letter in letters] == [b"not json", oversize, b""]
    assert [int(facts(letter)["offset"]) for letter in letters] == offsets[1:4]
    assert [facts(letter)["cause"].split(":")[0] for letter in letters] == [
        "not a message",
        f"the record has {len(oversize)} bytes; 10000 are allowed",
        "the record has no value",
    ]
    first = facts(letters[0])
    assert (first["processor"], first["topic"], first["partition"]) == ("totals", world.topic("numbers"), "0")
    assert abs(int(first["timestamp"]) - time.time() * 1000) < 60_000
    assert (await world.rows())["k"][:2] == [2, 3]


def facts(letter: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in letter.headers}


async def test_a_bug_stops_the_worker_and_skips_nothing(world: World) -> None:
    worker = world.worker()
    worker.wait_ready()
    load = Load(world)
    await load.send(50)
    await world.until_decided()

    [offset] = await send(world, b'{"bug":true}')
    await send(world, b'{"add":1}')

    assert worker.process.wait(15) == 70
    assert "a bug in the processor" in worker.text
    again = world.worker()
    assert again.process.wait(15) == 70
    assert (await world.positions())[0] == offset - 1
    assert "dead-letters" not in again.text
