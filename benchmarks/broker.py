"""Rates of the embedded log: `python -m benchmarks.broker [--json]`.

Produce and consume with kafka-python and aiokafka, in the batches that these clients build, and one record at a time,
each acknowledged after its fsync. At a low, steady rate: the latency of a record from the send call to a waiting
consumer. Each figure is the median of several runs, each on a new log in a process of its own.

Rates use the wall clock, so they fall when the machine is busy. Each rate therefore comes with the processor time per
record, of the client and of the log, in microseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from benchmarks.measure import machine_line, median, report, versions

TOPIC = "measured"
VALUE = b"x" * 200
RECORDS = 100_000
SINGLES = 1_000
TRICKLE_PER_SECOND = 500
TRICKLE_SECONDS = 4
RUNS = 3


class Meter:
    """Measures wall-clock rate and processor time of the client and of the log."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.figures: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str, records: int) -> Iterator[None]:
        """Record the rate, and the processor time per record of the client and of the log."""
        clock, client, log = time.perf_counter(), time.process_time(), self._log_seconds()
        yield
        self.figures[f"{name}_per_second"] = records / (time.perf_counter() - clock)
        self.figures[f"{name}_client_cpu_us"] = (time.process_time() - client) / records * 1e6
        self.figures[f"{name}_log_cpu_us"] = (self._log_seconds() - log) / records * 1e6

    def _log_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def fresh_log() -> Iterator[tuple[str, Meter]]:
    """Start an embedded log in a process of its own with one empty topic; yields its address and a meter."""
    with tempfile.TemporaryDirectory(prefix="bopis-broker-") as directory:
        command = [sys.executable, "-m", "bopis.broker", str(Path(directory) / "log"), "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            address = f"127.0.0.1:{json.loads(process.stdout.readline())['port']}"
            admin = KafkaAdminClient(bootstrap_servers=address)
            admin.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": 1}})
            admin.close()
            yield address, Meter(psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


def kafka_python(address: str, meter: Meter) -> dict[str, float]:
    """Figures of the blocking client, kafka-python."""
    producer = KafkaProducer(bootstrap_servers=address)
    producer.send(TOPIC, VALUE).get(10)
    with meter.measure("produce", RECORDS):
        for _ in range(RECORDS):
            producer.send(TOPIC, VALUE)
        producer.flush()
    producer.close()

    single = KafkaProducer(bootstrap_servers=address, linger_ms=0)
    single.send(TOPIC, VALUE).get(10)
    with meter.measure("produce_one_by_one", SINGLES):
        for _ in range(SINGLES):
            single.send(TOPIC, VALUE).get(10)
    single.close()

    consumer = KafkaConsumer(TOPIC, bootstrap_servers=address, auto_offset_reset="earliest")
    next(consumer)
    with meter.measure("consume", RECORDS):
        for seen, _ in enumerate(consumer, 1):
            if seen == RECORDS:
                break
    consumer.close()
    return meter.figures


async def aiokafka(address: str, meter: Meter) -> dict[str, float]:
    """Figures of the asyncio client, and the latencies of `trickle`."""
    producer = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(TOPIC, VALUE)
    with meter.measure("produce", RECORDS):
        sent = [await producer.send(TOPIC, VALUE) for _ in range(RECORDS)]
        await asyncio.gather(*sent)
    with meter.measure("produce_one_by_one", SINGLES):
        for _ in range(SINGLES):
            await producer.send_and_wait(TOPIC, VALUE)

    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    seen = 0
    with meter.measure("consume", RECORDS):
        while seen < RECORDS:
            seen += sum(map(len, (await consumer.getmany(timeout_ms=1_000)).values()))
    await consumer.seek_to_end()
    latencies = await trickle(producer, consumer)
    await consumer.stop()
    await producer.stop()
    return meter.figures | latencies


async def trickle(producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> dict[str, float]:
    """Latency from the send call to a waiting consumer, at TRICKLE_PER_SECOND records per second; quantiles in ms."""
    waits: list[float] = []
    count = TRICKLE_PER_SECOND * TRICKLE_SECONDS

    async def read() -> None:
        while len(waits) < count:
            found = await consumer.getmany(timeout_ms=1_000)
            now = time.perf_counter_ns()
            waits.extend((now - int(message.value)) / 1e6 for messages in found.values() for message in messages)

    reading = asyncio.create_task(read())
    begun = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / TRICKLE_PER_SECOND - time.perf_counter()))
        await producer.send(TOPIC, b"%d" % time.perf_counter_ns())
    await reading
    cuts = statistics.quantiles(waits, n=100)
    return {"append_to_fetch_ms_p50": cuts[49], "append_to_fetch_ms_p99": cuts[98]}


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Median of each figure over the runs."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    blocking: list[dict[str, float]] = []
    looping: list[dict[str, float]] = []
    for _ in range(options.runs):
        with fresh_log() as (address, meter):
            blocking.append(kafka_python(address, meter))
        with fresh_log() as (address, meter):
            looping.append(asyncio.run(aiokafka(address, meter)))
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("kafka-python", "aiokafka", "uvloop", "crc32c") | {"sqlite": sqlite3.sqlite_version},
        "records": RECORDS,
        "runs": options.runs,
        "kafka-python": medians(blocking),
        "aiokafka": medians(looping),
    }
    report(document, options.json)


if __name__ == "__main__":
    main()
