"""One competitor of `benchmarks.stream` in a process of its own; prints its CPU seconds."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

PARTITIONS = 4


def ours(bootstrap: str, prefix: str, count: int) -> None:
    """The unchanged inventory worker. After the last message it stops cleanly, which commits everything."""
    from streams.engine.connection import LogConnection
    from streams.engine.processor import LogRecord
    from streams.engine.rows import PartitionRows
    from streams.limits import StreamLimits
    from streams.processors.inventory import InventoryProcessor
    from streams.workers.exact_worker import ExactWorker

    handled = 0
    handle = InventoryProcessor.handle

    class Counting(InventoryProcessor):
        def handle(self, rows: PartitionRows, record: LogRecord) -> Any:
            nonlocal handled
            handled += 1
            if handled == count:
                os.kill(os.getpid(), signal.SIGTERM)
            return handle(self, rows, record)

    began = 0.0

    def ready(_: Any) -> None:
        nonlocal began
        began = time.process_time()

    connection = LogConnection(
        bootstrap=bootstrap,
        prefix=prefix,
        partitions=PARTITIONS,
        data_dir=Path(os.environ["BOPIS_BENCH_DATA"]),
        instance="bench",
    )
    ExactWorker(Counting(), connection, StreamLimits(), ready).run_until_stopped()
    print_result(time.process_time() - began)


def stock(bootstrap: str, prefix: str, count: int, run: int) -> None:
    """An agent and a Table as the Faust guide shows them."""
    import faust

    app = faust.App(
        f"stock-faust-{prefix}{run}",
        broker=f"kafka://{bootstrap}",
        topic_partitions=PARTITIONS,
        store="memory://",
        datadir=os.environ["BOPIS_BENCH_DATA"],
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic(f"{prefix}stock", value_type=bytes, value_serializer="json", key_type=bytes)
    on_hand = app.Table("on-hand", default=int, partitions=PARTITIONS)
    state = {"events": 0, "began": 0.0}

    @app.agent(topic)
    async def sell(events: Any) -> None:
        async for event in events:
            if not state["events"]:
                state["began"] = time.process_time()
            for line in event["data"]["lines"]:
                on_hand[f"{event['subject']}|{line['sku']}"] -= line["quantity"]
            state["events"] += 1
            if state["events"] == count:
                print_result(time.process_time() - state["began"])
                os._exit(0)

    sys.argv = ["stock", "worker", "--without-web", "-l", "error"]
    app.main()


def stock_recovery(bootstrap: str, name: str) -> None:
    """A stock Table with an existing changelog; prints the CPU seconds when it has recovered."""
    import faust

    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        topic_partitions=PARTITIONS,
        store="memory://",
        datadir=os.environ["BOPIS_BENCH_DATA"],
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic(f"{name}-events", value_type=bytes, key_type=bytes)
    on_hand = app.Table("on-hand", default=int, partitions=PARTITIONS)

    @app.agent(topic)
    async def sell(events: Any) -> None:
        async for event in events:
            on_hand[event] += 1

    @app.task
    async def recovered() -> None:
        while not on_hand:
            await app.sleep(0.02)
        await app.tables.wait_until_recovery_completed()
        print_result(time.process_time())
        os._exit(0)

    sys.argv = ["stock", "worker", "--without-web", "-l", "error"]
    app.main()


def print_result(seconds: float) -> None:
    """Print the line that the benchmark reads."""
    os.write(1, json.dumps({"cpu_seconds": seconds}).encode() + b"\n")


if __name__ == "__main__":
    kind, bootstrap, prefix, count, run_number = sys.argv[1:]
    if kind == "ours":
        ours(bootstrap, prefix, int(count))
    elif kind == "stock-recovery":
        stock_recovery(bootstrap, prefix)
    else:
        stock(bootstrap, prefix, int(count), int(run_number))
