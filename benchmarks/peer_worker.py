"""One peer of `benchmarks.peers`, run by the peers' own interpreter: it imports nothing of the product.

Each peer keeps units on hand by store and SKU as its own guide shows, and prints the CPU seconds since its first
message.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EPOCH_SECONDS = 1
COMMIT_SECONDS = 1.0

began: list[float] = []


def begin() -> None:
    """Start to measure, at the first message."""
    if not began:
        began.append(time.process_time())


def print_result(processed: int) -> None:
    """Print the line that the benchmark reads."""
    seconds = time.process_time() - began[0]
    os.write(1, json.dumps({"cpu_seconds": seconds, "processed": processed}).encode() + b"\n")


def quix(bootstrap: str, topic_name: str, count: int, folder: Path) -> None:
    """Quix Streams: RocksDB state per store, changelog topic on, at-least-once."""
    from quixstreams import Application

    app = Application(
        broker_address=bootstrap,
        consumer_group=folder.name,
        auto_offset_reset="earliest",
        state_dir=folder,
        commit_interval=COMMIT_SECONDS,
        loglevel="ERROR",
    )
    handled = 0

    def sell(sale: dict[str, Any], state: Any) -> None:
        nonlocal handled
        begin()
        for line in sale["data"]["lines"]:
            state.set(line["sku"], state.get(line["sku"], 0) - line["quantity"])
        handled += 1

    app.dataframe(app.topic(topic_name, value_deserializer="json")).update(sell, stateful=True)
    app.run(count=count, collect=False)
    print_result(handled)


def bytewax(bootstrap: str, topic_name: str, _count: int, folder: Path) -> None:
    """Bytewax: one state per store and SKU, recovery store, snapshots every second. It reads the whole topic."""
    from datetime import timedelta

    import bytewax.operators as op
    from bytewax.connectors.kafka import KafkaSource
    from bytewax.dataflow import Dataflow
    from bytewax.outputs import DynamicSink, StatelessSinkPartition
    from bytewax.recovery import RecoveryConfig, init_db_dir
    from bytewax.run import cli_main

    handled = 0

    class Nowhere(StatelessSinkPartition[Any]):  # type: ignore[misc]  # the peer is not installed where types are checked
        def write_batch(self, items: list[Any]) -> None:
            """Discard the items: only the state is measured."""

    class Sink(DynamicSink[Any]):  # type: ignore[misc]  # as above
        def build(self, *_: Any) -> Nowhere:
            return Nowhere()

    def lines(message: Any) -> Iterator[tuple[str, int]]:
        nonlocal handled
        begin()
        handled += 1
        sale = json.loads(message.value)
        store = sale["subject"]
        return ((f"{store}|{line['sku']}", line["quantity"]) for line in sale["data"]["lines"])

    def subtract(on_hand: int | None, quantity: int) -> tuple[int, int]:
        left = (on_hand or 0) - quantity
        return left, left

    flow = Dataflow("peer")
    sold = op.flat_map("lines", op.input("sales", flow, KafkaSource([bootstrap], [topic_name], tail=False)), lines)
    op.output("nowhere", op.stateful_map("on-hand", sold, subtract), Sink())
    init_db_dir(folder, 1)
    cli_main(flow, recovery_config=RecoveryConfig(folder), epoch_interval=timedelta(seconds=EPOCH_SECONDS))
    print_result(handled)


def by_hand(bootstrap: str, topic_name: str, count: int, folder: Path) -> None:
    """aiokafka and a dict: offsets are committed after each fetch, the state is not stored."""
    import orjson
    from aiokafka import AIOKafkaConsumer

    async def run() -> int:
        on_hand: dict[tuple[str, str], int] = {}
        consumer = AIOKafkaConsumer(
            topic_name,
            bootstrap_servers=bootstrap,
            group_id=folder.name,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        handled = 0
        while handled < count:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                begin()
                for record in records:
                    sale = orjson.loads(record.value)
                    store = sale["subject"]
                    for line in sale["data"]["lines"]:
                        cell = (store, line["sku"])
                        on_hand[cell] = on_hand.get(cell, 0) - line["quantity"]
                handled += len(records)
            await consumer.commit()
        print_result(handled)
        await consumer.stop()
        return handled

    asyncio.run(run())


if __name__ == "__main__":
    kind, bootstrap, topic_name, count, folder = sys.argv[1:]
    {"quix": quix, "bytewax": bytewax, "by_hand": by_hand}[kind](bootstrap, topic_name, int(count), Path(folder))
