"""When a ticker appends a tick, and when it does not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.structs import TopicPartition

from streams.engine.rows import PartitionRows
from streams.engine.ticks import Ticker
from streams.limits import StreamLimits
from tests.streams.toy_totals import Totals

LIMITS = StreamLimits(tick_check_ms=5, tick_repeat_ms=200)
WHILE_S = 0.08


class FakeWriter:
    """The source ends at `end`; every tick moves it."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.ticks: list[bytes] = []

    async def atomically(self, tp: TopicPartition, entries: list[Any]) -> int:
        self.ticks += [value for _, value, _ in entries]
        self.end += len(entries)
        return self.end - len(entries)


class Place:
    def __init__(self) -> None:
        self.rows = PartitionRows(Totals().decode, Totals().encode)
        self.writer: Any = FakeWriter(10)
        self.position = 9
        self.ticker = Ticker(self.rows, self.writer, TopicPartition("numbers", 0), Totals(), LIMITS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Callable[[], int]]:
        async def tick() -> None:
            while True:
                await asyncio.sleep(LIMITS.tick_check_ms / 1000)
                if self.ticker.is_due(self.position, soon):
                    await self.ticker.append(soon())

        task = asyncio.create_task(tick())
        yield lambda: len(self.writer.ticks)
        task.cancel()


def soon() -> int:
    return int(time.time() * 1000)


async def test_no_tick_is_appended_while_nothing_is_due() -> None:
    place = Place()
    place.rows.put_timed("a", [1], soon() + 60_000)

    async with place.running() as ticks:
        await asyncio.sleep(WHILE_S)
        assert ticks() == 0


async def test_a_tick_on_its_way_is_not_repeated() -> None:
    place = Place()
    place.rows.put_timed("a", [1], soon())

    async with place.running() as ticks:
        await asyncio.sleep(WHILE_S)
        assert ticks() == 1
        await asyncio.sleep(LIMITS.tick_repeat_ms / 1000 + WHILE_S)
        assert ticks() == 1


async def test_another_deadline_waits_until_the_tick_on_its_way_has_come_back() -> None:
    place = Place()
    place.rows.put_timed("a", [1], soon())

    async with place.running() as ticks:
        await asyncio.sleep(WHILE_S)
        place.rows.put_timed("b", [1], soon() - 1_000)
        await asyncio.sleep(WHILE_S)
        assert ticks() == 1

        place.rows.drop("a")
        place.position = 10
        await asyncio.sleep(WHILE_S)
        assert ticks() == 2


async def test_a_row_that_stays_due_is_asked_about_again_but_not_in_a_busy_loop() -> None:
    place = Place()
    place.rows.put_timed("a", [1], soon())

    async with place.running() as ticks:
        for _ in range(5):
            await asyncio.sleep(LIMITS.tick_repeat_ms / 5_000)
            place.position = place.writer.end
        assert 1 <= ticks() <= 2


async def test_a_new_owner_first_meets_the_ticks_of_the_old_one() -> None:
    place = Place()
    place.rows.put_timed("a", [1], soon())
    place.ticker.wait_for(12)

    async with place.running() as ticks:
        await asyncio.sleep(WHILE_S)
        assert ticks() == 0

        place.position = 12
        await asyncio.sleep(WHILE_S)
        assert ticks() == 1
