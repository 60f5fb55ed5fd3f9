"""Idempotent producers: repeats, gaps, epochs, and that all of it outlives the process."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from tests.contract.reading import read_all
from tests.engines import Engine
from tests.engines.wire import Wire, batch

OUT_OF_ORDER, FENCED = 45, {47, 90}


def one(producer: tuple[int, int], sequence: int, value: bytes = b"v") -> bytes:
    return batch((b"k", value), producer=(*producer, sequence))


def test_every_unnamed_producer_gets_an_id_of_its_own(wire: Wire) -> None:
    identities = [wire.producer_id() for _ in range(50)]

    assert len({producer_id for producer_id, _ in identities}) == 50
    assert {epoch for _, epoch in identities} == {0}


def test_a_named_producer_keeps_its_id_and_gets_a_higher_epoch_each_time(wire: Wire) -> None:
    name = f"writer-{uuid.uuid4().hex}"

    identities = [wire.producer_id(name) for _ in range(4)]

    assert len({producer_id for producer_id, _ in identities}) == 1
    epochs = [epoch for _, epoch in identities]
    assert epochs == sorted(set(epochs))


def test_epochs_and_ids_are_not_given_twice_after_a_crash(engine: Engine) -> None:
    name = f"writer-{uuid.uuid4().hex}"
    with Wire(engine.address) as wire:
        named, unnamed = wire.producer_id(name), wire.producer_id()

    engine.kill()
    engine.start()

    with Wire(engine.address) as wire:
        again, other = wire.producer_id(name), wire.producer_id()
    assert again[0] == named[0]
    assert again[1] > named[1]
    assert other[0] not in {unnamed[0], named[0]}


def test_a_repeated_batch_is_answered_with_its_first_offset(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic, producer = make_topic(), wire.producer_id()
    first = [wire.produce(topic, one(producer, sequence, b"%d" % sequence)) for sequence in range(7)]

    again = [wire.produce(topic, one(producer, sequence, b"%d" % sequence)) for sequence in range(2, 7)]

    assert [answer.error_code for answer in first + again] == [0] * 12
    assert [answer.base_offset for answer in again] == [2, 3, 4, 5, 6]
    assert [row.value for row in read_all(wire, topic)] == [b"%d" % number for number in range(7)]


def test_repeats_sent_together_with_their_first_are_told_apart(engine: Engine, make_topic: Callable[..., str]) -> None:
    from kafka.protocol.producer import ProduceRequest, ProduceResponse

    topic = make_topic()
    with Wire(engine.address) as wire:
        producer = wire.producer_id()
        data = ProduceRequest.TopicProduceData
        for _ in range(3):
            part = data.PartitionProduceData(index=0, records=one(producer, 0))
            topics = [data(name=topic, partition_data=[part])]
            wire.send(ProduceRequest(version=8, transactional_id=None, acks=-1, timeout_ms=1000, topic_data=topics))
        answers = [wire.receive(ProduceResponse, 8).responses[0].partition_responses[0] for _ in range(3)]

        assert [(answer.error_code, answer.base_offset) for answer in answers] == [(0, 0)] * 3
        assert len(read_all(wire, topic)) == 1


def test_a_repeat_keeps_the_logs_time_of_its_first(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic, producer = make_topic(1, message_timestamp_type="LogAppendTime"), wire.producer_id()
    first = wire.produce(topic, one(producer, 0))

    again = wire.produce(topic, one(producer, 0))

    assert again.log_append_time_ms == first.log_append_time_ms


def test_a_gap_in_the_sequence_is_refused(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic, producer = make_topic(), wire.producer_id()
    assert wire.produce(topic, one(producer, 0)).error_code == 0

    assert wire.produce(topic, one(producer, 2)).error_code == OUT_OF_ORDER
    assert wire.produce(topic, one(producer, 1)).error_code == 0
    assert len(read_all(wire, topic)) == 2


def test_a_refused_batch_does_not_take_a_sequence(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic, producer = make_topic(), wire.producer_id()
    damaged = bytearray(one(producer, 0))
    damaged[-1] ^= 0xFF

    assert wire.produce(topic, bytes(damaged)).error_code != 0
    assert wire.produce(topic, one(producer, 0)).error_code == 0


def test_sequences_are_counted_per_partition(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic, producer = make_topic(2), wire.producer_id()

    assert wire.produce(topic, one(producer, 0), 0).error_code == 0
    assert wire.produce(topic, one(producer, 0), 1).error_code == 0
    assert wire.produce(topic, one(producer, 1), 0).error_code == 0


def test_sequences_count_records_and_begin_again_after_the_largest(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic, producer = make_topic(), wire.producer_id()
    largest = 2**31 - 1
    three = batch((b"k", b"1"), (b"k", b"2"), (b"k", b"3"), producer=(*producer, largest - 2))
    assert wire.produce(topic, three).error_code == 0

    assert wire.produce(topic, one(producer, 0)).error_code == 0
    assert wire.produce(topic, three).base_offset == 0


def test_an_older_epoch_is_fenced_as_soon_as_a_newer_one_has_written(
    wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic, name = make_topic(2), f"writer-{uuid.uuid4().hex}"
    old = wire.producer_id(name)
    assert wire.produce(topic, one(old, 0)).error_code == 0
    assert wire.produce(topic, one(old, 0), 1).error_code == 0
    new = wire.producer_id(name)
    before_the_claim = wire.produce(topic, one(old, 1))

    claim = wire.produce(topic, one(new, 0, b"claim"))
    stale = wire.produce(topic, one(old, 2))
    elsewhere = wire.produce(topic, one(old, 1), 1)

    assert before_the_claim.error_code == 0
    assert claim.error_code == 0
    assert stale.error_code in FENCED
    assert elsewhere.error_code == 0
    assert [row.value for row in read_all(wire, topic)] == [b"v", b"v", b"claim"]


def test_a_new_epoch_has_to_begin_at_zero(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic, name = make_topic(), f"writer-{uuid.uuid4().hex}"
    old = wire.producer_id(name)
    assert wire.produce(topic, one(old, 0)).error_code == 0
    new = wire.producer_id(name)

    assert wire.produce(topic, one(new, 1)).error_code == OUT_OF_ORDER
    assert wire.produce(topic, one(new, 0)).error_code == 0


def test_fencing_repeats_and_gaps_hold_after_a_crash(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic, name = make_topic(), f"writer-{uuid.uuid4().hex}"
    with Wire(engine.address) as wire:
        old = wire.producer_id(name)
        assert wire.produce(topic, one(old, 0)).error_code == 0
        new = wire.producer_id(name)
        assert wire.produce(topic, one(new, 0)).base_offset == 1
        assert wire.produce(topic, one(new, 1)).base_offset == 2

    engine.kill()
    engine.start()

    with Wire(engine.address) as wire:
        assert wire.produce(topic, one(old, 1)).error_code in FENCED
        assert wire.produce(topic, one(new, 3)).error_code == OUT_OF_ORDER
        again = wire.produce(topic, one(new, 1))
        assert (again.error_code, again.base_offset) == (0, 2)
        assert wire.produce(topic, one(new, 2)).base_offset == 3
        assert len(read_all(wire, topic)) == 4
