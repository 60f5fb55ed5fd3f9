"""The follower: every record is taken in order, and a fault of what takes them neither ends it nor skips one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bopis.access.roles import Role
from bopis.errors import BopisError
from bopis.names import STOCK_TOPIC
from bopis.ports import Record
from bopis.web.access.sessions import new_session
from bopis.web.live import follower
from bopis.web.live.follower import Follower
from tests.cli.fakes import FakeLog
from tests.web.counter.world import World

PATIENCE_S = 30
RECORDS = 20


class Away(BopisError):
    """The log is away."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, and few records in one turn."""
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(follower, "RETRY_SECONDS_MAX", 0.01)
    monkeypatch.setattr(follower, "TURN_RECORDS_MAX", 3)


@pytest.fixture
def log() -> FakeLog:
    found = FakeLog(STOCK_TOPIC)
    for number in range(RECORDS):
        found.publish(STOCK_TOPIC, "319", str(number).encode())
    return found


def opened(log: FakeLog) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: log


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)


def followed(log: FakeLog, take: Callable[[Sequence[Record]], None], **more: Any) -> Follower:
    """Follow until everything is taken."""
    open_reader = more.get("open_reader", opened(log))
    during: Callable[[Follower], Awaitable[None]] | None = more.get("during")

    async def scenario() -> Follower:
        found = Follower((STOCK_TOPIC,), open_reader, take)
        found.start()
        try:
            if during is not None:
                await during(found)
            async with asyncio.timeout(PATIENCE_S):
                await found.wait_ready()
        finally:
            await found.stop()
        return found

    return asyncio.run(scenario())


def test_a_batch_that_could_not_be_taken_is_read_again(log: FakeLog) -> None:
    taken: list[bytes | None] = []
    fails = [True, True, False]

    def take(records: Sequence[Record]) -> None:
        if any(it.value == b"7" for it in records) and fails.pop(0):
            raise LookupError("no such row")
        taken.extend(it.value for it in records)

    found = followed(log, take)

    assert taken == [str(number).encode() for number in range(RECORDS)]
    assert (found.failures, found.failure) == (2, "")


def test_a_fault_that_stays_is_visible_and_what_was_read_stays(log: FakeLog) -> None:
    taken: list[bytes | None] = []
    is_broken = True

    def take(records: Sequence[Record]) -> None:
        if is_broken and any(it.value == b"7" for it in records):
            raise LookupError("no such row")
        taken.extend(it.value for it in records)

    async def during(found: Follower) -> None:
        nonlocal is_broken
        await until(lambda: found.failures >= 3)
        assert found.failure == "LookupError"
        assert (found.is_ready, found.caught_up_ms) == (False, 0)
        assert taken == [b"0", b"1", b"2", b"3", b"4", b"5"]
        is_broken = False

    found = followed(log, take, during=during)

    assert taken == [str(number).encode() for number in range(RECORDS)]
    assert found.failure == ""


def test_a_fault_of_the_reading_itself_does_not_end_it(log: FakeLog) -> None:
    faults: list[Exception] = [RuntimeError("a bug"), TypeError("another"), Away(), OSError("away")]

    def open_reader() -> Any:
        if faults:
            raise faults.pop(0)
        return log

    taken: list[Record] = []
    found = followed(log, taken.extend, open_reader=open_reader)

    assert len(taken) == RECORDS
    # A log that is away is no fault: the age of the tables tells it.
    assert (found.failures, found.failure) == (3, "")


def test_it_waits_longer_after_each_fault_in_a_row(log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "RETRY_SECONDS_MAX", 0.004)
    faults = 5

    def open_reader() -> Any:
        nonlocal faults
        if faults:
            faults -= 1
            raise RuntimeError("a bug")
        return log

    waits: list[float] = []
    found = Follower((STOCK_TOPIC,), open_reader, lambda _: None)
    monkeypatch.setattr(found._over, "wait", lambda seconds: waits.append(seconds))

    async def scenario() -> None:
        found.start()
        async with asyncio.timeout(PATIENCE_S):
            await found.wait_ready()
        await found.stop()

    asyncio.run(scenario())

    assert waits[:5] == [0.002, 0.004, 0.004, 0.004, 0.004]


def test_a_fault_is_seen_in_readiness_figures_and_pages(tmp_path: Path) -> None:
    world = World(tmp_path)
    broken = Follower((), opened(world.log), lambda _: None)
    broken.failure, broken.failures = "LookupError", 2
    world.site.followers.append(broken)

    async def asked() -> list[httpx.Response]:
        async with world.browser(new_session("Anna", Role.HQ_OPERATOR)) as browser:
            return [await browser.get(path) for path in ("/readyz", "/metrics", "/sign-in")]

    ready, figures, page = asyncio.run(asked())
    broken.failure = ""
    broken.caught_up_ms = world.site.now_ms()
    broken._ready.set()
    well = asyncio.run(asked())

    assert (ready.status_code, "LookupError" in ready.json()["detail"]) == (503, True)
    assert "bopis_follower_failures 2.0" in figures.text
    assert "bopis_follower_failing 1.0" in figures.text
    assert "This page may be out of date" in page.text
    assert well[0].status_code == 200
    assert "bopis_follower_failing 0.0" in well[1].text
    assert "may be out of date" not in well[2].text


def test_names_and_clocks_of_stores_are_made_once_per_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    stock = world.site.stock
    tables = stock.routing.tables
    made = []
    before = tables.stores
    monkeypatch.setattr(tables, "stores", lambda: made.append(1) or before())

    first = [world.site.times("S1").zone() for _ in range(3)]
    names = stock.store_labels().names
    renamed = b'{"store_id":"S1","name":"High Street","time_zone":"Europe/Berlin"}'
    stock.take([Record("stores", 0, 99, 1, b"S1", renamed)])
    second = [world.site.times("S1").zone() for _ in range(3)]

    assert {str(it) for it in first} == {"America/Chicago"}
    assert {str(it) for it in second} == {"Europe/Berlin"}
    assert (names["S1"], stock.store_labels().names["S1"]) == ("Main Street", "High Street")
    assert len(made) == 2
