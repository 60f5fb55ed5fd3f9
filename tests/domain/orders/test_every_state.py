"""Every state of a line meets everything that can be said to it: each pair has one defined answer.

Read a row as: saying: outcome <- states. An outcome is the state of the line afterwards, with everything that follows
from it; ``!`` a refusal by name; ``-`` that nothing was concluded; ``*`` all states that are not named.
"""

import pytest

from bopis.domain.orders.events import CommandRefused
from bopis.domain.orders.state import LineState
from bopis.wire.orders import ORDERS
from tests.domain.orders.recipes import RECIPES, SAYINGS, say
from tests.domain.orders.world import World

TABLE = """
place again:
    - <- *
place other:
    ! number_taken <- *
cancel:
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
    cancelled <- *
accept:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held
    ! moved <- rerouted
    accepted <- promised
    ! too_late <- accepted picking picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
reject:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held
    ! moved <- rerouted
    promised <- promised accepted picking
    ! too_late <- picked ready arrived
    ready <- staged
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
assign:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held
    ! moved <- rerouted
    promised <- promised
    accepted <- accepted
    picking <- picking
    ! too_late <- picked ready arrived
    staged <- staged
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
start:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held promised
    ! moved <- rerouted
    picking <- accepted
    ! too_late <- picking picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
pick:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held promised
    ! moved <- rerouted
    picked <- accepted picking
    ! too_late <- picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
pick none:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held promised
    ! moved <- rerouted
    promised <- accepted picking
    ! too_late <- picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
offer substitute:
    ! too_early <- waiting offered placed rejected rerouted
    substitute_offered <- short
    ! too_late <- substitute_offered substituted held promised accepted picking picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
take substitute:
    ! too_early <- waiting offered placed rejected rerouted short
    picking <- substitute_offered
    ! too_late <- substituted held promised accepted picking picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
refuse substitute:
    ! too_early <- waiting offered placed rejected rerouted short
    cancelled <- substitute_offered
    ! too_late <- substituted held promised accepted picking picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
stage:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held promised accepted picking staged
    ! moved <- rerouted
    ready <- picked
    ! too_late <- ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
withdraw:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held promised accepted picking
    ! moved <- rerouted
    picking <- picked staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
arrive:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held
    ! moved <- rerouted
    promised <- promised
    accepted <- accepted
    picking <- picking
    picked <- picked
    staged <- staged
    arrived <- ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
hand over:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held promised accepted picking picked
    ! moved <- rerouted
    handed_over <- staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
hand over by document:
    ! unassigned <- waiting offered
    ! too_early <- placed rejected short substitute_offered substituted held promised accepted picking picked
    ! moved <- rerouted
    handed_over <- staged ready arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
extend:
    ! unassigned <- waiting offered
    ! moved <- rerouted
    ready <- ready
    arrived <- arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
    ! too_early <- *
reissue:
    waiting <- waiting
    offered <- offered
    placed <- placed
    rejected <- rejected
    rerouted <- rerouted
    short <- short
    substitute_offered <- substitute_offered
    substituted <- substituted
    held <- held
    promised <- promised
    accepted <- accepted
    picking <- picking
    picked <- picked
    staged <- staged
    ready <- ready
    arrived <- arrived
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
return:
    handed_over <- handed_over
    ! too_many_units <- returned
    ! cancelled <- cancelled
    ! expired <- expired
    ! too_early <- *
put back:
    ! unknown_task <- *
take alternative:
    promised <- offered
    ! unknown_offer <- *
refuse alternative:
    cancelled <- offered
    ! unknown_offer <- *
move:
    ! too_early <- placed rejected rerouted
    promised <- waiting offered promised accepted
    held <- held
    ! handed_over <- handed_over returned
    ! cancelled <- cancelled
    ! expired <- expired
    ! too_late <- *
stock appeared:
    promised <- waiting
    - <- *
store off:
    rejected <- placed
    held <- held
    promised <- promised accepted picking picked
    ready <- staged
    - <- *
store closes:
    rejected <- placed
    held <- held
    promised <- promised accepted picking picked staged ready
    - <- *
paid:
    promised <- held
    - <- *
declined:
    held <- held
    - <- *
exhausted:
    cancelled <- held
    - <- *
four hours:
    cancelled <- offered short substitute_offered held
    promised <- promised
    - <- *
"""


def read(table: str) -> dict[str, dict[str, str]]:
    """The table as saying -> state -> outcome."""
    rows: dict[str, dict[str, str]] = {}
    row: dict[str, str] = {}
    for line in table.strip().splitlines():
        if line.endswith(":"):
            row = rows[line[:-1]] = {}
            continue
        outcome, _, states = line.strip().partition(" <- ")
        row.update(dict.fromkeys(states.split(), outcome))
    return rows


EXPECTED = read(TABLE)


def outcome(state: LineState, saying: str) -> str:
    world = RECIPES[state](World())
    assert world.line().state is state

    told = say(world, saying)

    refused = [it for it in told if isinstance(it, CommandRefused)]
    if refused:
        return f"! {refused[0].reason.value}"
    return world.line().state.value if told else "-"


def test_every_state_has_a_recipe_and_every_saying_a_row() -> None:
    assert set(RECIPES) == set(LineState)
    assert set(EXPECTED) == set(SAYINGS)


@pytest.mark.parametrize("saying", SAYINGS)
def test_each_state_answers_as_the_table_says(saying: str) -> None:
    row = EXPECTED[saying]

    found = {state.value: outcome(state, saying) for state in LineState}

    assert found == {state.value: row.get(state.value, row.get("*")) for state in LineState}


@pytest.mark.parametrize("saying", [it for it in SAYINGS if it != "four hours"])
def test_what_is_said_about_an_order_nobody_placed_is_refused_or_ignored(saying: str) -> None:
    if saying.startswith("place"):
        return
    world = World()

    told = world.tell(SAYINGS[saying](world), "NOBODY00")

    answers = {"stock appeared", "store off", "store closes", "paid", "declined", "exhausted"}
    assert [it.reason.value for it in told] == ([] if saying in answers else ["unknown_order"])
    assert not world.orders.rows


@pytest.mark.parametrize("state", list(LineState))
def test_a_repeat_of_every_message_changes_nothing_and_says_nothing(state: LineState) -> None:
    world = RECIPES[state](World())
    for saying in [it for it in SAYINGS if it != "four hours"]:
        value = ORDERS.encode(world.message(SAYINGS[saying](world), world.order().order))
        world.deliver_order(value)
        before = world.order()

        again = world.deliver_order(value)

        assert again is not None
        refused_again = ["CommandRefused"] if saying == "place other" else []  # under the same id as the first time
        assert [type(it).__name__ for it in again.events] == refused_again
        assert (again.requests, world.order()) == ([], before)
