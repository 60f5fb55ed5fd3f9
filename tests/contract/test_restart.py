"""A log that is ended without warning, again and again, has everything that it acknowledged."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from aiokafka import AIOKafkaProducer

from tests.contract.reading import read_all, until
from tests.engines import Engine, Engines
from tests.engines.wire import LATEST, Wire, batch

WRITERS = 4


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Logs of their own: Apache Kafka with the topics of many tests recovers them for half a minute after a kill."""
    engines = Engines(tmp_path_factory.mktemp("restart"))
    yield engines
    engines.close()


class Writer(threading.Thread):
    """Sends numbered records one after another and remembers what was acknowledged, until the log goes away."""

    def __init__(self, address: tuple[str, int], topic: str, name: str) -> None:
        super().__init__()
        self._address = address
        self._topic = topic
        self._prefix = name
        self.acknowledged: list[bytes] = []

    def has_begun(self) -> bool:
        return len(self.acknowledged) > 50

    def run(self) -> None:
        try:
            with Wire(self._address) as wire:
                producer = wire.producer_id()
                for sequence in range(100_000):
                    value = b"%s-%d" % (self._prefix.encode(), sequence)
                    answer = wire.produce(self._topic, batch((b"k", value), producer=(*producer, sequence)))
                    assert answer.error_code == 0
                    self.acknowledged.append(value)
        except OSError:
            # The log was killed: what was not acknowledged by now may or may not be there.
            return


def test_every_acknowledged_record_is_there_after_each_of_several_kills(
    engine: Engine, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    acknowledged: list[bytes] = []
    for turn in range(3 if engine.name == "embedded" else 1):  # a start of Apache Kafka costs ten seconds
        writers = [Writer(engine.address, topic, f"{turn}-{number}") for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        assert all(until(writer.has_begun) for writer in writers)
        engine.kill()
        for writer in writers:
            writer.join()
        acknowledged += [value for writer in writers for value in writer.acknowledged]
        engine.start()

        with Wire(engine.address) as wire:
            found = [row.value for row in read_all(wire, topic)]
        missing = set(acknowledged) - set(found)
        assert not missing
        assert len(found) == len(set(found))
        assert len(found) <= len(acknowledged) + (turn + 1) * WRITERS


def test_an_idempotent_client_writes_each_record_once_across_a_kill(
    engine: Engine, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()

    async def write() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=engine.bootstrap, enable_idempotence=True, request_timeout_ms=5_000
        )
        await producer.start()
        sent = []
        for number in range(2_000):
            sent.append(await producer.send(topic, b"%d" % number))
            if number == 1_000:
                await asyncio.to_thread(engine.kill)
                await asyncio.to_thread(engine.start)
        await asyncio.gather(*sent)
        await producer.stop()

    asyncio.run(write())

    with Wire(engine.address) as wire:
        values = [row.value for row in read_all(wire, topic)]
    assert values == [b"%d" % number for number in range(2_000)]


def test_topics_and_settings_are_there_after_a_kill(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic(3, max_message_bytes=500)
    engine.kill()
    engine.start()

    with Wire(engine.address) as wire:
        assert wire.produce(topic, batch((b"k", b"v")), 2).error_code == 0
        assert wire.produce(topic, batch((b"k", b"x" * 1_000)), 2).error_code == 10
        assert wire.offset(topic, LATEST, 2) == 1


def test_a_clean_stop_is_quick_even_with_clients_waiting(engine: Engine, make_topic: Callable[..., str]) -> None:
    import time

    topic = make_topic()
    with Wire(engine.address) as wire:
        wire.send(wire.fetch_request([(topic, 0, 0)], max_wait_ms=30_000))
        time.sleep(0.1)
        started = time.monotonic()
        code = engine.stop()
        took = time.monotonic() - started
    engine.start()

    assert code == 0
    assert took < 15.0, "it does not wait for the fetch, which waits for thirty seconds"
