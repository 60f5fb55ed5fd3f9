"""Some units of a line go another way than the rest: cancelled, handed over, rejected or lost, in every state."""

from collections import Counter
from typing import Any

import pytest

from bopis.domain.inventory.messages import CountLine, PosSale, ReleaseStock, SaleLine, SplitHold, StockCounted
from bopis.domain.orders import events as e
from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import LinePart, PickedLine, WantedLine
from bopis.domain.orders.state import ENDED, LineState
from bopis.domain.orders.vocabulary import Document, Initiator, Proof, Refusal, RejectReason, TaskKind
from bopis.domain.sourcing.request import Component
from tests.domain.orders import recipes
from tests.domain.orders.recipes import RECIPES
from tests.domain.orders.world import S1, World

ONE_OF_LINE_1 = (LinePart(line=1, quantity=1),)
BY_PASSPORT: dict[str, Any] = {"proof": Proof.IDENTITY, "document": Document.PASSPORT}


def units(world: World) -> dict[str, int]:
    """Units of the first order by the state of their line."""
    found: Counter[str] = Counter()
    for line in world.order().lines:
        found[line.state.value] += line.quantity
    return dict(found)


def test_one_of_two_units_is_cancelled_after_packing_o2_35() -> None:
    world = recipes.ready(World())
    free = world.level().on_hand - world.level().held

    told = world.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=ONE_OF_LINE_1))

    assert units(world) == {"ready": 1, "cancelled": 1}
    tasks = [it for it in told if isinstance(it, e.TaskRaised)]
    assert [(it.kind, [sums.quantity for sums in it.lines]) for it in tasks] == [(TaskKind.PUT_BACK, [1])]
    assert world.level().on_hand - world.level().held == free + 1
    assert world.level().staged == 1


@pytest.mark.parametrize("state", list(LineState))
def test_part_of_a_line_is_cancelled_in_every_state_and_the_sum_stays(state: LineState) -> None:
    world = RECIPES[state](World())
    before = sum(line.quantity for line in world.order().lines)

    told = world.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=ONE_OF_LINE_1))
    world.stock_comes_back()

    assert sum(line.quantity for line in world.order().lines) == before
    if state in ENDED:
        assert isinstance(told[-1], e.CommandRefused)
        return
    assert units(world)["cancelled"] == 1
    assert world.order().live
    covered = [it for it in world.order().live if it.hold]
    assert world.level().held + world.level("S2").held == sum(it.quantity for it in covered if it.sku == "A")


def test_the_rest_of_a_line_is_handed_over_after_the_first_unit_was() -> None:
    world = recipes.ready(World())

    world.tell(m.HandOver(store=S1, parts=ONE_OF_LINE_1, **BY_PASSPORT))
    first = units(world), world.level().on_hand
    world.tell(recipes.BY_CODE)

    assert first == ({"ready": 1, "handed_over": 1}, 9)
    assert (units(world), world.level().on_hand) == ({"handed_over": 2}, 8)
    assert world.level().held == 0


def test_a_part_that_is_the_whole_line_is_the_line() -> None:
    world = recipes.ready(World())

    world.tell(m.HandOver(store=S1, parts=(LinePart(line=1, quantity=2),), **BY_PASSPORT))

    assert world.states() == {1: "handed_over"}
    assert not world.sent(SplitHold)


def test_a_unit_that_is_not_picked_yet_goes_before_one_that_is() -> None:
    world = recipes.picking(World())
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1),)))

    told = world.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=ONE_OF_LINE_1))

    assert not [it for it in told if isinstance(it, e.TaskRaised)]
    assert world.states() == {1: "picked", 2: "cancelled"}
    assert (world.level().staged, world.level().held) == (1, 1)


def test_half_of_a_kit_order_keeps_the_components_that_it_needs() -> None:
    kit = (Component(sku="A", quantity=1), Component(sku="B", quantity=2))
    lines = (WantedLine(line=1, sku="kit", quantity=2, components=kit),)
    world = recipes.accepted(World(), lines=lines)
    found = (PickedLine(line=1, sku="A", picked=2), PickedLine(line=1, sku="B", picked=1))
    world.tell(m.RecordPick(store=S1, lines=found))

    told = world.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=ONE_OF_LINE_1))

    tasks = [it for it in told if isinstance(it, e.TaskRaised)]
    assert [(it.sku, it.quantity) for task in tasks for it in task.lines] == [("A", 1)]
    assert (world.level(sku="A").held, world.level(sku="B").held) == (1, 2)
    assert world.line().picked == (1, 1)


@pytest.mark.parametrize(
    ("parts", "refusal"),
    [
        ((LinePart(line=1, quantity=3),), Refusal.TOO_MANY_UNITS),
        ((LinePart(line=9, quantity=1),), Refusal.UNKNOWN_LINE),
        (ONE_OF_LINE_1 * 2, Refusal.REPEATED_LINE),
    ],
)
def test_parts_that_do_not_fit_are_refused_and_change_nothing(parts: Any, refusal: Refusal) -> None:
    world = recipes.ready(World())
    before = world.order().lines

    for command in (
        m.CancelOrder(by=Initiator.STAFF, parts=parts),
        m.HandOver(store=S1, parts=parts, **BY_PASSPORT),
        m.WithdrawReady(store=S1, parts=parts),
    ):
        told = world.tell(command)

        assert [it.reason for it in told if isinstance(it, e.CommandRefused)] == [refusal]
    assert world.order().lines == before


