"""One timer for all partitions of a worker."""

import asyncio
import time

from streams.engine.ticks import Pulse

INTERVAL_S = 0.01


async def until(condition: object) -> None:
    end = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        await asyncio.sleep(INTERVAL_S)


async def test_functions_are_called_in_one_turn_until_they_are_removed() -> None:
    calls: list[str] = []
    pulse = Pulse(INTERVAL_S)

    def first() -> None:
        calls.append("first")

    def second() -> None:
        calls.append("second")

    pulse.add(first)
    pulse.add(second)
    await until(lambda: len(calls) >= 4)
    assert calls[:4] == ["first", "second"] * 2

    pulse.remove(first)
    del calls[:]
    await until(lambda: len(calls) >= 2)
    assert set(calls) == {"second"}

    pulse.remove(second)
    del calls[:]
    await asyncio.sleep(5 * INTERVAL_S)
    assert calls == []


async def test_a_function_may_remove_itself_and_be_added_again() -> None:
    calls: list[int] = []
    pulse = Pulse(INTERVAL_S)

    def once() -> None:
        calls.append(1)
        pulse.remove(once)

    pulse.add(once)
    await until(lambda: calls)
    await asyncio.sleep(5 * INTERVAL_S)
    assert calls == [1]

    pulse.add(once)
    await until(lambda: len(calls) == 2)
