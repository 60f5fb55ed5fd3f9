"""Append -> decided -> readable in SQL: latency at several rates, over the chosen log and SQLite, with all processors.

Tills publish baskets of five lines, each acknowledged separately, at a fixed rate of lines. A message counts as
readable when a reader of the database sees a source position that covers it: the read side writes the rows of
``levels`` and this position in one transaction. ``lost`` counts messages that never became readable. The reader polls
every two milliseconds, and the wait for a poll is part of every figure. ``cpu_ms_per_basket`` is the processor time of
each process after start and warm-up, divided by the baskets of that time.
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaProducer

from benchmarks.engines import add_engine_option, running_log
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.messages import sales
from benchmarks.orders_cpu import supervised
from bopis.quantiles import quantile

RATES = (200, 2_000, 5_000)
LINES_PER_BASKET = 5
SECONDS = 12.0
WARM_UP_SECONDS = 2.0
POLL_SECONDS = 0.002
PATIENCE_SECONDS = 30.0
BURST_SECONDS = 0.001
POSITIONS = "select partition, source_position from consumed where topic = 'inventory-levels'"


def main() -> None:
    """Run every rate several times, and report medians of the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs per rate; medians are printed")
    parser.add_argument("--lines", type=int, default=LINES_PER_BASKET, help="lines of a basket")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="lines a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of one run")
    add_engine_option(parser)
    options = parser.parse_args()
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "kafka-python", "sqlalchemy"),
        "engine": options.engine,
        "runs": options.runs,
        "lines_per_basket": options.lines,
    }
    for rate in options.rates:
        runs = [
            measure(options.engine, rate / options.lines, options.lines, options.seconds) for _ in range(options.runs)
        ]
        document[str(rate)] = {
            **{name: round(median(run[name] for run in runs), 1) for name in ("p50_ms", "p95_ms", "p99_ms")},
            "lost": sum(run["lost"] for run in runs),
            "messages": sum(run["messages"] for run in runs),
            "cpu_ms_per_basket": {
                name: round(median(run["cpu_ms"][name] for run in runs), 2) for name in runs[0]["cpu_ms"]
            },
        }
    report(document, options.json)


def measure(engine: str, rate: float, lines: int, seconds: float) -> dict[str, Any]:
    """Percentiles of one run, in a directory (on Apache Kafka: a cluster) of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bopis-bench-"))
        environment = {**os.environ, "BOPIS_DATA_DIR": folder, "BOPIS_BROKER_PORT": "0", "BOPIS_WEB_ENABLED": "false"}
        if engine == "kafka":
            environment["BOPIS_BROKER"] = f"kafka://{stack.enter_context(running_log(engine)).bootstrap}"
        up = subprocess.Popen(
            [sys.executable, "-m", "streams", "up", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert up.stdout is not None
            bootstrap = up.stdout.readline().split('"bootstrap":"')[1].split('"')[0]
            reader = Reader(Path(folder) / "readside.sqlite3")
            messages = list(sales(int(rate * (seconds + WARM_UP_SECONDS)), lines))
            return _run(bootstrap, reader, Processors(Path(folder)), messages, rate)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(PATIENCE_SECONDS)


class Reader(threading.Thread):
    """Polls the positions in the database, and records when each was first seen."""

    def __init__(self, database: Path) -> None:
        super().__init__(daemon=True)
        self._database = database
        self.seen: dict[int, list[tuple[int, float]]] = {}
        self.over = threading.Event()

    def run(self) -> None:
        connection = sqlite3.connect(self._database, isolation_level=None)
        while not self.over.is_set():
            found = connection.execute(POSITIONS).fetchall()
            now = time.perf_counter()
            for partition, position in found:
                sightings = self.seen.setdefault(partition, [])
                if not sightings or sightings[-1][0] < position:
                    sightings.append((position, now))
            time.sleep(POLL_SECONDS)
        connection.close()

    def position(self, partition: int) -> int:
        sightings = self.seen.get(partition)
        return sightings[-1][0] if sightings else -1


class Processors:
    """Processor time of a supervisor's children since the end of the warm-up."""

    def __init__(self, data_dir: Path) -> None:
        self._children = {"log" if name == "broker" else name: it for name, it in supervised(data_dir).items()}
        self._before: dict[str, float] = {}
        self._baskets = 0

    @property
    def begun(self) -> bool:
        return bool(self._before)

    def begin(self) -> None:
        """Start to measure: the warm-up is over."""
        self._before = {name: _seconds(child) for name, child in self._children.items()}

    def count(self) -> None:
        """Count one basket after the warm-up."""
        self._baskets += 1

    def per_basket_ms(self) -> dict[str, float]:
        """Processor time per basket of each child, in ms."""
        return {
            name: (_seconds(child) - self._before[name]) * 1000 / self._baskets
            for name, child in self._children.items()
        }


def _seconds(child: psutil.Process) -> float:
    times = child.cpu_times()
    return float(times.user + times.system)


def _run(
    bootstrap: str, reader: Reader, processors: Processors, messages: list[tuple[bytes, bytes]], rate: float
) -> dict[str, Any]:
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
    reader.start()
    sent: list[tuple[float, Any]] = []
    began = time.perf_counter()
    for number, (key, value) in enumerate(messages):
        due = began + number / rate
        if (wait := due - time.perf_counter()) > BURST_SECONDS:
            time.sleep(wait)
        if due >= began + WARM_UP_SECONDS:
            if not processors.begun:
                processors.begin()
            processors.count()
        sent.append((time.perf_counter(), producer.send("bopis.stock", key=key, value=value)))
    producer.flush()
    appended = [(at, future.get(PATIENCE_SECONDS)) for at, future in sent]
    ends: dict[int, int] = {}
    for _, record in appended:
        ends[record.partition] = max(ends.get(record.partition, -1), record.offset)
    end = time.perf_counter() + PATIENCE_SECONDS
    while any(reader.position(it) < ends[it] for it in ends) and time.perf_counter() < end:
        time.sleep(0.01)
    cpu_ms = processors.per_basket_ms()
    reader.over.set()
    reader.join()
    producer.close()
    warm = [(at, record) for at, record in appended if at >= began + WARM_UP_SECONDS]
    return {**percentiles(warm, reader.seen), "cpu_ms": cpu_ms}


def percentiles(appended: list[tuple[float, Any]], seen: dict[int, list[tuple[int, float]]]) -> dict[str, Any]:
    """Percentiles of the waits in ms, and the number of records that no position covers.

    `appended` are the times of sending with the record's partition and offset; `seen` are positions by partition, each
    with the time when it was first seen.
    """
    waits: list[float] = []
    lost = 0
    index = dict.fromkeys(seen, 0)
    for at, record in sorted(appended, key=lambda sent: (sent[1].partition, sent[1].offset)):
        sightings = seen.get(record.partition, [])
        number = index.get(record.partition, 0)
        while number < len(sightings) and sightings[number][0] < record.offset:
            number += 1
        index[record.partition] = number
        if number == len(sightings):
            lost += 1
        else:
            waits.append((sightings[number][1] - at) * 1000)
    return {
        "p50_ms": quantile(waits, 0.50),
        "p95_ms": quantile(waits, 0.95),
        "p99_ms": quantile(waits, 0.99),
        "lost": lost,
        "messages": len(appended),
    }


if __name__ == "__main__":
    main()
