"""A producer whose clock jumps: holds end when the log's time says so, neither early nor twice."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bopis.domain.inventory.events import HoldChanged, HoldEnd, StockReserved
from bopis.domain.inventory.messages import OrderLine, ReserveStock, StockLine, StockReceived
from bopis.domain.inventory.rows import Level
from bopis.domain.message import Message
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from tests.faults.crew import Crew
from tests.faults.verdict import Result, times

JUMP_MINUTES = (-10, 0, 10)
HOLD_SECONDS = 4
STORES = 4
HOLDS_PER_JUMP = 12


def say(crew: Crew, message: Message) -> None:
    """Write as a producer whose clock is the message's."""
    said_ms = int(message.time.timestamp() * 1000)
    key, value = message.subject.encode(), STOCK.encode(message)
    crew.producer.send(f"{crew.prefix}stock", key=key, value=value, timestamp_ms=said_ms)


def reserve(crew: Crew, number: int, jump: timedelta) -> str:
    """Hold one unit until a moment in true time, by a producer whose clock is off."""
    now = datetime.now(UTC)
    hold, store = f"h{number}", f"S{number % STORES}"
    line = OrderLine(line=1, sku="A", quantity=1)
    wanted = ReserveStock(
        hold=hold, order=f"o{number}", lines=(line,), hold_until=now + timedelta(seconds=HOLD_SECONDS)
    )
    say(crew, Message(id=f"m{number}", source="checkout", time=now + jump, subject=store, data=wanted))
    return hold


@times(small=2, large=50)
def test_holds_end_once_and_at_the_logs_time_however_a_producers_clock_jumps(crew: Crew, count: int) -> None:
    chance = random.Random(count)
    result = Result("producer's clock jumps by 10 min", crew.engine.name)
    crew.start("one")
    for store in range(STORES):
        goods = StockReceived(document="d", lines=(StockLine(sku="A", quantity=count * HOLDS_PER_JUMP),))
        say(crew, Message(id=f"r{store}", source="desk", time=datetime.now(UTC), subject=f"S{store}", data=goods))
    asked = []
    for jump in range(count):
        minutes = chance.choice(JUMP_MINUTES) if jump > 1 else JUMP_MINUTES[jump * 2]
        for _ in range(HOLDS_PER_JUMP):
            asked.append(reserve(crew, len(asked), timedelta(minutes=minutes)))
            time.sleep(0.02)

    def over() -> bool:
        rows = crew.wait_decided()
        levels = [row for row in rows.values() if isinstance(row, Level)]
        return len(levels) == STORES and all(row.held == 0 for row in levels) and len(ends(crew)) == len(asked)

    crew.wait(over, "every hold ended")

    deadlines = {it.hold: it.hold_until_ms for it, _ in told(crew, StockReserved)}
    early = [hold for hold, at_ms in ends(crew).items() if at_ms < deadlines[hold]]
    result.count = count
    result.note(len(asked), early=len(early))
    assert set(deadlines) == set(asked)
    assert early == []
    assert crew.violations(crew.wait_decided()) == []


def told(crew: Crew, kind: type) -> list[tuple[Any, int]]:
    """Conclusions of a kind, each once, with the time at which the log took them."""
    found = {}
    for record in crew.read("inventory-events"):
        event = INVENTORY_EVENTS.decode(record.value)
        if isinstance(event.data, kind):
            found[event.id] = (event.data, record.timestamp)
    return list(found.values())


def ends(crew: Crew) -> dict[str, int]:
    """When each hold expired. Raises where one did so twice."""
    found: dict[str, int] = {}
    for event, at_ms in told(crew, HoldChanged):
        assert event.end is HoldEnd.EXPIRED
        assert event.hold not in found, f"{event.hold} expired twice"
        found[event.hold] = at_ms
    return found
