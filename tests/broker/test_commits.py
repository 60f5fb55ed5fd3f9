"""Nothing is answered before it is on the disk, and what did not get there is undone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bopis.broker import node
from bopis.broker.errors import StorageFailed
from bopis.broker.limits import BrokerLimits
from bopis.broker.server import EmbeddedBroker
from bopis.broker.storage import database
from tests.contract.reading import read_all
from tests.engines.wire import LATEST, Wire, batch

STORAGE_ERROR, TOPIC_EXISTS = 56, 36
IDENTITY = (4_000, 0)


class HeldConnection:
    """A connection whose commits wait, or fail, as the test says."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.failure: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, statement: str, *values: Any) -> Any:
        if statement == "COMMIT":
            self.may_commit.wait(10)
            if self.failure is not None:
                error = sqlite3.OperationalError("the disk says no")
                error.sqlite_errorcode = self.failure
                raise error
        return self._inner.execute(statement, *values)


class Held:
    """A broker whose disk the test holds in its hand."""

    def __init__(self, broker: EmbeddedBroker, connection: HeldConnection) -> None:
        self.broker = broker
        self.connection = connection

    async def call(self, step: Any) -> Any:
        def run() -> Any:
            with Wire(("127.0.0.1", self.broker.port)) as wire:
                return step(wire)

        return await asyncio.to_thread(run)


@pytest.fixture
async def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Held]:
    connections: list[HeldConnection] = []

    def open_held(path: Path, limits: BrokerLimits) -> Any:
        connections.append(HeldConnection(database.open_writer(path, limits)))
        return connections[-1]

    monkeypatch.setattr(node, "open_writer", open_held)
    broker = EmbeddedBroker(tmp_path / "log.sqlite3")
    await broker.start()
    held = Held(broker, connections[0])
    assert await held.call(lambda wire: wire.create_topic("t", 1, {})) == 0
    yield held
    held.connection.failure = None
    held.connection.may_commit.set()
    await broker.stop()


@pytest.mark.parametrize("acks", [1, -1])
async def test_a_record_is_neither_acknowledged_nor_readable_before_its_commit(held: Held, acks: int) -> None:
    held.connection.may_commit.clear()
    writing = asyncio.create_task(held.call(lambda wire: wire.produce("t", batch((b"k", b"v")), acks=acks)))
    await asyncio.sleep(0.3)
    early = await held.call(lambda wire: (wire.offset("t", LATEST), len(wire.fetch("t", 0).records or b"")))
    answered_early = writing.done()

    held.connection.may_commit.set()

    assert (await writing).error_code == 0
    assert not answered_early
    assert early == (0, 0)
    assert await held.call(lambda wire: wire.offset("t", LATEST)) == 1


async def test_a_failed_commit_is_undone_and_the_same_batch_is_taken_when_there_is_space(held: Held) -> None:
    one = batch((b"k", b"v"), producer=(*IDENTITY, 0))
    held.connection.failure = sqlite3.SQLITE_FULL
    refused = await held.call(lambda wire: wire.produce("t", one))
    seen = await held.call(lambda wire: (wire.offset("t", LATEST), len(wire.fetch("t", 0).records or b"")))
    held.connection.failure = None

    taken = await held.call(lambda wire: wire.produce("t", one))

    assert refused.error_code == STORAGE_ERROR
    assert seen == (0, 0)
    assert (taken.error_code, taken.base_offset) == (0, 0)
    assert len(await held.call(lambda wire: read_all(wire, "t"))) == 1


async def test_an_identity_is_not_given_out_when_its_epoch_could_not_be_kept(held: Held) -> None:
    first = await held.call(lambda wire: wire.producer_id("writer"))
    held.connection.failure = sqlite3.SQLITE_FULL
    with pytest.raises(AssertionError):
        await held.call(lambda wire: wire.producer_id("writer"))
    held.connection.failure = None

    assert await held.call(lambda wire: wire.producer_id("writer")) == (first[0], first[1] + 1)


async def test_a_disk_that_breaks_its_promise_ends_the_server(held: Held) -> None:
    held.connection.failure = sqlite3.SQLITE_IOERR_FSYNC

    answer = await held.call(lambda wire: wire.produce("t", batch((b"k", b"v"))))

    assert answer.error_code == STORAGE_ERROR
    assert isinstance(await asyncio.wait_for(held.broker.failed(), 5), StorageFailed)


async def test_what_arrives_while_a_commit_runs_is_committed_together(held: Held) -> None:
    held.connection.may_commit.clear()
    writes = [
        asyncio.create_task(held.call(lambda wire, n=n: wire.produce("t", batch((b"k", b"%d" % n))))) for n in range(8)
    ]
    await asyncio.sleep(0.3)
    held.connection.may_commit.set()

    offsets = sorted([(await write).base_offset for write in writes])

    assert offsets == list(range(8))


def test_a_commit_reaches_the_disk_before_it_returns(tmp_path: Path) -> None:
    connection = database.open_writer(tmp_path / "log.sqlite3", BrokerLimits())
    settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
    connection.close()

    assert settings == [2, "wal"]


async def test_topics_asked_for_twice_in_one_turn_are_made_once(held: Held) -> None:
    held.connection.may_commit.clear()
    making = [asyncio.create_task(held.call(lambda wire: wire.create_topic("twice", 2, {}))) for _ in range(4)]
    await asyncio.sleep(0.3)
    held.connection.may_commit.set()

    codes = sorted([await made for made in making])

    assert codes == [0, TOPIC_EXISTS, TOPIC_EXISTS, TOPIC_EXISTS]
    assert not held.broker.has_failed


async def test_another_program_that_writes_into_the_file_only_delays(held: Held, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "log.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = await held.call(lambda wire: wire.produce("t", batch((b"k", b"v"))))
    other.execute("ROLLBACK")
    other.close()

    taken = await held.call(lambda wire: wire.produce("t", batch((b"k", b"v"))))

    assert (refused.error_code, taken.error_code) == (STORAGE_ERROR, 0)
    assert not held.broker.has_failed
