"""Lines and times as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bopis.commands.errors import TimeUnreadable, Usage
from bopis.commands.lines import Line, read_lines
from bopis.commands.tables import duration, iso, size
from bopis.commands.times import read_time

CHICAGO = ZoneInfo("America/Chicago")
NOW = datetime(2026, 7, 10, 15, 30, tzinfo=UTC)  # 10:30 in Chicago


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-07-01T14:00", "2026-07-01T14:00:00-05:00"),
        ("2026-07-01 14:00", "2026-07-01T14:00:00-05:00"),
        ("2026-07-01", "2026-07-01T00:00:00-05:00"),
        ("2026-07-01T14:00Z", "2026-07-01T14:00:00+00:00"),
        ("2026-07-01T14:00+02:00", "2026-07-01T14:00:00+02:00"),
        ("9:05", "2026-07-10T09:05:00-05:00"),
        ("today 9:05", "2026-07-10T09:05:00-05:00"),
        ("yesterday 14:00", "2026-07-09T14:00:00-05:00"),
        ("yesterday", "2026-07-09T00:00:00-05:00"),
        ("tomorrow 9:30", "2026-07-11T09:30:00-05:00"),
        ("in 2d", "2026-07-12T15:30:00+00:00"),
        ("90m", "2026-07-10T14:00:00+00:00"),
        ("2 d ago", "2026-07-08T15:30:00+00:00"),
        ("now", "2026-07-10T15:30:00+00:00"),
    ],
)
def test_times_are_read_in_the_stores_zone(text: str, at: str) -> None:
    assert read_time(text, CHICAGO, NOW).at == datetime.fromisoformat(at)


def test_whether_the_zone_was_assumed_is_told() -> None:
    assert read_time("14:00", CHICAGO, NOW).zone_assumed
    assert not read_time("2026-07-01T14:00Z", CHICAGO, NOW).zone_assumed


@pytest.mark.parametrize("text", ["", "noon", "25:00", "2026-13-01", "14", "5y", "yesterday noon", "2026-03-08 02:30"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(TimeUnreadable):
        read_time(text, CHICAGO, NOW)


def test_the_hour_that_comes_twice_is_taken_the_first_time() -> None:
    assert (
        read_time("2026-11-01 01:30", CHICAGO, NOW).at.utcoffset() == datetime(2026, 10, 31, tzinfo=CHICAGO).utcoffset()
    )


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["a=1", "b=2"], [Line("a", 1), Line("b", 2)]),
        (["a", "1", "b", "2"], [Line("a", 1), Line("b", 2)]),
        (["a=b=3"], [Line("a=b", 3)]),
        (["a=+3", "a=4"], [Line("a", 3), Line("a", 4)]),
    ],
)
def test_lines_are_read_in_both_ways(words: list[str], lines: list[Line]) -> None:
    assert read_lines(words, least=1) == lines


@pytest.mark.parametrize("words", [["a"], ["a", "b"], ["a=1.5"], ["a=1e3"], ["a="], ["a=0"], ["a=10000001"], ["a=٣"]])
def test_lines_that_say_no_number_of_units_are_refused(words: list[str]) -> None:
    with pytest.raises(Usage):
        read_lines(words, least=1)


def test_a_message_takes_a_thousand_lines_and_no_more() -> None:
    assert len(read_lines([f"s{number}=1" for number in range(1_000)], least=1)) == 1_000
    with pytest.raises(Usage, match="1001 lines"):
        read_lines([f"s{number}=1" for number in range(1_001)], least=1)


def test_durations_sizes_and_instants_read_well() -> None:
    assert [duration(it) for it in (None, 0, 900, 61_000, 3_600_000, 90_061_000)] == [
        "-", "0 ms", "900 ms", "1 min 1 s", "1 h", "1 d 1 h",
    ]  # fmt: skip
    assert [size(it) for it in (0, 2_048, 5 << 30)] == ["0 B", "2.0 KiB", "5.0 GiB"]
    assert iso(1_000) == "1970-01-01T00:00:01.000Z"
