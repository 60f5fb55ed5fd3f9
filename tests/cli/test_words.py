"""Lines and times as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs
from rich.console import Console
from rich.table import Table

from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import TimeUnreadable, Usage
from bopis.cli.app.parse_lines import TypedLine, read_lines
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.render import counted, duration, iso, size, table
from bopis.cli.order.lookup import note_skipped, read_book
from bopis.cli.stock.history import staleness_lines
from bopis.cli.stock.level_text import missing_text
from bopis.domain.sourcing.decision import Answer, EliminationReason, RoutingOutcome, Rung
from bopis.names import ORDER_STATE_TOPIC
from bopis.readside.queries.answers import GapAnswer
from bopis.readside.queries.reasons import StalenessWhy
from bopis.services.counter.decision_text import outcome_text
from tests.cli.fakes import FakeLog

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
        (["a=1", "b=2"], [TypedLine("a", 1), TypedLine("b", 2)]),
        (["a", "1", "b", "2"], [TypedLine("a", 1), TypedLine("b", 2)]),
        (["a=b=3"], [TypedLine("a=b", 3)]),
        (["a=+3", "a=4"], [TypedLine("a", 3), TypedLine("a", 4)]),
    ],
)
def test_lines_are_read_in_both_ways(words: list[str], lines: list[TypedLine]) -> None:
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


def test_tables_break_between_words_and_within_words_only_where_they_must() -> None:
    grid = table("order", "what", "units")
    grid.add_row("4BSX-48RC", "ready in store 319, kept until Thursday", "24")

    wide, narrow, tiny = (printed(grid, width) for width in (60, 30, 12))

    assert wide[-1].split("  ")[1].strip() == "ready in store 319, kept until Thursday"
    assert [line.split()[0] for line in narrow if "ready" in line] == ["4BSX-48RC"]
    assert all(word in " ".join(narrow) for word in ["ready", "in", "store", "319,", "kept", "until", "Thursday"])
    assert max(map(len, tiny)) <= 12


def test_units_withheld_for_stale_data_are_explained_by_rate_age_and_expected_sales() -> None:
    stale = StalenessWhy(
        units=3, heard_at=NOW, recorded_at=NOW, source="till-1", message_id="m1", data_age_ms=5_400_000,
        grace_minutes=5, percent=150, sold_per_week=42, expected_thousandths=563,
    )  # fmt: skip

    first, second = staleness_lines(stale, ZoneInfo("America/Chicago"))

    assert first.startswith("withheld for stale till data 3: last till message at ")
    assert first.endswith(" from till-1, grace period 5 min, 42 sold per week")
    assert second == (
        "  the data are 1 h 30 min old; 0.563 sales expected since then at these hours (150 % by the store's policy)"
    )
    assert staleness_lines(structs.replace(stale, units=0), UTC) == []


def printed(grid: Table, width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(grid)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_numbers_come_with_the_right_form_of_their_noun() -> None:
    assert [counted(it, "order") for it in (0, 1, 2, 1_000)] == ["0 orders", "1 order", "2 orders", "1,000 orders"]
    assert [counted(it, "copy", "copies") for it in (1, 2)] == ["1 copy", "2 copies"]
    gap = GapAnswer(store="319", source="till-1", first=2, last=2, heard_at=NOW)
    assert missing_text(gap) == "message 2 of till-1"
    assert missing_text(structs.replace(gap, last=5)) == "messages 2 to 5 of till-1"


@pytest.mark.parametrize(
    ("outcome", "rung", "reason", "text"),
    [
        (RoutingOutcome.ROUTED, Rung.CHOSEN, None, "routed to the chosen store"),
        (RoutingOutcome.OFFERED, Rung.ALTERNATIVE, None, "offered in other stores"),
        (RoutingOutcome.WAITING, Rung.WAIT, None, "waits for stock"),
        (RoutingOutcome.REFUSED, Rung.REFUSE, EliminationReason.NOT_ENOUGH_STOCK, "no store found (not enough stock)"),
    ],
)
def test_the_outcome_of_sourcing_is_said_in_words(
    outcome: RoutingOutcome, rung: Rung, reason: EliminationReason | None, text: str
) -> None:
    assert outcome_text(Answer(rung=rung, outcome=outcome, reason=reason)) == text


def test_brackets_of_text_from_outside_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    grid = table("needs")
    grid.add_row("bopis[chat]")
    grid.add_row("[bold]Eggs[/bold]")

    Console(width=60).print(grid)  # which reads markup
    CommandContext().out.print("Store [red]319")

    shown = capsys.readouterr().out
    assert "bopis[chat]" in shown
    assert "[bold]Eggs[/bold]" in shown
    assert "Store [red]319" in shown


def test_records_that_are_no_orders_are_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    log = FakeLog(ORDER_STATE_TOPIC)
    placed = [log.publish(ORDER_STATE_TOPIC, f"7K3M000{number}", b"{").wait() for number in range(4)]

    note_skipped(CommandContext(), read_book(log, None))

    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("4 records could not be read as an order and passed over: order-state/")
    assert sum(f"{it.topic}/{it.partition}/{it.offset}" in told for it in placed) == 3
    assert told.endswith("See: bopis doctor")
