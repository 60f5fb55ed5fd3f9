"""The comparison at the end of a replay, and the fingerprints of files in a data directory."""

from pathlib import Path

import pytest

from bopis.services.replay.comparison import BookedCell, mismatches
from bopis.services.replay.errors import ReadingChanged
from bopis.services.replay.fingerprint import ReadingFingerprint, check_reading
from bopis.services.replay.plain_sum import Cell

MILK: Cell = ("1", "milk")


def differing(plain: dict[Cell, int], booked: dict[Cell, BookedCell]) -> list[Cell]:
    return [(it.store, it.sku) for it in mismatches(plain, booked)]


@pytest.mark.parametrize(
    "booked",
    [
        BookedCell(on_hand=-5, applied=-5, by_file=-5, others=0),
        BookedCell(on_hand=15, applied=15, by_file=-5, others=1),  # twenty units were received as well
        BookedCell(on_hand=9, applied=9, by_file=-5, others=2),  # counted later, so the sale changed nothing
    ],
)
def test_right_cells_are_right_whoever_else_moved_them(booked: BookedCell) -> None:
    assert differing({MILK: 5}, {MILK: booked}) == []


@pytest.mark.parametrize(
    ("booked", "why"),
    [
        (BookedCell(on_hand=15, applied=15, by_file=-10, others=1), "taken twice"),
        (BookedCell(on_hand=20, applied=20, by_file=0, others=1), "lost"),
        (BookedCell(on_hand=14, applied=15, by_file=-5, others=1), "present and history differ"),
        (BookedCell(on_hand=0, applied=0, by_file=-5, others=0), "history and present are wrong in the same way"),
    ],
)
def test_wrong_cells_are_seen(booked: BookedCell, why: str) -> None:
    assert differing({MILK: 5}, {MILK: booked}) == [MILK], why


def test_cells_that_one_side_does_not_know_are_seen() -> None:
    moved_elsewhere = {("1", "tea"): BookedCell(-1, -1, -1, 0)}

    assert differing({MILK: 5}, {}) == [MILK]
    assert differing({}, moved_elsewhere) == [("1", "tea")]
    assert differing({("1", "zero"): 0}, {}) == []
    assert differing({}, {("9", "not of this file"): BookedCell(7, 7, 0, 3)}) == []


def test_a_file_that_is_read_as_before_may_be_replayed_again(tmp_path: Path) -> None:
    for options in ({"--time-zone": "Europe/Berlin"}, {}):  # other words, the same baskets
        check_reading(tmp_path, "ab" * 32, ReadingFingerprint("content", options))
    check_reading(tmp_path, "cd" * 32, ReadingFingerprint("other file", {}))


def test_a_file_that_comes_to_other_baskets_is_refused(tmp_path: Path) -> None:
    check_reading(tmp_path, "ab" * 32, ReadingFingerprint("content", {"--store": "7"}))

    with pytest.raises(ReadingChanged, match="--store was 7, is not given"):
        check_reading(tmp_path, "ab" * 32, ReadingFingerprint("other content", {}))
    with pytest.raises(ReadingChanged, match="another version"):
        check_reading(tmp_path, "ab" * 32, ReadingFingerprint("other content", {"--store": "7"}))
