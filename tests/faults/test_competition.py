"""Many want the same few units, over real processes: what is there is promised, and not one unit more."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bopis.domain.inventory.events import ReservationRefused, StockReserved
from bopis.domain.inventory.messages import OrderLine, ReserveStock, StockLine, StockReceived
from bopis.domain.inventory.rows import Level
from bopis.domain.message import Message
from bopis.wire.stock import INVENTORY_EVENTS
from tests.faults.world import World

UNITS = 100
BUYERS, SOAK_BUYERS = 3_000, 10_000


@pytest.mark.parametrize(
    ("seed", "buyers"),
    [(1, BUYERS), *(pytest.param(seed, SOAK_BUYERS, marks=pytest.mark.soak) for seed in range(1, 11))],
)
def test_of_thousands_of_requests_for_a_hundred_units_exactly_a_hundred_units_are_promised(
    tmp_path: Path, seed: int, buyers: int
) -> None:
    chance = random.Random(seed)
    now = datetime.now(UTC)
    with World(tmp_path) as world:
        stock = StockReceived(document="d", lines=(StockLine(sku="A", quantity=UNITS),))
        world.publish(Message(id="r", source="desk", time=now, subject="S1", data=stock))
        for number in range(buyers):
            line = OrderLine(line=1, sku="A", quantity=chance.randint(1, 3))
            wanted = ReserveStock(
                hold=f"h{number}", order=f"o{number}", lines=(line,), hold_until=now + timedelta(hours=1)
            )
            message = Message(id=f"m{number}", source="orders", time=now, subject="S1", data=wanted)
            world.publish(message)
            if chance.random() < 0.05:
                world.publish(message)

        rows = world.wait_decided()

        answers = [INVENTORY_EVENTS.decode(record.value).data for record in world.read("inventory-events")]
        promised = sum(line.quantity for it in answers if isinstance(it, StockReserved) for line in it.lines)
        level = rows["S1|A"]
        assert isinstance(level, Level)
        assert promised == UNITS
        assert (level.held, level.on_hand) == (UNITS, UNITS)
        assert len([it for it in answers if isinstance(it, StockReserved | ReservationRefused)]) == buyers
        assert world.violations(rows) == []
