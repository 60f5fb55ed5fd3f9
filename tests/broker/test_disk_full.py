"""A full disk: writes are refused with the protocol's storage error, reads go on, and it resumes by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contract.reading import read_all, until
from tests.engines import EmbeddedEngine
from tests.engines.wire import Wire, batch

STORAGE_ERROR = 56
SMALL_MIB = 12
OwnLog = Callable[..., EmbeddedEngine]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MIB}m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(wire: Wire, first: int = 0) -> tuple[list[int], int]:
    """Write until the disk is full. Returns the acknowledged offsets and the code that ended it."""
    offsets: list[int] = []
    for number in range(first, first + 400):
        answer = wire.produce("t", batch((b"%d" % number, os.urandom(60_000))))
        if answer.error_code != 0:
            return offsets, answer.error_code
        offsets.append(answer.base_offset)
    raise AssertionError("the disk never became full")


def fill_up(file: Path) -> None:
    """Take whatever is left of the disk."""
    with file.open("wb", buffering=0) as taken, suppress(OSError):
        while True:
            taken.write(b"\0" * 4096)


def test_a_full_disk_refuses_writes_serves_reads_and_loses_nothing(small_disk: Path, own_log: OwnLog) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 3 * 1024 * 1024)
    engine = own_log(small_disk / "log")
    with Wire(engine.address) as wire:
        assert wire.create_topic("t", 1, {}) == 0
        offsets, code = fill(wire)

        assert code == STORAGE_ERROR
        assert len(offsets) > 20
        assert [row.offset for row in read_all(wire, "t")] == offsets
        assert wire.produce("t", batch((b"again", os.urandom(60_000)))).error_code == STORAGE_ERROR

        ballast.unlink()
        assert until(lambda: wire.produce("t", batch((b"resumed", os.urandom(60_000)))).error_code == 0)
        acknowledged = len(offsets) + 1
        assert len(read_all(wire, "t")) == acknowledged

    engine.kill()
    engine.start()
    with Wire(engine.address) as wire:
        rows = read_all(wire, "t")
        assert [row.offset for row in rows] == list(range(acknowledged))
        assert rows[-1].key == b"resumed"


def test_a_log_starts_with_the_space_it_kept_back_when_others_took_what_it_gave_back(
    small_disk: Path, own_log: OwnLog
) -> None:
    engine = own_log(small_disk / "log")
    assert until((small_disk / "log" / "log.reserve").exists)
    with Wire(engine.address) as wire:
        assert wire.create_topic("t", 1, {}) == 0
        offsets, _ = fill(wire)
    engine.kill()
    (small_disk / "log" / "log.sqlite3-shm").unlink()
    fill_up(small_disk / "of others")

    for _ in range(2):
        engine.start()
        engine.kill()
        (small_disk / "log" / "log.sqlite3-shm").unlink()
    engine.start()

    with Wire(engine.address) as wire:
        assert [row.offset for row in read_all(wire, "t")] == offsets
        (small_disk / "of others").unlink()
        assert until(lambda: wire.produce("t", batch((b"resumed", os.urandom(6_000)))).error_code == 0)


def test_a_log_killed_on_a_full_disk_starts_with_all_it_acknowledged(small_disk: Path, own_log: OwnLog) -> None:
    engine = own_log(small_disk / "log")
    with Wire(engine.address) as wire:
        assert wire.create_topic("t", 1, {}) == 0
        offsets, _ = fill(wire)
    engine.kill()

    engine.start()

    with Wire(engine.address) as wire:
        assert [row.offset for row in read_all(wire, "t")] == offsets
