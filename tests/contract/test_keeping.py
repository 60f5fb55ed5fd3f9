"""What is kept: retention by age and size, deleting records, compaction by key, and finding a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from tests.contract.reading import parse, read_all, until
from tests.engines import Engine
from tests.engines.wire import EARLIEST, LATEST, Wire, batch

OUT_OF_RANGE, INVALID_RECORD = 1, 87
HOUR_MS = 3_600_000
EAGER = {"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0.01"}
# A log need not compact what it is writing to just now. Two such batches fill that part, so all before can go.
CLOSING = (b"closing", b"x" * 300)


def now_ms() -> int:
    return int(time.time() * 1000)


def test_records_leave_when_they_are_older_than_the_topic_keeps_them(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(1, retention_ms=HOUR_MS)
    for age in (3, 2):
        wire.produce(topic, batch((b"k", b"old"), timestamp_ms=now_ms() - age * HOUR_MS))
    wire.produce(topic, batch((b"k", b"young")))

    assert until(lambda: wire.offset(topic, EARLIEST) == 2)
    assert [row.value for row in read_all(wire, topic)] == [b"young"]
    assert wire.fetch(topic, 0).error_code == OUT_OF_RANGE


def test_an_emptied_partition_goes_on_counting_after_a_restart(engine: Engine, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, retention_ms=1)
    with Wire(engine.address) as wire:
        wire.produce(topic, batch((b"k", b"1"), (b"k", b"2"), timestamp_ms=now_ms() - HOUR_MS))
        assert until(lambda: wire.offset(topic, EARLIEST) == 2)

    engine.kill()
    engine.start()

    with Wire(engine.address) as wire:
        assert (wire.offset(topic, EARLIEST), wire.offset(topic, LATEST)) == (2, 2)
        assert wire.produce(topic, batch((b"k", b"v"))).base_offset == 2


def test_the_oldest_records_leave_when_the_topic_grows_too_large(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, retention_bytes=3_700)
    for _ in range(50):
        assert wire.produce(topic, batch((b"k", b"x" * 300))).error_code == 0

    assert until(lambda: wire.offset(topic, EARLIEST) >= 39)
    time.sleep(0.5)
    kept = read_all(wire, topic)
    assert 9 <= len(kept) <= 11
    assert kept[-1].offset == 49
    assert wire.offset(topic, LATEST) == 50


def test_nothing_leaves_by_itself_unless_the_topic_says_so(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    wire.produce(topic, batch((b"k", b"ancient"), timestamp_ms=1_000))
    time.sleep(0.6)

    assert len(read_all(wire, topic)) == 1


def test_records_can_be_given_up_by_offset(admin: KafkaAdminClient, wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    for _ in range(4):
        wire.produce(topic, batch((b"k", b"1"), (b"k", b"2"), (b"k", b"3")))
    place = TopicPartition(topic, 0)

    admin.delete_records({place: 5})
    middle = (wire.offset(topic, EARLIEST), [row.offset for row in read_all(wire, topic)])
    admin.delete_records({place: -1})

    assert middle == (5, [5, 6, 7, 8, 9, 10, 11])
    assert (wire.offset(topic, EARLIEST), wire.offset(topic, LATEST)) == (12, 12)
    assert wire.produce(topic, batch((b"k", b"v"))).base_offset == 12


def test_the_first_record_at_a_time_is_found(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    assert wire.offset(topic, 1_000) == -1
    for start in (10_000, 20_000, 30_000, 15_000, 40_000):
        wire.produce(topic, batch((b"k", b"1"), (b"k", b"2"), (b"k", b"3"), timestamp_ms=start))

    assert wire.offset(topic, 0) == 0
    assert wire.offset(topic, 10_001) == 1
    assert wire.offset(topic, 10_003) == 3
    assert wire.offset(topic, 15_000) == 3
    assert wire.offset(topic, 20_002) == 5
    assert wire.offset(topic, 30_003) == 12
    assert wire.offset(topic, 40_002) == 14
    assert wire.offset(topic, 40_003) == -1


def test_a_time_is_found_among_many_batches_and_in_compressed_ones(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    for number in range(200):
        records = batch((b"k", b"1"), (b"k", b"2"), timestamp_ms=1_000_000 + number * 10, compression=number % 2)
        wire.produce(topic, records)

    consumer = KafkaConsumer(bootstrap_servers=engine.bootstrap)
    place = TopicPartition(topic, 0)
    found = [
        consumer.offsets_for_times({place: 1_000_000 + number * 10 + 1})[place].offset for number in range(0, 200, 7)
    ]
    consumer.close()

    assert found == [number * 2 + 1 for number in range(0, 200, 7)]


def test_compaction_keeps_the_newest_of_every_key_at_its_offset(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, **EAGER)
    newest: dict[bytes, tuple[int, bytes]] = {}
    for turn in range(20):
        pairs = [(b"key-%d" % (number % 7), b"%d-%d" % (turn, number)) for number in range(turn % 5, 10)]
        base = wire.produce(topic, batch(*pairs, compression=turn % 2)).base_offset
        newest |= {key: (base + index, value) for index, (key, value) in enumerate(pairs)}
    last = wire.produce(topic, batch(CLOSING)).base_offset
    newest[b"closing"] = (last, CLOSING[1])

    assert until(lambda: len(read_all(wire, topic)) == len(newest))

    kept = {row.key: (row.offset, row.value) for row in read_all(wire, topic)}
    assert kept == newest
    assert wire.offset(topic, LATEST) == last + 1


def test_compaction_goes_on_as_more_is_written(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, **EAGER)
    for turn in range(6):
        for number in range(30):
            wire.produce(topic, batch((b"key-%d" % (number % 3), b"%d-%d" % (turn, number))))
        wire.produce(topic, batch(CLOSING))
        assert until(lambda: len(read_all(wire, topic)) <= 5)

        kept = {row.key: row.value for row in read_all(wire, topic)}
        assert {kept[b"key-%d" % n] for n in range(3)} == {b"%d-%d" % (turn, n) for n in (27, 28, 29)}


def test_a_tombstone_takes_its_key_away_and_then_goes_itself(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, **EAGER, delete_retention_ms=1_500)
    wire.produce(topic, batch((b"gone", b"v"), (b"kept", b"v")))
    wire.produce(topic, batch((b"gone", None)))
    wire.produce(topic, batch(CLOSING))
    started = time.monotonic()

    def gone() -> bool:
        # Something is written all the time: a log may look again only when there is something new.
        wire.produce(topic, batch(CLOSING))
        return b"gone" not in {row.key for row in read_all(wire, topic)}

    assert until(lambda: (b"gone", b"v") not in {(row.key, row.value) for row in read_all(wire, topic)})
    assert (b"gone", None) in {(row.key, row.value) for row in read_all(wire, topic)}
    assert until(gone)
    assert time.monotonic() - started >= 1.4
    assert {row.key for row in read_all(wire, topic)} == {b"kept", b"closing"}


def test_records_younger_than_the_lag_are_not_compacted(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, **EAGER, min_compaction_lag_ms=HOUR_MS)
    for value in (b"1", b"2"):
        wire.produce(topic, batch((b"k", value), timestamp_ms=now_ms() - 2 * HOUR_MS))
    for value in (b"3", b"4"):
        wire.produce(topic, batch((b"k", value)))

    assert until(lambda: [row.value for row in read_all(wire, topic)] == [b"2", b"3", b"4"])
    time.sleep(0.6)
    assert [row.value for row in read_all(wire, topic)] == [b"2", b"3", b"4"]


def test_records_without_a_key_are_refused_or_kept_but_never_compacted_away(
    wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(1, **EAGER)
    answers = [wire.produce(topic, batch((None, value))).error_code for value in (b"1", b"2")]
    wire.produce(topic, batch((b"k", b"old")))
    wire.produce(topic, batch((b"k", b"new")))
    wire.produce(topic, batch(CLOSING))

    taken = [value for value, code in zip((b"1", b"2"), answers, strict=True) if code == 0]
    assert set(answers) <= {0, INVALID_RECORD}
    assert until(lambda: [row.value for row in read_all(wire, topic)] == [*taken, b"new", CLOSING[1]])


def test_a_producer_goes_on_after_its_records_were_compacted_away(
    engine: Engine, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(1, **EAGER)
    with Wire(engine.address) as wire:
        producer = wire.producer_id()
        for sequence in range(5):
            wire.produce(topic, batch((b"k", b"%d" % sequence), producer=(*producer, sequence)))
        wire.produce(topic, batch((b"k", b"other")))
        wire.produce(topic, batch(CLOSING))
        assert until(lambda: len(read_all(wire, topic)) == 2)

    engine.kill()
    engine.start()

    with Wire(engine.address) as wire:
        assert wire.produce(topic, batch((b"k", b"6"), producer=(*producer, 6))).error_code == 45
        assert wire.produce(topic, batch((b"k", b"4"), producer=(*producer, 4))).base_offset == 4
        assert wire.produce(topic, batch((b"k", b"5"), producer=(*producer, 5))).base_offset == 7


def test_a_compacted_topic_may_also_forget_by_age(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, **(EAGER | {"cleanup_policy": "compact,delete"}), retention_ms=HOUR_MS)
    wire.produce(topic, batch((b"old", b"1"), timestamp_ms=now_ms() - 2 * HOUR_MS))
    assert until(lambda: wire.offset(topic, EARLIEST) == 1)
    wire.produce(topic, batch((b"k", b"1")))
    wire.produce(topic, batch((b"k", b"2")))
    wire.produce(topic, batch(CLOSING))

    assert until(lambda: [row.value for row in read_all(wire, topic)] == [b"2", CLOSING[1]])
    assert wire.offset(topic, EARLIEST) >= 1


def test_a_consumer_reads_across_the_gaps_that_compaction_leaves(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(1, **EAGER)
    for number in range(40):
        wire.produce(topic, batch((b"k%d" % (number % 4), b"%d" % number)))
    wire.produce(topic, batch(CLOSING))
    assert until(lambda: len(read_all(wire, topic)) == 5)

    consumer = KafkaConsumer(
        bootstrap_servers=engine.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5_000
    )
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek(place, 5)
    values = []
    for message in consumer:
        values.append(message.value)
        if len(values) == 5:
            break
    position = consumer.position(place)
    consumer.close()

    assert (values, position) == ([b"36", b"37", b"38", b"39", CLOSING[1]], 41)
    assert parse(wire.fetch(topic, 10).records)[0].offset == 36
