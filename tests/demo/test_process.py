"""Production programs go by this machine's clock, those of the demonstration by the clock that it hands in."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bopis.demo.clock import OffsetClock
from bopis.demo.process import program
from bopis.domain.inventory.messages import OrderLine, ReserveStock, SetStorePolicy, StockLine, StockReceived, StockTick
from bopis.domain.message import Message
from bopis.domain.values import epoch_ms
from bopis.wire.stock import STOCK
from tests.engines.embedded import EmbeddedEngine
from tests.faults.crew import Crew

AHEAD_MS = 10 * 24 * 3_600_000
HELD_MS = 1_500
NEAR_MS = 60_000
STORE = "S1"


def system_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def log_clock(tmp_path: Path) -> OffsetClock:
    """A clock that is ten days ahead of this machine's."""
    clock = OffsetClock.create(tmp_path / "clock")
    clock.set_to(system_ms() + AHEAD_MS)
    return clock


@contextmanager
def inventory(home: Path, demo_clock: Path | None = None) -> Iterator[Crew]:
    """A log and an inventory worker in processes of their own: the product's, or the demonstration's on a clock."""
    engine = EmbeddedEngine(home / "log")
    # Production code once read the demonstration's clock where this variable named it; the crew's workers get it, too.
    engine.environment["BOPIS_DEMO_CLOCK"] = str(home / "clock")
    if demo_clock is not None:
        engine.program = (*program(demo_clock), "broker")
    engine.start()
    try:
        with Crew(engine, home, demo_clock=home / "clock") as crew:
            if demo_clock is not None:
                crew.program = program(demo_clock)
            crew.start("inventory")
            yield crew
    finally:
        engine.stop()


def expire_a_hold(crew: Crew, now_ms: Callable[[], int]) -> tuple[Any, StockTick]:
    """Hold a unit for a moment; the record of the tick that ends the hold, and the tick."""
    at = datetime.fromtimestamp(now_ms() / 1000, UTC)
    until = datetime.fromtimestamp((now_ms() + HELD_MS) / 1000, UTC)
    bodies = (
        SetStorePolicy(pickup=True),
        StockReceived(document="d", lines=(StockLine(sku="A", quantity=1),)),
        ReserveStock(hold="h", order="h", lines=(OrderLine(line=1, sku="A", quantity=1),), hold_until=until),
    )
    for number, data in enumerate(bodies):
        crew.publish(Message(id=str(number), source="test", time=at, subject=STORE, data=data))
    crew.producer.flush()
    found: list[tuple[Any, StockTick]] = []

    def ticked() -> bool:
        for record in crew.read("stock"):
            data = STOCK.decode(record.value).data
            if isinstance(data, StockTick):
                found.append((record, data))
        return bool(found)

    crew.wait(ticked, "the hold expires")
    return found[0]


def test_a_production_log_and_worker_ignore_the_variable_of_the_demonstration(
    tmp_path: Path, log_clock: OffsetClock
) -> None:
    with inventory(tmp_path) as crew:
        record, tick = expire_a_hold(crew, system_ms)

    assert log_clock.offset_ms == pytest.approx(AHEAD_MS, abs=NEAR_MS)
    assert abs(record.timestamp - system_ms()) < NEAR_MS
    assert abs(epoch_ms(tick.at) - system_ms()) < NEAR_MS


def test_the_log_and_worker_of_the_demonstration_go_by_its_clock(tmp_path: Path, log_clock: OffsetClock) -> None:
    with inventory(tmp_path, tmp_path / "clock") as crew:
        record, tick = expire_a_hold(crew, log_clock.now_ms)

    assert abs(record.timestamp - system_ms() - AHEAD_MS) < NEAR_MS
    assert abs(epoch_ms(tick.at) - system_ms() - AHEAD_MS) < NEAR_MS
