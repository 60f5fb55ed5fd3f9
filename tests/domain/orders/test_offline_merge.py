"""Goods that a store handed over without the centre, merged with what became of the order meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bopis.domain.inventory.rows import Level
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import (
    CaptureRequested,
    CommandRefused,
    HandoverConflictFound,
    OrderHandedOver,
    PaymentAmountChanged,
    TaskClosed,
    TaskRaised,
)
from bopis.domain.orders.lines import LinePart, PickedLine
from bopis.domain.orders.messages import GoodsHandedOver, HandedLine
from bopis.domain.orders.offline.local import after as after_action
from bopis.domain.orders.offline.local import refusal_of
from bopis.domain.orders.offline.store_copy import CopyOrder, copy_of
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Document, EndReason, HandoverConflict, Initiator, Proof, TaskKind
from bopis.domain.values import DAY_MS
from tests.domain.books import NOON_MS, at
from tests.domain.orders.recipes import BY_CODE, PICK_ALL, arrived, picked, promised, ready, staged
from tests.domain.orders.world import S1, S2, World, number, placement

TEN = 10
Change = Callable[[World], Any]


def goods(*lines: tuple[int, str, int], version: int = 1, proof: Proof = Proof.CODE) -> GoodsHandedOver:
    """Goods that the first store handed over; by default two of A of the first line."""
    handed = tuple(HandedLine(line=line, sku=sku, quantity=units) for line, sku, units in lines or ((1, "A", 2),))
    document = Document.PASSPORT if proof is Proof.IDENTITY else Document.NONE
    return GoodsHandedOver(store=S1, lines=handed, proof=proof, document=document, code_version=version)


def conflicts(world: World) -> list[str]:
    return [it.conflict.value for it in world.of(HandoverConflictFound)]


def books(world: World) -> tuple[int, int, int]:
    """On hand of A in both stores, and units of A that any hold still covers."""
    first, second = world.level(S1, "A"), world.level(S2, "A")
    return first.on_hand, second.on_hand, held(first) + held(second)


def held(level: Level) -> int:
    return level.held


def at_other_store(world: World) -> None:
    """The order moves to the other store, which prepares it."""
    world.tell(m.MoveOrder(store=S2, by=Initiator.CUSTOMER))
    for body in (m.AcceptPick(store=S2), m.RecordPick(store=S2, lines=PICK_ALL.lines)):
        world.tell(body)
    world.tell(m.StageOrder(store=S2, location="X"))


def collected_there(world: World) -> None:
    at_other_store(world)
    world.tell(m.HandOver(store=S2, proof=Proof.IDENTITY, document=Document.PASSPORT))


def paid_and_ready(world: World) -> None:
    promised(world, methods=("card",)).tell(m.PaymentAuthorised(method="card"))
    for body in (m.AcceptPick(store=S1), PICK_ALL, m.StageOrder(store=S1, location="R1")):
        world.tell(body)


class Row(NamedTuple):
    """What happened at the centre while the store handed the order over, and how both are merged."""

    before: Change
    meanwhile: Change
    conflicts: list[str]
    books: tuple[int, int, int]
    report: GoodsHandedOver = goods()


ROWS = {
    "nothing": Row(ready, lambda w: None, [], (8, 10, 0)),
    "the customer was reported as arrived": Row(arrived, lambda w: None, [], (8, 10, 0)),
    "extended": Row(
        ready, lambda w: w.tell(m.ExtendPickup(store=S1, until=at(w.now_ms + 10 * DAY_MS))), [], (8, 10, 0)
    ),
    "cancelled": Row(ready, lambda w: w.tell(m.CancelOrder(by=Initiator.CUSTOMER)), ["cancelled"], (8, 10, 0)),
    "cancelled in part": Row(
        ready,
        lambda w: w.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=(LinePart(line=1, quantity=1),))),
        ["cancelled"],
        (8, 10, 0),
    ),
    "window over": Row(ready, lambda w: w.wait(6 * DAY_MS), ["expired"], (8, 10, 0)),
    "recorded at the centre": Row(ready, lambda w: w.tell(BY_CODE), ["recorded_twice"], (8, 10, 0)),
    "moved": Row(promised, at_other_store, ["moved"], (8, 10, 0)),
    "handed over elsewhere": Row(promised, collected_there, ["handed_over_elsewhere"], (8, 8, 0)),
    "pick withdrawn": Row(
        ready, lambda w: w.tell(m.WithdrawReady(store=S1, lines=(1,))), ["not_staged"], (8, 10, 0)
    ),
    "more than ordered": Row(ready, lambda w: None, ["unknown_goods"], (7, 10, 0), goods((1, "A", 3))),
    "a line that it never had": Row(ready, lambda w: None, ["unknown_goods"], (9, 10, 2), goods((4, "A", 1))),
    "not staged": Row(picked, lambda w: None, ["not_staged"], (8, 10, 0)),
    "not accepted": Row(promised, lambda w: None, ["not_staged"], (8, 10, 0)),
    "payment not decided": Row(
        lambda w: ready(w) if not promised(w, methods=("card",)) else None, lambda w: None, ["not_staged", "unpaid"],
        (8, 10, 0),
    ),
    "payment ended": Row(paid_and_ready, lambda w: w.tell(m.PaymentLapsed(cents=0)), ["unpaid"], (8, 10, 0)),
    "fraud suspected": Row(
        paid_and_ready,
        lambda w: w.tell(m.PaymentExhausted(reason=EndReason.FRAUD_SUSPECTED)),
        ["cancelled", "unpaid"],
        (8, 10, 0),
    ),
    "code replaced": Row(
        ready,
        lambda w: w.tell(m.ReissueCode(version=2, code_hash="new", token_hash="new")),
        ["code_replaced"],
        (8, 10, 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_units_leave_the_books_once_and_each_difference_has_a_name(row: Row) -> None:
    world = World()
    row.before(world)
    row.meanwhile(world)

    world.tell(row.report)

    assert conflicts(world) == row.conflicts
    assert books(world) == row.books
    assert not world.of(CommandRefused)
    assert not world.refuses


def test_a_report_that_comes_twice_changes_nothing_more() -> None:
    world = ready(World())
    report = {"id": "agent/1", "source": "counter/319"}

    world.tell(goods(), **report)
    again = world.tell(goods(), **report)

    assert again == []
    assert books(world) == (8, 10, 0)


def test_goods_of_a_cancelled_order_are_captured_so_that_the_payment_finds_them_owed() -> None:
    world = World()
    paid_and_ready(world)
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER))

    world.tell(goods())

    assert [it.amount.cents for it in world.of(CaptureRequested)] == [200]
    assert conflicts(world) == ["cancelled", "unpaid"]
    assert world.line().state is LineState.HANDED_OVER
    raised = [it.task for it in world.of(TaskRaised) if it.kind is TaskKind.PUT_BACK]
    assert [it.task for it in world.of(TaskClosed)] == raised != []


def test_a_line_that_was_cancelled_alone_is_added_to_the_payment_before_its_capture() -> None:
    world = promised(World(), methods=("card",), lines=(("A", 2), ("B", 1)))
    world.tell(m.PaymentAuthorised(method="card"))
    world.tell(m.CancelOrder(by=Initiator.CUSTOMER, lines=(1,)))
    before = len(world.events)

    world.tell(goods())

    money = [it for _, it in world.events[before:] if isinstance(it, PaymentAmountChanged | CaptureRequested)]
    assert [(type(it).__name__, it.amount.cents) for it in money][:2] == [
        ("PaymentAmountChanged", 300),
        ("CaptureRequested", 200),
    ]
    assert world.states() == {1: "handed_over", 2: "promised"}


def test_goods_recorded_twice_ask_for_no_money_and_no_second_notice() -> None:
    world = ready(World())
    world.tell(BY_CODE)
    before = len(world.events)

    world.tell(goods(proof=Proof.IDENTITY, version=0))

    assert [type(it) for _, it in world.events[before:]] == [HandoverConflictFound]


def test_an_unknown_order_refuses_the_report_by_name() -> None:
    world = World()

    [refused] = world.tell(goods(), number(7))

    assert isinstance(refused, CommandRefused)
    assert refused.reason.value == "unknown_order"


def test_only_the_lines_that_left_are_handed_over() -> None:
    world = staged(World())

    world.tell(goods())

    assert world.states() == {1: "handed_over", 2: "picking"}
    assert len(world.of(OrderHandedOver)) == 1


# Steps of the centre, in any order, while the store does its own.
STEPS: dict[str, Change] = {
    "cancel": lambda w: w.tell(m.CancelOrder(by=Initiator.CUSTOMER)),
    "cancel one": lambda w: w.tell(m.CancelOrder(by=Initiator.CUSTOMER, parts=(LinePart(line=1, quantity=1),))),
    "accept": lambda w: w.tell(m.AcceptPick(store=S1)),
    "pick": lambda w: w.tell(PICK_ALL),
    "stage": lambda w: w.tell(m.StageOrder(store=S1, location="R1")),
    "hand over": lambda w: w.tell(BY_CODE),
    "withdraw": lambda w: w.tell(m.WithdrawReady(store=S1, lines=(1,))),
    "reject": lambda w: w.tell(m.RejectPick(store=S1, reason="too_busy")),  # type: ignore[arg-type]  # its value
    "move": lambda w: w.tell(m.MoveOrder(store=S2, by=Initiator.CUSTOMER)),
    "accept there": lambda w: w.tell(m.AcceptPick(store=S2)),
    "new code": lambda w: w.tell(m.ReissueCode(version=2, code_hash="new", token_hash="new")),
    "six days": lambda w: w.wait(6 * DAY_MS),
    "stock away": lambda w: setattr(w, "stock_is_away", True),
    "stock back": lambda w: w.stock_comes_back(),
    "goods left": lambda w: w.tell(goods(), id="agent/1", source="counter/319", time=at(NOON_MS)),
}


def out_of_books(world: World) -> int:
    """Units of A that left the stores, by the events of the order."""
    handed = (it for event in world.of(OrderHandedOver) for it in event.lines)
    uncovered = (it for event in world.of(HandoverConflictFound) for it in event.uncovered)
    return sum(it.quantity for it in (*handed, *uncovered) if it.sku == "A")


def check_all(world: World) -> None:
    """Nothing is under way any more: units are conserved, no hold is left, and each line was handed over once."""
    world.stock_comes_back()
    world.tell(m.CancelOrder(by=Initiator.STAFF))

    assert sum(world.level(store, "A").on_hand for store in (S1, S2)) == 2 * TEN - out_of_books(world)
    assert all(world.level(store, "A").held == 0 for store in (S1, S2))
    assert not world.order().live
    handed = [line.line for event in world.of(OrderHandedOver) for line in event.lines]
    assert len(set(handed)) == len(handed), "a line is handed over once"
    assert not world.refuses


@settings(max_examples=150, deadline=None)
@given(
    before=st.lists(st.sampled_from(sorted(STEPS)), max_size=9),
    after=st.lists(st.sampled_from(sorted(STEPS)), max_size=5),
    units=st.integers(1, 3),
)
def test_whatever_happened_meanwhile_units_are_conserved_and_no_hold_is_left(
    before: list[str], after: list[str], units: int
) -> None:
    world = World()
    world.tell(placement(1, lines=(("A", units), ("B", 1))))

    for step in (*before, "goods left", *after):
        STEPS[step](world)

    check_all(world)


def picks(copy: CopyOrder, missing: int) -> m.RecordPick:
    """All that the shop still needs of each line, of which some units are missing."""
    lines = tuple(
        PickedLine(line=it.line, picked=max(0, it.quantity - sum(it.picked) - missing), missing=missing)
        for it in copy.lines
    )
    return m.RecordPick(store=S1, lines=lines)


def all_goods(copy: CopyOrder) -> GoodsHandedOver:
    return goods(*((it.line, it.sku, it.quantity) for it in copy.lines))


SHOP: dict[str, Callable[[CopyOrder], Any]] = {
    "accept": lambda _: m.AcceptPick(store=S1),
    "start": lambda _: m.StartPicking(store=S1),
    "pick": lambda copy: picks(copy, 0),
    "short": lambda copy: picks(copy, 1),
    "stage": lambda _: m.StageOrder(store=S1, location="R1"),
    "hand over": all_goods,
    "hand over the first": lambda copy: goods((copy.lines[0].line, copy.lines[0].sku, copy.lines[0].quantity)),
}


@settings(max_examples=150, deadline=None)
@given(
    before=st.lists(st.sampled_from(["accept", "pick", "stage", "cancel one"]), max_size=4),
    in_shop=st.lists(st.sampled_from(sorted(SHOP)), min_size=1, max_size=8),
    meanwhile=st.lists(st.sampled_from(sorted(set(STEPS) - {"goods left"})), max_size=5),
)
def test_what_a_shop_did_alone_is_merged_with_what_happened_meanwhile(
    before: list[str], in_shop: list[str], meanwhile: list[str]
) -> None:
    world = World()
    world.tell(placement(1, lines=(("A", 3), ("B", 1))))
    for step in before:
        STEPS[step](world)
    copy = copy_of(world.order(), S1, world.now_ms)
    assert copy is not None
    done: list[Any] = []
    now_ms, first = world.now_ms, dict.fromkeys(copy.lines)

    for name in in_shop:
        action = SHOP[name](copy)
        if refusal_of(copy, action, now_ms) is None:
            copy = after_action(copy, action)
            done.append(action)
    for step in meanwhile:
        STEPS[step](world)
    for place, action in [*enumerate(done), *enumerate(done)]:
        world.tell(action, id=f"shop/{place}", source="store-agent/S1/x", time=at(NOON_MS))

    left = sum(it.quantity for action in done if isinstance(action, GoodsHandedOver) for it in action.lines)
    assert left <= sum(it.quantity for it in first)
    assert out_of_books(world) >= sum(
        it.quantity for action in done if isinstance(action, GoodsHandedOver) for it in action.lines if it.sku == "A"
    )
    check_all(world)


def test_every_conflict_is_in_the_table_or_tested_by_its_goods() -> None:
    shown = {it for row in ROWS.values() for it in row.conflicts}

    assert shown == {it.value for it in HandoverConflict}
    table = (Path(__file__).parents[3] / "docs" / "concepts" / "store-agent.md").read_text(encoding="utf-8")
    assert not [it for it in shown if f"| `{it}` |" not in table]
