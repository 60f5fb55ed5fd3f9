"""What an order tells the customer: the receipt of a pickup, prices, the chosen store, the last reminder."""

import pytest

from bopis.domain.orders import messages as m
from bopis.domain.orders.events import NoticeDue, OrderReady
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Milestone
from bopis.domain.values import HOUR_MS
from tests.domain.orders.recipes import BY_CODE, handed_over, offers_other, promised, ready, substitute_offered
from tests.domain.orders.world import S1, S2, World

M = Milestone
TWO_LINES = (("A", 2), ("B", 1))


def notices(world: World, milestone: Milestone) -> list[NoticeDue]:
    return [it for it in world.of(NoticeDue) if it.milestone is milestone]


def test_a_customer_who_collects_gets_one_receipt_with_what_was_handed_over() -> None:
    world = handed_over(World())

    world.tell(BY_CODE)

    [receipt] = notices(world, M.COLLECTED)
    assert (receipt.store, receipt.version) == (S1, 1)
    assert [(it.line, it.sku, it.quantity, it.unit_cents) for it in receipt.lines] == [(1, "A", 2, 100)]


def test_each_part_that_is_collected_has_a_receipt_of_its_own() -> None:
    world = promised(World(), lines=TWO_LINES)
    world.tell(m.AcceptPick(store=S1))
    world.tell(m.StartPicking(store=S1))
    picked = tuple(m.PickedLine(line=line, picked=units) for line, units in ((1, 2), (2, 1)))
    world.tell(m.RecordPick(store=S1, lines=picked))
    world.tell(m.StageOrder(store=S1, location="R1"))
    world.tell(m.HandOver(store=S1, proof=BY_CODE.proof, presented="right-code", lines=(2,)))

    world.tell(BY_CODE)

    assert [(it.version, [line.sku for line in it.lines]) for it in notices(world, M.COLLECTED)] == [
        (1, ["B"]),
        (2, ["A"]),
    ]
    assert world.order().state is LineState.HANDED_OVER


def test_a_wrong_code_has_no_receipt() -> None:
    world = ready(World())

    world.tell(m.HandOver(store=S1, proof=BY_CODE.proof, presented="wrong-code"))

    assert not notices(world, M.COLLECTED)


@pytest.mark.parametrize(("methods", "in_store"), [((), True), (("card",), False)])
def test_a_notice_says_the_currency_and_whether_it_is_paid_in_the_store(
    methods: tuple[str, ...], in_store: bool
) -> None:
    world = promised(World(), methods=methods)
    if methods:
        world.tell(m.PaymentAuthorised(method="card"))

    [placed] = notices(world, M.PLACED)
    assert (placed.currency, placed.pay_in_store, placed.wanted_store) == ("EUR", in_store, S1)


def test_an_offer_names_the_store_that_was_chosen() -> None:
    world = World()
    world.routing = offers_other

    world.place()

    [offer] = notices(world, M.ALTERNATIVE_OFFERED)
    assert (offer.store, offer.wanted_store) == (S2, S1)
    assert [it.sku for it in offer.lines] == ["A"]


def test_an_offered_substitute_has_its_price() -> None:
    world = substitute_offered(World())

    [offer] = notices(world, M.SUBSTITUTE_OFFERED)
    assert (offer.reason, offer.offered_cents, offer.is_last) == ("B", 100, False)


def test_the_last_reminder_is_marked() -> None:
    world = ready(World())
    end_ms = world.of(OrderReady)[0].window_end_ms

    world.wait(end_ms - world.now_ms - 23 * HOUR_MS)
    world.wait(end_ms - world.now_ms - HOUR_MS)

    assert [it.is_last for it in notices(world, M.REMINDER)] == [False, True]
