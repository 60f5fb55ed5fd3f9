"""Answers on their way: nothing counts as answered before the log has it, and nothing before what was sent earlier."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from streams.connection import Connection
from streams.limits import StreamLimits
from streams.routing_sending import Sending


class SlowLog:
    """A producer that acknowledges when it is told to."""

    def __init__(self) -> None:
        self.acknowledgements: dict[bytes, asyncio.Future[None]] = {}

    async def send(self, topic: str, *, value: bytes, key: bytes, headers: Any) -> "asyncio.Future[None]":
        self.acknowledgements[value] = asyncio.get_running_loop().create_future()
        return self.acknowledgements[value]


@pytest.fixture
async def log(monkeypatch: pytest.MonkeyPatch) -> SlowLog:
    slow = SlowLog()
    monkeypatch.setattr("streams.routing_sending.AIOKafkaProducer", lambda **_: slow)
    return slow


def sending(tmp_path: Any) -> Sending:
    return Sending(Connection(bootstrap="127.0.0.1:1", prefix="t.", partitions=1, data_dir=tmp_path), StreamLimits())


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_next_answers_leave_before_the_first_are_acknowledged(log: SlowLog, tmp_path: Any) -> None:
    told: list[str] = []
    way = sending(tmp_path)
    acknowledging = asyncio.create_task(way.acknowledge())

    await way.answer([("orders", "A", b"1"), ("orders", "B", b"2")], lambda: told.append("first"))
    await way.answer([("orders", "C", b"3")], lambda: told.append("second"))
    log.acknowledgements[b"3"].set_result(None)
    log.acknowledgements[b"1"].set_result(None)
    await turns()
    half_way = list(told)
    log.acknowledgements[b"2"].set_result(None)
    await turns()
    acknowledging.cancel()

    assert half_way == []
    assert told == ["first", "second"]


async def test_what_the_log_refuses_ends_the_worker_and_is_not_told_as_answered(log: SlowLog, tmp_path: Any) -> None:
    told: list[str] = []
    way = sending(tmp_path)
    acknowledging = asyncio.create_task(way.acknowledge())

    await way.answer([("orders", "A", b"1")], lambda: told.append("first"))
    log.acknowledgements[b"1"].set_exception(KafkaError("refused"))

    with pytest.raises(KafkaError):
        await acknowledging
    assert told == []
