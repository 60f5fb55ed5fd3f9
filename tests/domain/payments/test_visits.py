"""A customer who comes twice: goods of the second visit leave only for an authorisation that is there."""

from typing import Any

import pytest

from bopis.domain.orders import messages as om
from bopis.domain.orders.events import CommandRefused, OrderHandedOver
from bopis.domain.orders.lines import LinePart, PickedLine
from bopis.domain.orders.vocabulary import Proof, Refusal
from tests.domain.orders.world import World
from tests.domain.payments.bank import Bank
from tests.domain.payments.paid_world import PaidWorld


class StoppedPayments(PaidWorld):
    """A world whose payments can be stopped for a while."""

    is_stopped = False

    def run(self) -> None:
        if self.is_stopped:
            World.run(self)
        else:
            super().run()


def staged(multicapture: bool) -> StoppedPayments:
    world = StoppedPayments(Bank(multicapture=multicapture))
    world.buy(["ok"], lines=(("A", 3),))
    world.settle(60_000)
    store = world.order().lines[0].store
    world.tell(om.AcceptPick(store=store))
    world.tell(om.RecordPick(store=store, lines=(PickedLine(line=1, picked=3),)))
    world.tell(om.StageOrder(store=store, location="R1"))
    return world


def hand_over(world: PaidWorld, *parts: LinePart) -> None:
    said: Any = om.HandOver(store=world.order().lines[0].store, proof=Proof.CODE, presented="right-code", parts=parts)
    world.tell(said)


@pytest.mark.parametrize("multicapture", [False, True], ids=["one capture", "several captures"])
def test_a_second_visit_before_the_payment_has_heard_of_the_first_is_refused(multicapture: bool) -> None:
    world = staged(multicapture)

    world.is_stopped = True
    hand_over(world, LinePart(line=1, quantity=1))
    hand_over(world)
    refused = [it.reason for it in world.of(CommandRefused)]
    handed_before = len(world.of(OrderHandedOver))
    world.is_stopped = False
    world.run()
    world.settle(60_000)
    hand_over(world)
    world.settle(60_000)

    assert (refused, handed_before) == ([Refusal.UNPAID], 1)
    assert len(world.of(OrderHandedOver)) == 2
    assert world.payment.captured == 300
    assert world.payment.owed == 0


def test_a_second_visit_is_refused_when_no_method_pays_for_it() -> None:
    """Incident: a bank let the authorisation be captured once, and its customer was gone with goods worth 14.16."""
    world = staged(multicapture=False)

    world.is_stopped = True
    hand_over(world, LinePart(line=1, quantity=1))
    hand_over(world)

    assert len(world.of(OrderHandedOver)) == 1
