"""Memory stays flat however long the log is."""

from __future__ import annotations

import os
from collections.abc import Callable

import psutil
import pytest

from tests.contract.reading import parse
from tests.engines import EmbeddedEngine
from tests.engines.wire import Wire, batch

MIB = 1024 * 1024
RESIDENT_BYTES_MAX = 150 * MIB
OwnLog = Callable[..., EmbeddedEngine]


def resident(engine: EmbeddedEngine) -> int:
    return int(psutil.Process(engine.pid).memory_info().rss)


def grow(engine: EmbeddedEngine, megabytes: int) -> list[int]:
    """Write so much and read it all back from the file; returns the resident sizes seen on the way."""
    seen: list[int] = []
    records = [(b"%d" % number, os.urandom(10_000)) for number in range(50)]
    with Wire(engine.address) as wire:
        wire.create_topic("t", 4, {})
        for number in range(megabytes * 2):
            assert wire.produce("t", batch(*records), number % 4).error_code == 0
            if number % 20 == 0:
                seen.append(resident(engine))
        for partition in range(4):
            offset, end = 0, wire.offset("t", -1, partition)
            while offset < end:
                rows = parse(wire.fetch("t", offset, partition, partition_max_bytes=8 * MIB).records, offset)
                offset = rows[-1].offset + 1
                seen.append(resident(engine))
    return seen


def test_memory_stays_flat_while_the_log_grows_past_it(own_log: OwnLog) -> None:
    engine = own_log()

    seen = grow(engine, 250)

    assert (engine.directory / "log.sqlite3").stat().st_size > 200 * MIB
    assert max(seen) < RESIDENT_BYTES_MAX
    assert (engine.directory / "log.sqlite3-wal").stat().st_size < 100 * MIB


@pytest.mark.soak
def test_memory_stays_flat_with_two_gigabytes(own_log: OwnLog) -> None:
    engine = own_log()
    seen = grow(engine, 2_100)
    engine.kill()
    engine.start()

    assert (engine.directory / "log.sqlite3").stat().st_size > 2_000 * MIB
    assert max(seen) < RESIDENT_BYTES_MAX
    assert resident(engine) < RESIDENT_BYTES_MAX


def test_space_is_given_back_when_records_leave(own_log: OwnLog) -> None:
    from tests.contract.reading import until

    engine = own_log(None, "vacuum_free_pages_min=16", "wal_quiet_seconds=0.5")
    path = engine.directory / "log.sqlite3"
    with Wire(engine.address) as wire:
        wire.create_topic("t", 1, {"retention.bytes": "1000000"})
        for _ in range(60):
            assert wire.produce("t", batch((b"k", os.urandom(500_000)))).error_code == 0
        assert until(lambda: wire.offset("t", -2) >= 57)

    assert until(lambda: path.stat().st_size < 8 * MIB, 10)
