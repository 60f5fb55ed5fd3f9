"""The board on a wall: everything fits, the most urgent stands on top, nothing is coloured by chance."""

from datetime import UTC

import pytest
from rich.console import Console

from bopis.cli.pickup.board import counts, screen
from bopis.cli.pickup.queue import QueueScreen, due_text, now_ms
from bopis.domain.orders.store_queue import NEVER_MS, Colour, WorkItem, WorkStep
from bopis.domain.values import MINUTE_MS


def entry(number: int, **changes: object) -> WorkItem:
    fields: dict[str, object] = {
        "order": f"4K7P92{number:02}",
        "store": "S1",
        "step": WorkStep.PICK,
        "colour": Colour.GREEN,
        "due_ms": now_ms() + number * MINUTE_MS,
        "lines": 1,
        "units": number,
    }
    return WorkItem(**{**fields, **changes})  # type: ignore[arg-type]  # values of a test


def printed(entries: list[WorkItem], size: tuple[int, int], trouble: str = "") -> list[str]:
    console = Console(width=size[0], height=size[1])
    with console.capture() as captured:
        console.print(screen(entries, QueueScreen("S1", UTC), size, trouble))
    return captured.get().splitlines()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 12)])
@pytest.mark.parametrize("number", [0, 1, 99])
def test_a_board_fits_its_screen(size: tuple[int, int], number: int) -> None:
    entries = [entry(n, picker="somebody with a long name", where="bay", spot="x" * 60) for n in range(number)]

    lines = printed(entries, size, trouble="The log does not answer. " * 9)

    assert len(lines) <= size[1]
    assert max(map(len, lines)) <= size[0]


def test_what_does_not_fit_is_counted_and_the_first_stand_on_top() -> None:
    entries = [entry(n) for n in range(40)]

    lines = printed(entries, (80, 24))

    assert "4K7P-9200" in lines[4]
    assert "... and 22 more" in lines[-1]


def test_who_waits_and_who_is_late_are_counted_first() -> None:
    found = counts([entry(1, waiting_since_ms=1), entry(2, colour=Colour.RED), entry(3, step=WorkStep.STAGE)])

    assert list(found.items()) == [("waiting", 1), ("late", 1), ("pick", 2), ("stage", 1)]


def test_lateness_is_told_in_minutes_and_tasks_have_no_time() -> None:
    noon = 1_795_176_000_000

    assert due_text(entry(1, due_ms=noon - 5 * MINUTE_MS), UTC, noon).endswith("+5 min")
    assert "+" not in due_text(entry(1, due_ms=noon + 5 * MINUTE_MS), UTC, noon)
    assert due_text(entry(1, due_ms=NEVER_MS), UTC, noon) == ""
