"""Answers on their way: nothing counts as answered before the log has it, and nothing before what was sent earlier."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.engine.processor import Output
from streams.limits import StreamLimits
from streams.workers.acked_producer import AckedProducer


class SlowLog:
    """A producer that acknowledges on demand."""

    def __init__(self) -> None:
        self.acknowledgements: dict[bytes, asyncio.Future[None]] = {}

    async def start(self) -> None:
        """There is nothing to connect to."""

    async def send(self, topic: str, *, value: bytes, key: bytes, headers: Any) -> "asyncio.Future[None]":
        self.acknowledgements[value] = asyncio.get_running_loop().create_future()
        return self.acknowledgements[value]


@pytest.fixture
async def log(monkeypatch: pytest.MonkeyPatch) -> SlowLog:
    slow = SlowLog()
    monkeypatch.setattr("streams.workers.acked_producer.AIOKafkaProducer", lambda **_: slow)
    return slow


async def started(tmp_path: Any) -> AckedProducer:
    connection = LogConnection(bootstrap="127.0.0.1:1", prefix="t.", partitions=1, data_dir=tmp_path)
    producer = AckedProducer(connection, StreamLimits())
    await producer.start(LogClient(connection, StreamLimits()))
    return producer


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_next_answers_leave_before_the_first_are_acknowledged(log: SlowLog, tmp_path: Any) -> None:
    told: list[str] = []
    producer = await started(tmp_path)
    acknowledging = asyncio.create_task(producer.acknowledge())

    await producer.publish_later(
        [Output("orders", b"A", b"1"), Output("orders", b"B", b"2")], lambda: told.append("first")
    )
    await producer.publish_later([Output("orders", b"C", b"3")], lambda: told.append("second"))
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
    producer = await started(tmp_path)
    acknowledging = asyncio.create_task(producer.acknowledge())

    await producer.publish_later([Output("orders", b"A", b"1")], lambda: told.append("first"))
    log.acknowledgements[b"1"].set_exception(KafkaError("refused"))

    with pytest.raises(KafkaError):
        await acknowledging
    assert told == []
