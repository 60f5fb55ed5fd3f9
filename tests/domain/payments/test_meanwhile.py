"""Whatever a gateway answers at whichever place of the list, and reports late, twice and in another order, while the
order is cancelled, expires, is picked short, substituted, rerouted or collected in part: sums hold.

The table of `test_matrix` has everything reported before goods are picked; here reports arrive in the middle of it.
"""

from collections.abc import Callable

import pytest

from bopis.domain.orders.events import OrderHandedOver, OrderPromised
from bopis.domain.orders.lines import LinePart
from bopis.domain.values import DAY_MS, MINUTE_MS
from tests.domain.payments.bank import ALL, Bank
from tests.domain.payments.paid_world import PaidWorld
from tests.domain.payments.test_matrix import (
    REJECTED,
    cancelled,
    check,
    hand_over,
    nothing,
    pick,
    placed,
    rerouted,
    substitute,
)


def expired(world: PaidWorld) -> None:
    pick(world)
    world.wait(6 * DAY_MS)


def short_picked(world: PaidWorld) -> None:
    pick(world, missing=1)


def partly_collected(world: PaidWorld) -> None:
    pick(world)
    hand_over(world, LinePart(line=1, quantity=1))


# What happens to a promised order before the reports of the gateway come.
CONDITIONS: dict[str, Callable[[PaidWorld], None]] = {
    "alive": nothing,
    "cancelled": cancelled,
    "expired": expired,
    "short-picked": short_picked,
    "substituted": substitute,
    "rerouted": rerouted,
    "partly collected": partly_collected,
}
COLLECTED_AFTER = ("alive", "short-picked", "substituted", "rerouted", "partly collected")


def reported_late(answer: str, place: int, condition: str, bank: Bank) -> PaidWorld:
    """An order whose gateway reports everything after the condition: backwards, and then once more as it happened."""
    world = placed(["soft"] * (place - 1) + [answer] + ["ok"] * (3 - place), bank)
    world.settle(5 * MINUTE_MS)  # the store has to accept within a quarter of an hour
    reports = list(bank.reports)
    if not world.of(OrderPromised):
        world.deliver_reports()  # the customer confirms, the review ends
        world.settle(2 * MINUTE_MS)
    if world.of(OrderPromised) and world.order().live:
        CONDITIONS[condition](world)
    bank.reports[:] = [*reversed(reports), *reports]
    world.deliver_reports()
    world.settle(2 * MINUTE_MS)
    if condition in COLLECTED_AFTER and world.of(OrderPromised) and world.order().live:
        if condition in ("alive", "rerouted"):
            pick(world)
        hand_over(world)
    world.finish()
    world.finish()
    return world


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("answer", ALL)
def test_sums_hold_when_reports_come_in_the_middle_of_anything(answer: str, place: int) -> None:
    for number, condition in enumerate(CONDITIONS):
        # Half of the table is at a bank that lets one authorisation be captured several times.
        world = reported_late(answer, place, condition, Bank(multicapture=(number + place) % 2 == 0))

        check(world)
        if place < 3 and answer != REJECTED:
            assert world.of(OrderPromised), f"{condition}: a method that works is found, and the customer does nothing"
            assert bool(world.of(OrderHandedOver)) == (condition in COLLECTED_AFTER), condition
