"""A damaged file is told at the start, by name, with what to do."""

from __future__ import annotations

import random
import sqlite3
import subprocess
from collections.abc import Callable

import pytest

from tests.contract.reading import read_all
from tests.engines import EmbeddedEngine
from tests.engines.wire import Wire, batch

OwnLog = Callable[..., EmbeddedEngine]


def filled(own_log: OwnLog, *limits: str) -> EmbeddedEngine:
    """A stopped log with some content."""
    engine = own_log(None, *limits)
    with Wire(engine.address) as wire:
        wire.create_topic("t", 1, {})
        for number in range(200):
            assert wire.produce("t", batch((b"k", b"%d" % number * 500))).error_code == 0
    assert engine.stop() == 0
    return engine


def damage(engine: EmbeddedEngine, *places: int) -> None:
    path = engine.directory / "log.sqlite3"
    content = bytearray(path.read_bytes())
    for place in places:
        content[place] ^= 0xFF
    path.write_bytes(content)


def start_of(engine: EmbeddedEngine, *more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*engine.command(), *more], capture_output=True, timeout=120, check=False)


def test_damage_anywhere_in_use_is_found_before_anything_is_served(own_log: OwnLog) -> None:
    engine = filled(own_log)
    path = engine.directory / "log.sqlite3"
    sound = path.read_bytes()
    chance = random.Random(20_260_101)
    found = 0
    for _ in range(6):
        start = chance.randrange(2 * 8_192, len(sound) - 12_000)
        damage(engine, *range(start, start + 12_000))

        result = start_of(engine)

        found += result.returncode == 78
        assert result.returncode == 78, (start, result)
        assert str(path) in result.stderr.decode()
        assert b"restore" in result.stderr
        path.write_bytes(sound)
    assert found == 6


@pytest.mark.parametrize("place", [0, 20, 100])
def test_a_damaged_beginning_is_found(own_log: OwnLog, place: int) -> None:
    engine = filled(own_log)
    damage(engine, *range(place, place + 8))

    result = start_of(engine)

    assert result.returncode == 78
    assert b"log.sqlite3" in result.stderr
    assert b"Traceback" not in result.stderr


def test_a_file_that_is_cut_short_is_found(own_log: OwnLog) -> None:
    engine = filled(own_log)
    path = engine.directory / "log.sqlite3"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert start_of(engine).returncode == 78


def test_a_large_file_is_checked_in_part_at_the_start_and_wholly_on_demand(own_log: OwnLog) -> None:
    engine = filled(own_log, "start_check_bytes_max=0")
    assert start_of(engine, "--verify").returncode == 0
    # Somewhere in the middle of the batches, away from the newest.
    with sqlite3.connect(engine.directory / "log.sqlite3") as connection:
        (identity, stored) = connection.execute("SELECT id, records FROM batch LIMIT 1 OFFSET 100").fetchone()
        spoilt = bytearray(stored)
        spoilt[80] ^= 0xFF
        connection.execute("UPDATE batch SET records = ? WHERE id = ?", (bytes(spoilt), identity))
    connection.close()

    verified = start_of(engine, "--verify")
    engine.start()

    assert verified.returncode == 78
    assert b"offset 100" in verified.stderr
    with Wire(engine.address) as wire:
        assert wire.produce("t", batch((b"k", b"still taken"))).error_code == 0


def test_a_file_of_another_version_is_not_touched(own_log: OwnLog) -> None:
    engine = filled(own_log)
    with sqlite3.connect(engine.directory / "log.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    result = start_of(engine)

    assert result.returncode == 78
    assert b"format 99" in result.stderr


def test_a_sound_file_is_served_again(own_log: OwnLog) -> None:
    engine = filled(own_log)
    engine.start()

    with Wire(engine.address) as wire:
        assert len(read_all(wire, "t")) == 200
