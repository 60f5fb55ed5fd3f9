"""The fork server: processes are what newly started ones are, their ends are known, and no end of anybody is fatal."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator

import psutil
import pytest

from streams.process.forked import ForkClient

PROGRAM = "tests.streams.process.forked_program"
PATIENCE_S = 60


@pytest.fixture
async def forks() -> AsyncIterator[ForkClient]:
    client = ForkClient(("json",))
    yield client
    await client.close()


async def spawned(forks: ForkClient, *words: str) -> tuple[int, bytes]:
    """The exit code and the output of a program."""
    process = await forks.spawn((PROGRAM, *words), 1 << 16)
    output = await asyncio.wait_for(process.stdout.read(), PATIENCE_S)
    return await asyncio.wait_for(process.wait(), PATIENCE_S), output


async def test_a_forked_process_is_what_a_started_one_is(forks: ForkClient) -> None:
    code, output = await spawned(forks, "tell", "a", "b c")

    seen = json.loads(output)
    assert code == 0
    assert seen == {"words": ["a", "b c"], "directory": os.getcwd(), "session": True, "json": True, "file": "__main__"}


@pytest.mark.parametrize(("words", "code"), [(("end", "0"), 0), (("end", "75"), 75), (("fall",), 1)])
async def test_an_exit_code_is_reported(forks: ForkClient, words: tuple[str, ...], code: int) -> None:
    assert (await spawned(forks, *words))[0] == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 7)])
async def test_an_end_by_a_signal_is_reported(forks: ForkClient, number: signal.Signals, code: int) -> None:
    process = await forks.spawn((PROGRAM, "wait"), 1 << 16)
    await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
    title = " ".join(psutil.Process(process.pid).cmdline()).split()

    os.kill(process.pid, number)

    assert await asyncio.wait_for(process.wait(), PATIENCE_S) == code
    assert title[1:] == ["-m", PROGRAM, "wait"]


async def test_when_the_server_is_killed_its_processes_end_and_the_next_one_has_a_new_server(forks: ForkClient) -> None:
    process = await forks.spawn((PROGRAM, "wait"), 1 << 16)
    await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
    server = psutil.Process(process.pid).parent()
    assert server is not None

    server.kill()

    assert await asyncio.wait_for(process.wait(), PATIENCE_S) == -signal.SIGKILL
    assert (await spawned(forks, "end", "3"))[0] == 3
    assert not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE


async def test_several_processes_end_in_any_order(forks: ForkClient) -> None:
    codes = await asyncio.gather(*(spawned(forks, "end", str(code)) for code in range(8)))

    assert [code for code, _ in codes] == list(range(8))
