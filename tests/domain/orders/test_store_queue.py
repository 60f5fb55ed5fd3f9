"""The work queue of a store: one definition of steps, due times and colours."""

import pytest
from msgspec.structs import replace

from bopis.domain.orders import messages as m
from bopis.domain.orders.amounts import to_pay
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.state import ENDED, LineState
from bopis.domain.orders.store_queue import (
    NEVER_MS,
    STEPS,
    TASK_STEPS,
    Colour,
    WorkStep,
    colour_of,
    locations_text,
    queue,
    step_of,
    work_items,
)
from bopis.domain.orders.vocabulary import Allows, Initiator, TaskKind
from bopis.domain.values import MINUTE_MS
from tests.domain.orders import recipes
from tests.domain.orders.world import S1, S2, World, number

# No store has anything to do for lines in these states: routing, the inventory or the customer is next.
NOBODYS = {
    LineState.WAITING,
    LineState.OFFERED,
    LineState.PLACED,
    LineState.REJECTED,
    LineState.REROUTED,
    LineState.SUBSTITUTED,
    LineState.HELD,
}


def test_every_state_has_a_step_or_is_known_to_have_none() -> None:
    stepped = [state for _, states in STEPS for state in states]

    assert len(stepped) == len(set(stepped))
    assert set(stepped) == set(LineState) - NOBODYS - ENDED


def test_every_step_is_one_of_lines_or_of_a_task() -> None:
    assert {step for step, _ in STEPS} | set(TASK_STEPS.values()) == set(WorkStep)
    assert set(TASK_STEPS) == set(TaskKind)


@pytest.mark.parametrize("state", sorted(NOBODYS), ids=str)
def test_a_store_has_nothing_to_do_for_lines_that_wait_for_others(state: LineState) -> None:
    world = recipes.RECIPES[state](World())

    assert step_of(world.order().live) is None


def test_who_has_arrived_comes_first_and_tasks_come_last() -> None:
    world = World()
    recipes.picking(world)
    world.place(2)
    world.place(3)
    world.now_ms += 20 * MINUTE_MS  # the second order should have been accepted by now
    world.tell(m.CustomerArrived(store=S1))
    world.tell(m.AcceptPick(store=S1), number(3))
    world.tell(m.RecordPick(store=S1, lines=(m.PickedLine(line=1, picked=2),)), number(3))
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER), number(3))

    found = queue([world.order(n) for n in (1, 2, 3)], S1, world.now_ms)

    assert [(it.order, it.step) for it in found] == [
        (number(1), WorkStep.PICK),
        (number(2), WorkStep.ACCEPT),
        (number(3), WorkStep.PUT_BACK),
    ]
    assert found[0].due_ms == world.now_ms + 5 * MINUTE_MS
    assert (found[2].due_ms, found[2].colour, found[2].sku) == (NEVER_MS, Colour.GREY, "A")


def test_an_order_is_in_the_queue_of_the_store_that_prepares_it() -> None:
    world = World({S1: {"A": 1}, S2: {"A": 5}})
    recipes.accepted(world, allows=Allows(partial=True), lines=(("A", 1),))
    world.place(2, store=S2)

    assert [it.store for it in work_items(world.order())] == [S1]
    assert [it.order for it in queue([world.order(1), world.order(2)], S2, world.now_ms)] == [number(2)]


@pytest.mark.parametrize(
    ("step", "left_minutes", "colour"),
    [
        (WorkStep.PICK, 31, Colour.GREEN),
        (WorkStep.PICK, 30, Colour.YELLOW),
        (WorkStep.PICK, 0, Colour.RED),
        (WorkStep.HAND_OVER, 31, Colour.YELLOW),
        (WorkStep.AWAIT_CUSTOMER, 121, Colour.GREEN),
        (WorkStep.AWAIT_CUSTOMER, 120, Colour.YELLOW),
    ],
)
def test_a_colour_is_the_time_that_is_left(step: WorkStep, left_minutes: int, colour: Colour) -> None:
    assert colour_of(step, (1_000 + left_minutes) * MINUTE_MS, 1_000 * MINUTE_MS) is colour


def test_two_locations_are_both_named_and_the_lesser_one_with_its_lines() -> None:
    world = recipes.accepted(World(), lines=(("A", 1), ("A", 1), ("B", 1)))
    picked = tuple(PickedLine(line=number, picked=1) for number in (1, 2, 3))
    world.tell(m.RecordPick(store=S1, lines=picked))
    world.tell(m.StageOrder(store=S1, location="A2", lines=(3,)))
    world.tell(m.StageOrder(store=S1, location="A1", lines=(1, 2)))

    [item] = work_items(world.order())

    assert item.location == "A1, A2 (line 3)"


def test_lines_staged_before_each_kept_its_place_are_at_the_newest_one() -> None:
    line = recipes.ready(World()).line()

    assert locations_text([replace(line, location="")], "A7") == "A7"
    assert locations_text([replace(line, location="", state=LineState.HANDED_OVER)], "A7") == ""


@pytest.mark.parametrize(
    ("payment", "units", "cents"),
    [((), None, 200), ((), {1: 1}, 100), (("card",), None, None)],
    ids=["all", "one_unit", "card"],
)
def test_what_is_to_pay_in_the_store(payment: tuple[str, ...], units: dict[int, int] | None, cents: int | None) -> None:
    world = World()
    world.place(methods=payment)

    due = to_pay(world.order(), S1, units)

    assert (due.cents if due is not None else None) == cents
