"""The board and the report count the same: what a panel names, and nothing else."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bopis.demo.actors import take_event
from bopis.demo.board import HOLDS_TITLE, Board, hold_rows
from bopis.demo.buyers import reservation, wishes
from bopis.demo.clock import DayClock, OffsetClock, instant
from bopis.demo.report import hold_sentence
from bopis.demo.state import DemoState
from bopis.demo.tally import Tally
from bopis.demo.world import Scale, World, make_world
from bopis.domain.inventory.events import HoldChanged, HoldEnd, ReservationRefused, StockRefusal, StockReserved
from bopis.domain.inventory.messages import OrderLine, StockLine, StockReceived
from bopis.domain.message import Message

NOON_MS = 1_800_000_000_000
ASKED, GRANTED, COLLECTED, RELEASED = 12, 5, 2, 1
LINES = (OrderLine(line=1, sku="A", quantity=1),)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(7, Scale(stores=3, skus=60, assortment=20, baskets_per_store=10, scarce_stores=2))


@pytest.fixture
def state(tmp_path: Path, world: World) -> DemoState:
    clock = DayClock(opens_ms=NOON_MS, closes_ms=NOON_MS + 1_000, seconds=1.0, began=0.0)
    state = DemoState(clock, OffsetClock.create(tmp_path / "clock"), Tally(()))
    state.wishes = {wish.hold: wish for wish in wishes(world)}
    return state


def event(state: DemoState, number: int, data: Any) -> None:
    message = Message(id=f"e{number}", source="inventory", time=instant(NOON_MS), subject="S01", data=data)
    take_event(state, message)


def granted(hold: str) -> StockReserved:
    return StockReserved(hold=hold, order=hold, lines=LINES, hold_until_ms=0)


def refused(hold: str) -> ReservationRefused:
    return ReservationRefused(hold=hold, order=hold, reason=StockRefusal.NOT_ENOUGH_STOCK)


def ended(hold: str, end: HoldEnd) -> HoldChanged:
    return HoldChanged(hold=hold, order=hold, end=end, lines=LINES)


def play(state: DemoState) -> None:
    """Buyers ask, and some are granted; pickup orders hold units, too, or are refused some."""
    delivery = StockReceived(document="d", lines=(StockLine(sku="A", quantity=100),))
    state.audit_message(Message(id="d", source="dc", time=instant(NOON_MS), subject="S01", data=delivery))
    asked = list(state.wishes)[:ASKED]
    for hold in asked:
        state.audit_message(reservation(state.wishes[hold], "demo", instant(NOON_MS)))
    bodies: list[Any] = [granted(hold) for hold in asked[:GRANTED]] + [refused(hold) for hold in asked[GRANTED:]]
    bodies += [ended(hold, HoldEnd.COLLECTED) for hold in asked[:COLLECTED]]
    bodies += [ended(hold, HoldEnd.RELEASED) for hold in asked[COLLECTED : COLLECTED + RELEASED]]
    bodies += [granted("ORDER/1"), granted("ORDER/2"), refused("ORDER/3"), ended("ORDER/1", HoldEnd.COLLECTED)]
    for number, data in enumerate(bodies):
        event(state, number, data)


def drawn(state: DemoState, world: World, width: int = 100) -> str:
    """The board as text."""
    console = Console(width=width, height=60, file=StringIO())
    with console.capture() as captured:
        console.print(Board(state, world, console))
    return captured.get()


def test_the_board_and_the_report_count_the_holds_that_buyers_asked_for(state: DemoState, world: World) -> None:
    play(state)

    board = drawn(state, world)
    rows = dict(hold_rows(state.holds))
    findings = state.auditor.findings({})

    assert (findings.asked, findings.granted) == (ASKED, GRANTED)
    assert findings.refused == {"not_enough_stock": ASKED - GRANTED}
    assert hold_sentence(findings) == f"{rows['asked']} asked, {GRANTED} granted, {rows['refused']} refused"
    assert rows == {
        "asked": str(findings.asked),
        "granted": f"{findings.granted}, {findings.active} held now",
        "refused": str(findings.asked - findings.granted),
        "collected": str(findings.ended["collected"]),
        "released, expired": f"{RELEASED}, 0",
    }
    assert HOLDS_TITLE in board
    assert all(f"{label} " in board and f" {value} " in board for label, value in rows.items())


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_board_fills_the_width_of_the_terminal(width: int, state: DemoState, world: World) -> None:
    lines = drawn(state, world, width).splitlines()

    assert max(map(len, lines)) == width
    assert any(len(line.rstrip()) == width and line.startswith("╭") for line in lines)


def test_only_buyers_are_told_of_their_grants(state: DemoState) -> None:
    play(state)

    assert list(state.grants) == list(state.wishes)[:GRANTED]
