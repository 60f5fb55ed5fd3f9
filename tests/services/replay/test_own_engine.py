"""Processes that a killed replay left running are ended before the next one starts its own; no others are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bopis.cli.app.errors import Unavailable
from bopis.cli.app.own_engine import OWNER_FILE, OwnEngine, Owner, wait_for_orphan

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def sleeper(word: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", SLEEP, word])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def engine_process() -> Iterator["subprocess.Popen[bytes]"]:
    yield from sleeper("streams")


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    yield from sleeper("something-else")


def note(data_dir: Path, owner: int, engine: int) -> None:
    (data_dir / OWNER_FILE).write_bytes(msgspec.json.encode(Owner(owner, engine)))


def test_an_engine_whose_owner_is_gone_is_ended(
    tmp_path: Path, gone: int, engine_process: "subprocess.Popen[bytes]"
) -> None:
    note(tmp_path, gone, engine_process.pid)

    wait_for_orphan(tmp_path)

    assert engine_process.poll() == -15
    assert not (tmp_path / OWNER_FILE).exists()


def test_an_engine_whose_owner_lives_is_left_alone(tmp_path: Path, engine_process: "subprocess.Popen[bytes]") -> None:
    note(tmp_path, os.getpid(), engine_process.pid)

    wait_for_orphan(tmp_path)

    assert engine_process.poll() is None


def test_a_process_that_was_given_the_number_since_is_left_alone(
    tmp_path: Path, gone: int, stranger: "subprocess.Popen[bytes]"
) -> None:
    note(tmp_path, gone, stranger.pid)

    wait_for_orphan(tmp_path)

    assert stranger.poll() is None


def test_an_engine_that_cannot_start_says_why(tmp_path: Path) -> None:
    engine = OwnEngine(tmp_path, {"partitions": 0})

    with pytest.raises(Unavailable, match=r"engine\.log"):
        engine.start()
    assert not (tmp_path / OWNER_FILE).exists()
