"""A compacted partition whose first batch is empty: Apache Kafka keeps the header of a writer's last batch."""

import struct
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.engine.aiokafka_internals import fetch_chunks
from streams.engine.batches import Chunk
from tests.contract.reading import read_all, until
from tests.contract.test_keeping import CLOSING, EAGER
from tests.engines import Engine
from tests.engines.wire import EARLIEST, Wire, batch

READ_SECONDS_MAX = 120.0
COUNT_AT = 57


async def chunks_from(engine: Engine, tp: TopicPartition, start: int, end: int) -> list[Chunk]:
    """What a recovery sees of the partition up to `end`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=engine.bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([tp])
        consumer.seek(tp, start)
        chunks: list[Chunk] = []
        give_up = time.monotonic() + READ_SECONDS_MAX
        while (chunks[-1].next if chunks else start) < end:
            assert time.monotonic() < give_up, f"stopped behind {[(it.start, it.next) for it in chunks]}"
            chunks += (await fetch_chunks(consumer, None, 1.0)).values()
        return chunks
    finally:
        await consumer.stop()


async def test_a_recovery_goes_over_batches_that_compaction_has_emptied(
    engine: Engine, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(1, **EAGER)
    with Wire(engine.address) as wire:
        # Two owners of a partition, and a third whose rows supersede all of theirs.
        for name in ("first", "second"):
            wire.produce(topic, batch((b"a", b"1"), (b"b", b"1"), producer=(*wire.producer_id(name + topic), 0)))
        wire.produce(topic, batch((b"a", b"2"), (b"b", b"2")))
        end = wire.produce(topic, batch(CLOSING)).base_offset + 1
        assert until(lambda: len(read_all(wire, topic)) == 3)
        earliest = wire.offset(topic, EARLIEST)
        raw = bytes(wire.fetch(topic, earliest).records)

    from_the_start = await chunks_from(engine, TopicPartition(topic, 0), earliest, end)
    from_within = await chunks_from(engine, TopicPartition(topic, 0), 1, end)

    if engine.name == "kafka":
        assert struct.unpack_from(">qi", raw, 0)[0] == 0
        assert struct.unpack_from(">i", raw, COUNT_AT) == (0,)
    for chunks, start in ((from_the_start, earliest), (from_within, 1)):
        assert [record.value for chunk in chunks for record in chunk.records] == [b"2", b"2", CLOSING[1]]
        assert [chunk.start for chunk in chunks] == [start, *(chunk.next for chunk in chunks[:-1])]
        assert chunks[-1].next == end
