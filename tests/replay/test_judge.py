"""What the check at the end sees, and what a data directory remembers of a file."""

from pathlib import Path

import pytest

from bopis.services.replay.errors import ReadingChanged
from bopis.services.replay.judge import Booked, Cell, mismatches
from bopis.services.replay.memory import Remembered, remember

MILK: Cell = ("1", "milk")


def differing(plain: dict[Cell, int], booked: dict[Cell, Booked]) -> list[Cell]:
    return [(it.store, it.sku) for it in mismatches(plain, booked)]


@pytest.mark.parametrize(
    "booked",
    [
        Booked(on_hand=-5, applied=-5, by_file=-5, others=0),
        Booked(on_hand=15, applied=15, by_file=-5, others=1),  # twenty units were received as well
        Booked(on_hand=9, applied=9, by_file=-5, others=2),  # counted later, so the sale changed nothing
    ],
)
def test_right_cells_are_right_whoever_else_moved_them(booked: Booked) -> None:
    assert differing({MILK: 5}, {MILK: booked}) == []


@pytest.mark.parametrize(
    ("booked", "why"),
    [
        (Booked(on_hand=15, applied=15, by_file=-10, others=1), "taken twice"),
        (Booked(on_hand=20, applied=20, by_file=0, others=1), "lost"),
        (Booked(on_hand=14, applied=15, by_file=-5, others=1), "present and history differ"),
        (Booked(on_hand=0, applied=0, by_file=-5, others=0), "history and present are wrong in the same way"),
    ],
)
def test_wrong_cells_are_seen(booked: Booked, why: str) -> None:
    assert differing({MILK: 5}, {MILK: booked}) == [MILK], why


def test_cells_that_one_side_does_not_know_are_seen() -> None:
    moved_elsewhere = {("1", "tea"): Booked(-1, -1, -1, 0)}

    assert differing({MILK: 5}, {}) == [MILK]
    assert differing({}, moved_elsewhere) == [("1", "tea")]
    assert differing({("1", "zero"): 0}, {}) == []
    assert differing({}, {("9", "not of this file"): Booked(7, 7, 0, 3)}) == []


def test_a_file_that_is_read_as_before_may_be_replayed_again(tmp_path: Path) -> None:
    for options in ({"--time-zone": "Europe/Berlin"}, {}):  # other words, the same baskets
        remember(tmp_path, "ab" * 32, Remembered("content", options))
    remember(tmp_path, "cd" * 32, Remembered("other file", {}))


def test_a_file_that_comes_to_other_baskets_is_refused(tmp_path: Path) -> None:
    remember(tmp_path, "ab" * 32, Remembered("content", {"--store": "7"}))

    with pytest.raises(ReadingChanged, match="--store was 7, is not given"):
        remember(tmp_path, "ab" * 32, Remembered("other content", {}))
    with pytest.raises(ReadingChanged, match="another version"):
        remember(tmp_path, "ab" * 32, Remembered("other content", {"--store": "7"}))
