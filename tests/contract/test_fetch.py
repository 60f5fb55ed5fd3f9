"""Fetching: when an answer comes, how much is in it, and from where."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.protocol.consumer import FetchResponse

from tests.contract.reading import parse
from tests.engines import Engine
from tests.engines.wire import EARLIEST, LATEST, Wire, batch

OUT_OF_RANGE, UNKNOWN_TOPIC = 1, 3
SOON_SECONDS = 0.5


def later(engine: Engine, topic: str, seconds: float, *sizes: int) -> threading.Thread:
    """Write records of these sizes, one after another, each so much later."""

    def write() -> None:
        with Wire(engine.address) as wire:
            for size in sizes:
                time.sleep(seconds)
                assert wire.produce(topic, batch((b"k", b"x" * size))).error_code == 0

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_a_waiting_fetch_is_answered_as_soon_as_something_arrives(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    started = time.monotonic()
    writer = later(engine, topic, 0.3, 10)

    answer = wire.fetch(topic, 0, max_wait_ms=10_000)
    waited = time.monotonic() - started
    writer.join()

    assert len(parse(answer.records)) == 1
    assert 0.25 <= waited < 0.3 + SOON_SECONDS


def test_an_idle_fetch_is_answered_when_its_time_is_up(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    started = time.monotonic()

    answer = wire.fetch(topic, 0, max_wait_ms=300)

    assert (answer.error_code, bytes(answer.records or b"")) == (0, b"")
    assert 0.28 <= time.monotonic() - started < 0.3 + SOON_SECONDS


def test_a_fetch_waits_for_as_many_bytes_as_it_asked_for(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    started = time.monotonic()
    writer = later(engine, topic, 0.2, 400, 400, 400)

    answer = wire.fetch(topic, 0, max_wait_ms=10_000, min_bytes=1_000)
    waited = time.monotonic() - started
    writer.join()

    assert len(parse(answer.records)) == 3
    assert waited >= 0.55


def test_what_is_there_already_counts_but_does_not_suffice(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    wire.produce(topic, batch((b"k", b"x" * 400)))
    started = time.monotonic()
    writer = later(engine, topic, 0.3, 700)

    answer = wire.fetch(topic, 0, max_wait_ms=10_000, min_bytes=1_000)
    waited = time.monotonic() - started
    writer.join()

    assert len(parse(answer.records)) == 2
    assert 0.25 <= waited < 0.3 + SOON_SECONDS


def test_a_fetch_of_many_partitions_wakes_for_any_of_them(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    busy = make_topic()
    idle = make_topic(50)
    wire.send(wire.fetch_request([(idle, number, 0) for number in range(50)] + [(busy, 0, 0)], max_wait_ms=10_000))
    started = time.monotonic()
    later(engine, busy, 0.1, 10).join()

    answer = wire.receive(FetchResponse, 11)

    assert time.monotonic() - started < 0.1 + SOON_SECONDS
    sizes = {(part.topic): [len(p.records or b"") for p in part.partitions] for part in answer.responses}
    assert sum(sizes[busy]) > 0
    assert sum(sizes[idle]) == 0


def test_an_error_in_one_partition_is_told_without_waiting(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    started = time.monotonic()

    answer = wire.fetch(topic, 99, max_wait_ms=10_000)

    assert answer.error_code == OUT_OF_RANGE
    assert time.monotonic() - started < SOON_SECONDS
    assert wire.fetch("no-such-topic", 0, max_wait_ms=10_000).error_code == UNKNOWN_TOPIC


def test_at_least_one_batch_comes_however_small_the_limits(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    for _ in range(3):
        wire.produce(topic, batch((b"k", b"x" * 5_000)))

    answer = wire.fetch(topic, 0, max_bytes=1, partition_max_bytes=1)

    assert [row.offset for row in parse(answer.records)] == [0]


def test_a_fetch_stays_within_the_limit_of_a_partition(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    for _ in range(10):
        wire.produce(topic, batch((b"k", b"x" * 1_000)))

    answer = wire.fetch(topic, 0, partition_max_bytes=3_500)

    assert [row.offset for row in parse(answer.records)] == [0, 1, 2]


def test_a_fetch_stays_within_its_whole_limit(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(5)
    for number in range(5):
        wire.produce(topic, batch((b"k", b"x" * 1_000)), number)

    request = wire.fetch_request([(topic, number, 0) for number in range(5)], max_bytes=2_500)
    answer = wire.call(request, FetchResponse)

    sizes = [len(part.records or b"") for part in (p for r in answer.responses for p in r.partitions)]
    assert sum(sizes) <= 2_500
    assert sum(size > 0 for size in sizes) == 2


def test_reading_from_the_middle_of_a_batch_gives_the_whole_batch(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    wire.produce(topic, batch(*[(b"k", b"%d" % number) for number in range(10)]))

    records = wire.fetch(topic, 4).records

    assert [row.offset for row in parse(records)] == list(range(10))
    assert [row.offset for row in parse(records, 4)] == list(range(4, 10))


def test_everything_is_readable_after_a_restart(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    with Wire(engine.address) as wire:
        for number in range(300):
            wire.produce(topic, batch((b"k", b"%d" % number), (b"k", b"and")))

    engine.restart()

    with Wire(engine.address) as wire:
        assert (wire.offset(topic, EARLIEST), wire.offset(topic, LATEST)) == (0, 600)
        for offset in (0, 1, 299, 598, 599):
            rows = parse(wire.fetch(topic, offset).records, offset)
            assert rows[0].offset == offset
        assert wire.fetch(topic, 600).error_code == 0
        assert wire.fetch(topic, 601).error_code == OUT_OF_RANGE


def test_a_consumer_seeks_where_it_likes(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    producer = KafkaProducer(bootstrap_servers=engine.bootstrap, linger_ms=0)
    for number in range(100):
        producer.send(topic, b"%d" % number)
    producer.flush()
    producer.close()

    consumer = KafkaConsumer(bootstrap_servers=engine.bootstrap)
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    seen = []
    for offset in (50, 0, 99):
        consumer.seek(place, offset)
        seen.append(next(iter(consumer.poll(timeout_ms=5_000, max_records=1).values()))[0].value)
    consumer.close()

    assert seen == [b"50", b"0", b"99"]
