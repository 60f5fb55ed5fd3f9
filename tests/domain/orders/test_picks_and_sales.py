"""Picks that meet sales at a till: goods in hand count, and each unit leaves the books once."""

from bopis.domain.inventory.messages import (
    PosSale,
    SaleLine,
    StockAdjusted,
    StockPicked,
)
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import (
    CoverLost,
    HoldRequested,
    PickRestated,
    ShortPickConfirmed,
)
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Allows, Consent, Initiator, ShortPolicy
from tests.domain.orders.recipes import BY_CODE, picking
from tests.domain.orders.world import S1, S2, World

CANCEL = m.CancelOrder(by=Initiator.CUSTOMER)
PARTIAL = Allows(on_short=ShortPolicy.PARTIAL)
LAST_TWO = {S1: {"A": 2}, S2: {"A": 5}}


def sold(world: World, units: int = 1) -> None:
    world.tell_stock(S1, PosSale(basket="b", lines=(SaleLine("A", units),)))


def test_goods_in_hand_whose_hold_a_till_sold_off_do_not_hang_when_their_store_is_withdrawn() -> None:
    world = picking(World(LAST_TWO), allows=Allows(alternatives=Consent.AUTOMATIC))
    world.stock_is_away = True
    sold(world, 2)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2),)))
    world.stock_comes_back()
    assert (world.line().state, world.of(CoverLost)[-1].units) == ("picked", 2)

    world.tell(m.StoreWithdrawn(store=S1))

    assert (world.line().state, world.line().store) == ("promised", S2)


def test_units_reported_missing_while_a_till_sells_them_leave_the_books_once() -> None:
    world = picking(World({S1: {"A": 3}}), lines=(("A", 3),), allows=PARTIAL)
    world.stock_is_away = True
    sold(world, 2)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=2),)))

    world.stock_comes_back()
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)

    assert [(it.lines[0].picked, it.lines[0].missing) for it in world.sent(StockPicked)] == [(1, 2), (1, 0)]
    assert world.sent(StockAdjusted) == []
    assert (world.level().on_hand, world.level().held, world.level().staged) == (0, 0, 0)
    assert (world.line().state, world.order().holds) == (LineState.HANDED_OVER, ())


def test_units_reported_missing_of_which_a_till_sold_fewer_are_named_missing_again() -> None:
    world = picking(World({S1: {"A": 3}}), lines=(("A", 3),), allows=PARTIAL)
    world.stock_is_away = True
    sold(world, 1)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=2),)))

    world.stock_comes_back()

    assert [(it.lines[0].picked, it.lines[0].missing) for it in world.sent(StockPicked)] == [(1, 2), (1, 1)]
    level = world.level()
    assert (level.on_hand, level.held, level.staged, level.in_doubt) == (2, 1, 1, 1)


def test_a_whole_line_reported_missing_of_which_a_till_sold_a_part_keeps_no_hold() -> None:
    world = picking(World({S1: {"A": 3}}), lines=(("A", 3),), allows=PARTIAL)
    world.stock_is_away = True
    sold(world, 1)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=3),)))

    world.stock_comes_back()

    assert (world.line().state, world.order().holds) == (LineState.CANCELLED, ())
    assert (world.level().on_hand, world.level().held, world.level().in_doubt) == (2, 0, 2)


def test_a_hand_over_before_the_inventory_has_answered_the_pick_books_out_what_left() -> None:
    world = picking(World({S1: {"A": 3}}), lines=(("A", 3),), allows=PARTIAL)
    world.stock_is_away = True
    sold(world, 1)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=2),)))
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)

    world.stock_comes_back()

    assert (world.level().on_hand, world.level().held, world.level().staged) == (1, 0, 0)
    assert (world.order().holds, len(world.sent(StockPicked))) == ((), 1)


def test_a_till_that_sells_goods_in_hand_before_they_are_booked_out_leaves_the_books_true() -> None:
    world = picking(World(LAST_TWO))
    world.stock_is_away = True
    sold(world)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=2),)))
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)

    world.stock_comes_back()

    assert (world.level().on_hand, world.level().held, world.level().staged) == (-1, 0, 0)


def test_another_store_is_asked_only_after_the_missing_units_have_left_the_hold() -> None:
    world = picking(World({S1: {"A": 3}, S2: {"A": 3}}), lines=(("A", 3),))
    world.stock_is_away = True
    sold(world, 1)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=3),)))
    asked_before = world.order().attempt

    world.stock_comes_back()

    told = [type(it) for _, it in world.events if isinstance(it, PickRestated | ShortPickConfirmed | HoldRequested)]
    assert asked_before == 1
    assert told == [HoldRequested, PickRestated, ShortPickConfirmed, HoldRequested]
    assert (world.line().store, world.level(S1).held, world.level(S2).held) == (S2, 0, 3)


def test_missing_units_that_a_till_had_sold_altogether_leave_no_line_waiting() -> None:
    world = picking(World(LAST_TWO))
    world.stock_is_away = True
    sold(world, 2)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=2),)))

    world.stock_comes_back()

    assert (world.line().state, world.line().store) == (LineState.PROMISED, S2)
    assert (world.level(S1).held, world.level(S2).held, len(world.order().holds)) == (0, 2, 1)


def test_a_hand_over_between_a_tills_sale_and_the_refusal_of_the_pick_books_out_what_left() -> None:
    world = picking(World({S1: {"A": 3}}), lines=(("A", 3),), allows=PARTIAL)
    world.stock_is_away = True
    sold(world, 2)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=1, missing=2),)))
    world.deliver_stock(world.to_stock.popleft())
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(BY_CODE)

    world.stock_comes_back()

    assert world.sent(StockAdjusted) == []
    assert (world.level().on_hand, world.level().held, world.level().staged) == (0, 0, 0)


def test_a_cancellation_before_the_pick_is_refused_leaves_no_hold() -> None:
    world = picking(World({S1: {"A": 3}}), lines=(("A", 3),))
    world.stock_is_away = True
    sold(world, 1)
    world.tell(m.RecordPick(store=S1, lines=(PickedLine(line=1, picked=0, missing=3),)))
    world.tell(CANCEL)

    world.stock_comes_back()

    assert (world.order().state, world.order().holds) == (LineState.CANCELLED, ())
    assert (world.level().on_hand, world.level().held, world.level().in_doubt) == (2, 0, 2)
