"""o2-01: a till on librdkafka, whose default partitioner is not that of the other clients, splits no books."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.wire.placement import Placement, partition_of
from bopis.wire.stock import STOCK
from streams.engine.exact_step import NO_POSITION, step
from streams.engine.rows import PartitionRows
from streams.processors.inventory import InventoryProcessor
from tests.contract.reading import read_all
from tests.domain.books import at
from tests.engines import Engine
from tests.engines.wire import Wire

PARTITIONS = 4
STORES = [str(number) for number in range(300, 340)]


def sale(store: str, at_ms: int) -> bytes:
    data = PosSale(basket="b", lines=(SaleLine("TOY", 1),))
    source = f"till/{store}/1"
    return STOCK.encode(Message(id=f"{source}/1", source=source, seq=1, time=at(at_ms), subject=store, data=data))


def publish(engine: Engine, topic: str, **options: str) -> None:
    host, port = engine.address
    producer = Producer({"bootstrap.servers": f"{host}:{port}", "acks": "all"} | options)
    for store in STORES:
        producer.produce(topic, key=store, value=sale(store, 1_800_000_000_000 - 86_400_000))
    assert producer.flush(30) == 0


def decided(wire: Wire, topic: str) -> tuple[set[str], dict[str, str]]:
    """The stores that have books anywhere, and the cause of each sale that was parked by its store."""
    processor, booked, parked = InventoryProcessor(), set(), {}
    for number in range(PARTITIONS):
        rows = PartitionRows(processor.decode, processor.encode)
        rows.placement = Placement(number, PARTITIONS)
        records = [_Seen(it.offset, it.key, it.value) for it in read_all(wire, topic, number)]
        done = step(processor, rows, NO_POSITION, records, 1 << 20)
        booked |= {key.split("|")[0] for key, _ in rows.items() if not key.startswith("@")}
        parked |= {(it.record.key or b"").decode(): it.cause for it in done.parked}
    return booked, parked


class _Seen:
    headers = ()
    timestamp = 1_800_000_000_000

    def __init__(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        self.offset, self.key, self.value = offset, key, value


def test_o2_01_sales_of_its_default_partitioner_are_parked_with_the_setting_to_change(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(PARTITIONS)

    publish(engine, topic)
    booked, parked = decided(wire, topic)

    assert booked | set(parked) == set(STORES)
    assert not booked & set(parked)
    assert len(parked) > len(STORES) / 2
    for store, cause in parked.items():
        assert f"{store!r} belongs in partition {partition_of(store.encode(), PARTITIONS)} of 4" in cause
        assert "partitioner=murmur2_random" in cause


@pytest.mark.parametrize("partitioner", ["murmur2_random", "murmur2"])
def test_o2_01_with_the_setting_of_the_till_page_every_sale_counts(
    engine: Engine, wire: Wire, make_topic: Callable[..., str], partitioner: str
) -> None:
    topic = make_topic(PARTITIONS)

    publish(engine, topic, partitioner=partitioner)

    assert decided(wire, topic) == (set(STORES), {})
