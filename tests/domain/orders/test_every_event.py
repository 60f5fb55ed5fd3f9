"""No event and no message of orders can be forgotten: the tables name all of them, each with a function for it."""

from collections.abc import Callable
from inspect import signature
from typing import Any, get_args, get_type_hints

import pytest
from msgspec import Struct

from bopis.domain.orders.decide import RULES
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import Event
from bopis.domain.orders.evolve import FOLDS, evolve
from bopis.domain.orders.folds.lifecycle import unchanged
from bopis.domain.orders.messages import OrderMessage
from bopis.domain.orders.react import REACTIONS, WITHOUT_REQUEST, react
from tests.domain.orders import recipes
from tests.domain.orders.world import World


class OrderFramed(Struct, frozen=True):
    """An event that was added to the union and nowhere else."""


def taken_by(function: Callable[..., Any]) -> set[type]:
    """The types that a fold, reaction or rule takes as its second argument."""
    name = list(signature(function).parameters)[1]
    hint = get_type_hints(function)[name]
    return set(get_args(hint)) or {hint}


def test_every_event_has_a_fold() -> None:
    assert set(FOLDS) == set(get_args(Event))


def test_for_every_event_it_is_decided_whether_it_asks_something_of_the_inventory() -> None:
    assert set(REACTIONS) == set(get_args(Event))
    assert len(set(WITHOUT_REQUEST)) == len(WITHOUT_REQUEST)


def test_every_message_has_a_rule() -> None:
    assert set(RULES) == set(get_args(OrderMessage))


@pytest.mark.parametrize("table", [FOLDS, REACTIONS, RULES], ids=["folds", "reactions", "rules"])
def test_what_a_table_names_for_a_type_takes_that_type(table: dict[type, Callable[..., Any]]) -> None:
    wrong = {it.__name__ for it, function in table.items() if it not in taken_by(function)}

    assert not wrong


def test_a_fold_is_called_as_its_event() -> None:
    named = {it.__name__: "".join(part.title() for part in fold.__name__.split("_")) for it, fold in FOLDS.items()}

    assert {event: fold for event, fold in named.items() if fold not in (event, "Unchanged")} == {}
    assert FOLDS[next(it for it in FOLDS if it.__name__ == "CommandRefused")] is unchanged


def test_an_event_that_nobody_folds_is_an_error() -> None:
    order = recipes.promised(World()).order()

    with pytest.raises(KeyError, match="OrderFramed"):
        evolve(order, OrderFramed())  # type: ignore[arg-type]  # that is the mistake


def test_an_event_without_a_reaction_is_an_error() -> None:
    order = recipes.promised(World()).order()

    with pytest.raises(KeyError, match="OrderFramed"):
        react(order, OrderFramed())  # type: ignore[arg-type]  # that is the mistake


def test_an_event_that_nobody_folds_stops_the_decision_that_emits_it() -> None:
    world = recipes.promised(World())
    order = world.order()
    stamp = world.events[-1][1].stamp
    decision = OrderDecision(order, order.order, stamp, "FrameOrder", "m1")

    with pytest.raises(KeyError, match="OrderFramed"):
        decision.emit(OrderFramed())  # type: ignore[arg-type]  # that is the mistake
