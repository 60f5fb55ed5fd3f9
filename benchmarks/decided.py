"""Append -> decided: latency from sending a till's message to its decision in the changelog, at several rates.

One inventory worker runs over the chosen log, and nothing else. Tills publish baskets of five lines at a fixed rate of
lines, without batching. A message counts as decided when a reader of ``inventory-levels`` has received the commit whose
position covers it: from then on the changed rows are visible to every reader and survive any crash.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.embedded import Log
from benchmarks.engines import add_engine_option, running_log
from benchmarks.latency import BURST_SECONDS, PATIENCE_SECONDS, WARM_UP_SECONDS, percentiles
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.messages import sales
from bopis.names import LEVELS_TOPIC
from bopis.wire.changelog import POSITION_KEY, decode_position

RATES = (500, 2_000, 5_000)
LINES_PER_BASKET = 5
SECONDS = 10.0
PARTITIONS = 4
POLL_MS = 100
# The reader thread must not wait for the sender thread longer than the latencies that are measured.
THREAD_SWITCH_SECONDS = 0.0005


def main() -> None:
    """Measure every rate over one log and one worker, and report medians of the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs per rate; medians are printed")
    parser.add_argument("--lines", type=int, default=LINES_PER_BASKET, help="lines of a basket")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="lines a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of one run")
    add_engine_option(parser)
    options = parser.parse_args()
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    found: dict[int, list[dict[str, Any]]] = {rate: [] for rate in options.rates}
    with running_log(options.engine) as log:
        for run in range(options.runs):
            for rate in options.rates:
                found[rate].append(measure(log, f"decided-{run}-{rate}.", rate / options.lines, options))
    report(
        {
            "machine": machine_line(),
            "versions": versions("faust-streaming", "aiokafka", "kafka-python"),
            "engine": options.engine,
            "runs": options.runs,
            "lines_per_basket": options.lines,
            **{str(rate): _medians(runs) for rate, runs in found.items()},
        },
        options.json,
    )


def _medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **{name: round(median(run[name] for run in runs), 1) for name in ("p50_ms", "p95_ms", "p99_ms")},
        "lost": sum(run["lost"] for run in runs),
        "messages": sum(run["messages"] for run in runs),
    }


def measure(log: Log, prefix: str, rate: float, options: argparse.Namespace) -> dict[str, Any]:
    """Percentiles of one run with topics and a worker of its own."""
    log.create(f"{prefix}stock", PARTITIONS)
    environment = {
        **os.environ,
        "BOPIS_DATA_DIR": str(log.data_dir),
        "BOPIS_BROKER": f"kafka://{log.bootstrap}",
        "BOPIS_TOPIC_PREFIX": prefix,
        "BOPIS_PARTITIONS": str(PARTITIONS),
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "streams", "worker", "inventory", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert worker.stdout is not None
        if '"ready"' not in worker.stdout.readline():
            raise RuntimeError("the worker did not become ready; run it by hand to see why")
        messages = list(sales(int(rate * (options.seconds + WARM_UP_SECONDS)), options.lines))
        return _run(log, prefix, messages, rate)
    finally:
        worker.terminate()
        worker.wait(PATIENCE_SECONDS)


class Watcher(threading.Thread):
    """Reads the changelog as an external subscriber, and records when each position was first seen."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(daemon=True)
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
        self._consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        self.seen: dict[int, list[tuple[int, float]]] = {}
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for tp, records in self._consumer.poll(POLL_MS).items():
                now = time.perf_counter()
                positions = [decode_position(it.value).position for it in records if it.key == POSITION_KEY]
                if positions:
                    self.seen.setdefault(tp.partition, []).append((positions[-1], now))
        self._consumer.close()

    def position(self, partition: int) -> int:
        sightings = self.seen.get(partition)
        return sightings[-1][0] if sightings else -1


def _run(log: Log, prefix: str, messages: list[tuple[bytes, bytes]], rate: float) -> dict[str, Any]:
    watcher = Watcher(log.bootstrap, f"{prefix}{LEVELS_TOPIC}")
    watcher.start()
    producer = KafkaProducer(bootstrap_servers=log.bootstrap, linger_ms=0)
    producer.partitions_for(f"{prefix}stock")
    sent: list[tuple[float, Any]] = []
    began = time.perf_counter()
    for number, (key, value) in enumerate(messages):
        due = began + number / rate
        if (wait := due - time.perf_counter()) > BURST_SECONDS:
            time.sleep(wait)
        sent.append((time.perf_counter(), producer.send(f"{prefix}stock", key=key, value=value)))
    producer.flush()
    appended = [(at, future.get(PATIENCE_SECONDS)) for at, future in sent]
    ends: dict[int, int] = {}
    for _, record in appended:
        ends[record.partition] = max(ends.get(record.partition, -1), record.offset)
    end = time.perf_counter() + PATIENCE_SECONDS
    while any(watcher.position(it) < ends[it] for it in ends) and time.perf_counter() < end:
        time.sleep(0.01)
    watcher.over.set()
    watcher.join()
    producer.close()
    return percentiles([(at, record) for at, record in appended if at >= began + WARM_UP_SECONDS], watcher.seen)


if __name__ == "__main__":
    main()
