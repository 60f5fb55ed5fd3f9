"""Producing: what is taken, what is refused, and what is kept exactly as it came."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.contract.reading import parse, read_all, until
from tests.engines import Engine
from tests.engines.wire import Wire, batch

CORRUPT, UNKNOWN_TOPIC, TOO_LARGE, INVALID_ACKS = 2, 3, 10, 21
INVALID_RECORDS = {2, 43, 87}


@pytest.mark.parametrize("acks", [0, 1, "all"])
def test_records_are_readable_with_every_kind_of_acknowledgement(
    engine: Engine, wire: Wire, make_topic: Callable[..., str], acks: int | str
) -> None:
    topic = make_topic()
    producer = KafkaProducer(bootstrap_servers=engine.bootstrap, acks=acks, enable_idempotence=acks == "all")
    for number in range(20):
        producer.send(topic, key=b"k%d" % number, value=b"v%d" % number, headers=[("h", b"1")])
    producer.flush()
    producer.close()

    assert until(lambda: len(read_all(wire, topic)) == 20)
    assert [row.key for row in read_all(wire, topic)] == [b"k%d" % number for number in range(20)]


def test_headers_keys_and_nulls_come_back_as_they_were(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    producer = KafkaProducer(bootstrap_servers=engine.bootstrap)
    producer.send(topic, key=b"k", value=None, headers=[("a", b"1"), ("b", b"")], timestamp_ms=1_234_567)
    producer.flush()
    producer.close()

    consumer = KafkaConsumer(bootstrap_servers=engine.bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    (message,) = next(iter(consumer.poll(timeout_ms=5_000).values()))
    consumer.close()

    assert (message.key, message.value, message.timestamp) == (b"k", None, 1_234_567)
    assert [tuple(header) for header in message.headers] == [("a", b"1"), ("b", b"")]


async def test_aiokafka_writes_and_reads(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic(3)
    producer = AIOKafkaProducer(bootstrap_servers=engine.bootstrap, enable_idempotence=True)
    await producer.start()
    for number in range(300):
        await producer.send(topic, b"%d" % number)
    await producer.stop()

    consumer = AIOKafkaConsumer(topic, bootstrap_servers=engine.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    values = set()
    while len(values) < 300:
        found = await consumer.getmany(timeout_ms=5_000)
        assert found
        values |= {message.value for messages in found.values() for message in messages}
    await consumer.stop()

    assert values == {b"%d" % number for number in range(300)}


def test_offsets_are_given_in_the_order_of_arrival(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()

    offsets = [wire.produce(topic, batch(*[(b"k", b"v")] * count)).base_offset for count in (1, 3, 2, 1)]

    assert offsets == [0, 1, 4, 6]


def test_a_batch_with_a_wrong_checksum_is_refused_and_leaves_nothing(
    wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    damaged = bytearray(batch((b"key", b"value")))
    damaged[-2] ^= 0xFF

    answer = wire.produce(topic, bytes(damaged))

    assert answer.error_code == CORRUPT
    assert wire.produce(topic, batch((b"key", b"value"))).base_offset == 0


def test_a_batch_that_is_cut_short_is_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    whole = batch((b"key", b"value"), (b"key", b"value"))

    for length in (1, 16, 17, 40, 61, len(whole) - 1):
        assert wire.produce(topic, whole[:length]).error_code in INVALID_RECORDS


def test_a_batch_of_an_old_format_is_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    old = bytearray(batch((b"key", b"value")))
    old[16] = 1

    assert wire.produce(make_topic(), bytes(old)).error_code in INVALID_RECORDS


def test_a_batch_whose_count_contradicts_its_offsets_is_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    from crc32c import crc32c

    lying = bytearray(batch((b"key", b"value"), (b"key", b"value")))
    struct.pack_into(">i", lying, 23, 9)
    struct.pack_into(">I", lying, 17, crc32c(bytes(lying[21:])))

    assert wire.produce(make_topic(), bytes(lying)).error_code in INVALID_RECORDS


def test_two_batches_for_one_partition_in_one_request_are_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()

    answer = wire.produce(topic, batch((b"k", b"1")) + batch((b"k", b"2")))

    assert answer.error_code in INVALID_RECORDS
    assert wire.produce(topic, batch((b"k", b"v"))).base_offset == 0


def test_a_batch_above_the_topics_limit_is_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, max_message_bytes=1000)

    assert wire.produce(topic, batch((b"k", b"x" * 2000))).error_code == TOO_LARGE
    assert wire.produce(topic, batch((b"k", b"x" * 500))).error_code == 0


def test_large_messages_pass_when_the_topic_allows_them(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, max_message_bytes=12_000_000)
    producer = KafkaProducer(bootstrap_servers=engine.bootstrap, max_request_size=12_000_000)
    value = bytes(range(256)) * 40_000
    producer.send(topic, value=value).get(20)
    producer.close()

    consumer = KafkaConsumer(bootstrap_servers=engine.bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    (message,) = next(iter(consumer.poll(timeout_ms=10_000).values()))
    consumer.close()

    assert message.value == value


def test_a_batch_of_many_megabytes_passes_as_one(wire: Wire, make_topic: Callable[..., str]) -> None:
    """The changelog of a processor is written in batches of up to 32 MiB."""
    topic = make_topic(1, max_message_bytes=34 << 20, message_timestamp_type="LogAppendTime")
    large = batch(*[(b"%d" % number, bytes(1 << 20)) for number in range(32)])

    assert wire.produce(topic, large).error_code == 0
    assert [row.offset for row in parse(wire.fetch(topic, 0).records)] == list(range(32))


def test_an_unknown_topic_or_partition_is_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    assert wire.produce("no-such-topic", batch((b"k", b"v"))).error_code == UNKNOWN_TOPIC
    assert wire.produce(make_topic(), batch((b"k", b"v")), 7).error_code == UNKNOWN_TOPIC


def test_an_impossible_kind_of_acknowledgement_is_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    assert wire.produce(make_topic(), batch((b"k", b"v")), acks=5).error_code == INVALID_ACKS


def test_the_logs_time_replaces_the_writers_where_the_topic_wants_it(
    wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(1, message_timestamp_type="LogAppendTime")
    before_ms = int(time.time() * 1000)
    answer = wire.produce(topic, batch((b"k", b"v"), (b"k", b"w"), timestamp_ms=1_000))

    rows = read_all(wire, topic)

    assert before_ms <= answer.log_append_time_ms <= int(time.time() * 1000)
    assert [row.timestamp for row in rows] == [answer.log_append_time_ms] * 2


def test_the_writers_time_stays_otherwise(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    answer = wire.produce(topic, batch((b"k", b"v"), timestamp_ms=1_000))

    assert answer.log_append_time_ms == -1
    assert [row.timestamp for row in read_all(wire, topic)] == [1_000]


def test_a_compressed_batch_is_kept_as_it_came(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    sent = batch(*[(b"key", b"hello " * 50)] * 20, compression=1)

    assert wire.produce(topic, sent).error_code == 0
    stored = wire.fetch(topic, 0).records

    assert bytes(stored)[61:] == sent[61:]
    assert len(parse(stored)) == 20


def test_a_named_producer_writes_without_transactions(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    producer_id, epoch = wire.producer_id(f"writer-of-{topic}")

    assert wire.produce(topic, batch((b"k", b"v"), producer=(producer_id, epoch, 0))).error_code == 0
