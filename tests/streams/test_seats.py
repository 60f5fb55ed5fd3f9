"""Workers of one machine have lasting names, each held by one process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from streams import seats
from streams.errors import SeatsTaken

SIT = """
import sys
from pathlib import Path
from streams.seats import numbered
print(numbered(Path(sys.argv[1]), "inventory"), numbered(Path(sys.argv[1]), "inventory"), flush=True)
sys.stdin.read()
"""


def sit(folder: Path) -> "subprocess.Popen[str]":
    """A process that takes a seat and keeps it until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-c", SIT, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def name(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    first, again = process.stdout.readline().split()
    assert first == again
    return first


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_each_worker_has_the_lowest_name_that_nobody_holds_and_a_dead_one_lets_go(tmp_path: Path) -> None:
    first, second = sit(tmp_path), sit(tmp_path)
    names = {name(first): first, name(second): second}
    assert set(names) == {"inventory-1", "inventory-2"}

    end(names["inventory-1"])
    third = sit(tmp_path)

    assert name(third) == "inventory-1"
    end(third)
    end(names["inventory-2"])


def test_processors_do_not_take_each_other_s_seats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "_held", {})

    assert seats.numbered(tmp_path, "inventory") == "inventory-1"
    assert seats.numbered(tmp_path, "projection") == "projection-1"


def test_when_every_seat_is_taken_the_worker_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "_held", {})
    monkeypatch.setattr(seats, "SEATS_MAX", 1)
    held = sit(tmp_path)
    assert name(held) == "inventory-1"

    with pytest.raises(SeatsTaken, match="--instance"):
        seats.numbered(tmp_path, "inventory")
    end(held)
