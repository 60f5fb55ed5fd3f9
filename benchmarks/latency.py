"""Append -> decided -> readable in SQL, at several rates, over the chosen log and SQLite with everything running.

Tills publish baskets of five lines, each acknowledged on its own, at a fixed rate of lines. A message counts as
readable when a reader of the database sees that the row its decision changed is there: the read side stores, in one
transaction with the rows of ``levels``, how far the inventory had decided the source. ``lost`` counts messages that
never became readable. The reader asks every two milliseconds, which is part of every figure. ``cpu_ms_per_basket``
is the processor time of each process, start and warm-up left out, divided by the baskets of that time.
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

RATES = (200, 2_000, 5_000)
LINES_PER_BASKET = 5
SECONDS = 12.0
WARM_UP_SECONDS = 2.0
POLL_SECONDS = 0.002
PATIENCE_SECONDS = 30.0
BURST_SECONDS = 0.001
POSITIONS = "select partition, source_position from consumed where topic = 'inventory-levels'"


def main() -> None:
    """One run of everything per rate and repetition; medians of the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs per rate; medians are printed")
    parser.add_argument("--lines", type=int, default=LINES_PER_BASKET, help="lines of a basket")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="lines a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of one run")
    add_engine_option(parser)
    given = parser.parse_args()
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "kafka-python", "sqlalchemy"),
        "engine": given.engine,
        "runs": given.runs,
        "lines_per_basket": given.lines,
    }
    for rate in given.rates:
        runs = [measure(given.engine, rate / given.lines, given.lines, given.seconds) for _ in range(given.runs)]
        document[str(rate)] = {
            **{name: round(median(run[name] for run in runs), 1) for name in ("p50_ms", "p95_ms", "p99_ms")},
            "lost": sum(run["lost"] for run in runs),
            "messages": sum(run["messages"] for run in runs),
            "cpu_ms_per_basket": {
                name: round(median(run["cpu_ms"][name] for run in runs), 2) for name in runs[0]["cpu_ms"]
            },
        }
    report(document, given.json)


def measure(engine: str, rate: float, lines: int, seconds: float) -> dict[str, Any]:
    """Percentiles of one run in a directory, and on Apache Kafka in a cluster, of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bopis-bench-"))
        environment = {**os.environ, "BOPIS_DATA_DIR": folder, "BOPIS_BROKER_PORT": "0"}
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
            return _run(bootstrap, reader, Processors(up.pid), messages, rate)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(PATIENCE_SECONDS)


class Reader(threading.Thread):
    """Looks all the time how far the database is, and notes when each position was first seen."""

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
                steps = self.seen.setdefault(partition, [])
                if not steps or steps[-1][0] < position:
                    steps.append((position, now))
            time.sleep(POLL_SECONDS)
        connection.close()

    def position(self, partition: int) -> int:
        steps = self.seen.get(partition)
        return steps[-1][0] if steps else -1


class Processors:
    """Processor time of the children of a supervisor, from the end of the warm-up on."""

    def __init__(self, supervisor: int) -> None:
        self._children = {_name(child): child for child in psutil.Process(supervisor).children()}
        self._before: dict[str, float] = {}
        self._baskets = 0

    @property
    def begun(self) -> bool:
        return bool(self._before)

    def begin(self) -> None:
        """The warm-up is over."""
        self._before = {name: _seconds(child) for name, child in self._children.items()}

    def count(self) -> None:
        """One more basket since the warm-up."""
        self._baskets += 1

    def per_basket_ms(self) -> dict[str, float]:
        """Processor time per basket of each child."""
        return {
            name: (_seconds(child) - self._before[name]) * 1000 / self._baskets
            for name, child in self._children.items()
        }


def _name(child: psutil.Process) -> str:
    command = child.cmdline()
    return command[command.index("worker") + 1] if "worker" in command else "log"


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
    places = [(at, future.get(PATIENCE_SECONDS)) for at, future in sent]
    ends: dict[int, int] = {}
    for _, place in places:
        ends[place.partition] = max(ends.get(place.partition, -1), place.offset)
    end = time.perf_counter() + PATIENCE_SECONDS
    while any(reader.position(it) < ends[it] for it in ends) and time.perf_counter() < end:
        time.sleep(0.01)
    cpu_ms = processors.per_basket_ms()
    reader.over.set()
    reader.join()
    producer.close()
    warm = [(at, place) for at, place in places if at >= began + WARM_UP_SECONDS]
    return {**percentiles(warm, reader.seen), "cpu_ms": cpu_ms}


def percentiles(places: list[tuple[float, Any]], seen: dict[int, list[tuple[int, float]]]) -> dict[str, Any]:
    waits: list[float] = []
    lost = 0
    index = dict.fromkeys(seen, 0)
    for at, place in sorted(places, key=lambda it: (it[1].partition, it[1].offset)):
        steps = seen.get(place.partition, [])
        number = index.get(place.partition, 0)
        while number < len(steps) and steps[number][0] < place.offset:
            number += 1
        index[place.partition] = number
        if number == len(steps):
            lost += 1
        else:
            waits.append((steps[number][1] - at) * 1000)
    waits.sort()
    return {
        "p50_ms": waits[len(waits) // 2],
        "p95_ms": waits[len(waits) * 95 // 100],
        "p99_ms": waits[len(waits) * 99 // 100],
        "lost": lost,
        "messages": len(places),
    }


if __name__ == "__main__":
    main()
