"""Records are dated and aged by the clock that the log is given."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from bopis.broker.limits import BrokerLimits
from bopis.broker.server import EmbeddedBroker
from tests.contract.reading import read_all
from tests.engines.wire import EARLIEST, Wire, batch

LONG_AGO_MS = 1_500_000_000_000
KEPT_MS = 60_000
LIMITS = BrokerLimits(retention_interval_seconds=0.1)
SECONDS_MAX = 10.0


class Clock:
    def __init__(self, now_ms: int) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


async def test_log_append_time_and_retention_follow_the_clock_that_is_handed_in(tmp_path: Path) -> None:
    clock = Clock(LONG_AGO_MS)
    broker = EmbeddedBroker(tmp_path / "log.sqlite3", limits=LIMITS, now_ms=clock.now_ms)
    await broker.start()

    async def call(step: Any) -> Any:
        def run() -> Any:
            with Wire(("127.0.0.1", broker.port)) as wire:
                return step(wire)

        return await asyncio.to_thread(run)

    try:
        configs = {"message.timestamp.type": "LogAppendTime", "retention.ms": str(KEPT_MS)}
        assert await call(lambda wire: wire.create_topic("t", 1, configs)) == 0
        await call(lambda wire: wire.produce("t", batch((b"k", b"v"))))
        await asyncio.sleep(5 * LIMITS.retention_interval_seconds)
        kept = await call(lambda wire: read_all(wire, "t"))
        clock.now += KEPT_MS + 1
        give_up = time.monotonic() + SECONDS_MAX
        while (first := await call(lambda wire: wire.offset("t", EARLIEST))) == 0 and time.monotonic() < give_up:
            await asyncio.sleep(0.05)
    finally:
        await broker.stop()

    assert [record.timestamp for record in kept] == [LONG_AGO_MS]
    assert first == 1