def test_a_wrong_code_splits_nothing() -> None:
    world = recipes.ready(World())

    world.tell(m.HandOver(store=S1, proof=Proof.CODE, presented="wrong", parts=ONE_OF_LINE_1))

    assert world.states() == {1: "ready"}


def test_a_withdrawal_that_names_no_line_is_refused() -> None:
    world = recipes.ready(World())

    told = world.tell(m.WithdrawReady(store=S1))

    assert [it.reason for it in told if isinstance(it, e.CommandRefused)] == [Refusal.UNKNOWN_LINE]


@pytest.mark.parametrize("reason", [RejectReason.NOT_FOUND, RejectReason.DAMAGED])
@pytest.mark.parametrize("recipe", [recipes.promised, recipes.accepted, recipes.picking])
def test_a_reject_of_what_is_missing_leaves_it_in_doubt_until_counted_o2_17(reason: RejectReason, recipe: Any) -> None:
    world = recipe(World({S1: {"A": 2}}))

    told = world.tell(m.RejectPick(store=S1, reason=reason))

    counts = [it for it in told if isinstance(it, e.TaskRaised)]
    assert [(it.kind, it.store, it.lines[0].sku, it.lines[0].quantity) for it in counts] == [
        (TaskKind.COUNT, S1, "A", 2)
    ]
    level = world.level()
    assert (level.on_hand, level.held, level.in_doubt) == (2, 0, 2)
    world.tell_stock(S1, StockCounted(lines=(CountLine(sku="A", counted=0),)))
    assert (world.level().on_hand, world.level().in_doubt) == (0, 0)
    assert not world.order().tasks


def test_the_next_order_is_not_promised_units_that_a_reject_did_not_find_o2_17() -> None:
    world = recipes.promised(World({S1: {"A": 2}}))
    world.tell(m.RejectPick(store=S1, reason=RejectReason.NOT_FOUND))

    world.place(2)

    assert "promised" not in world.states(2).values()


def test_a_reject_for_another_reason_leaves_nothing_in_doubt() -> None:
    world = recipes.accepted(World({S1: {"A": 2}}))

    told = world.tell(m.RejectPick(store=S1, reason=RejectReason.TOO_BUSY))

    assert not [it for it in told if isinstance(it, e.TaskRaised)]
    assert world.level().in_doubt == 0


def test_picked_units_of_a_line_that_is_not_found_go_back_and_only_the_rest_is_in_doubt() -> None:
    world = recipes.picking(World({S1: {"A": 2}}))
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1),)))

    told = world.tell(m.RejectPick(store=S1, reason=RejectReason.NOT_FOUND))

    tasks = [(it.kind, it.lines[0].quantity) for it in told if isinstance(it, e.TaskRaised)]
    assert tasks == [(TaskKind.PUT_BACK, 1), (TaskKind.COUNT, 1)]
    assert (world.level().in_doubt, world.level().staged) == (1, 0)


def test_a_reject_of_one_unit_leaves_the_other_with_the_store_o2_41() -> None:
    world = recipes.accepted(World({S1: {"A": 2}}))

    told = world.tell(m.RejectPick(store=S1, reason=RejectReason.DAMAGED, parts=ONE_OF_LINE_1))

    assert [it.lines for it in told if isinstance(it, e.LinesRejected)] == [(2,)]
    assert world.line().state is LineState.ACCEPTED
    assert (world.level().in_doubt, world.level().held) == (1, 1)


@pytest.mark.parametrize("recipe", [recipes.picked, recipes.ready, recipes.arrived])
def test_goods_taken_back_from_ready_are_in_doubt_and_counted_not_put_back_o2_17(recipe: Any) -> None:
    world = recipe(World({S1: {"A": 2}}))

    told = world.tell(m.WithdrawReady(store=S1, lines=(1,), reason="bottle broken"))

    assert [it.kind for it in told if isinstance(it, e.TaskRaised)] == [TaskKind.COUNT]
    level = world.level()
    assert (level.on_hand, level.staged, level.in_doubt) == (2, 0, 2)
    world.place(2)
    assert "promised" not in world.states(2).values()


def test_a_count_that_is_newer_than_the_release_settles_the_doubt_at_once() -> None:
    world = recipes.accepted(World({S1: {"A": 2}}))
    world.stock_is_away = True
    world.tell(m.RejectPick(store=S1, reason=RejectReason.NOT_FOUND))
    # The shelf was counted before the release reached the books, and after the store had looked.
    world.now_ms += 1
    counted = world.to_stock.pop()
    world.tell_stock(S1, StockCounted(lines=(CountLine(sku="A", counted=1),)))
    world.to_stock.append(counted)
    world.stock_comes_back()

    assert (world.level().on_hand, world.level().in_doubt) == (1, 0)
    assert not world.order().tasks


def test_a_till_that_sold_what_is_split_off_leaves_no_unit_held_twice() -> None:
    world = recipes.accepted(World({S1: {"A": 2}}))
    world.stock_is_away = True
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=ONE_OF_LINE_1))
    sale = PosSale(basket="b1", lines=(SaleLine("A", 2),))
    world.tell_stock(S1, sale)
    world.to_stock.rotate(1)
    world.stock_comes_back()

    assert (world.level().on_hand, world.level().held) == (0, 0)
    assert units(world)["cancelled"] >= 1


def test_a_repeat_of_a_split_changes_nothing_in_the_inventory() -> None:
    world = recipes.ready(World())
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=ONE_OF_LINE_1))
    split = world.sent(SplitHold)[0]
    before = world.level()

    world.tell_stock(S1, split)

    assert world.level() == before
    assert len(world.sent(ReleaseStock)) == 1
