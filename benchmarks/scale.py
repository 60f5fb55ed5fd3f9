"""Scaling of the inventory worker with the number of workers and of rows, and the cost of its rows at a restart.

``workers``: lines per second of wall clock for the same backlog of ten-line baskets with one worker and with two, from
the release of the backlog until the changelog covers it. ``rows``: microseconds of CPU per sale line over tables of
growing size, recovered from the log first; each line is on a random row, the worst case for the processor's caches.
Also for each size: seconds from the start of the process to ready, and bytes of resident memory per row.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import psutil
from kafka import KafkaConsumer, TopicPartition

from benchmarks.embedded import Log
from benchmarks.engines import add_engine_option, running_log
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.messages import sales
from benchmarks.recovery import STORES, one_sale_of_each, restart
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.names import LEVELS_TOPIC
from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY, Claim, decode_position
from bopis.wire.stock import STOCK

ROWS = (100_000, 1_000_000, 4_000_000)
BASKETS = 40_000
BASKETS_ON_ROWS = 8_000
LINES_PER_BASKET = 10
PARTITIONS = 4
PREFIX = "recovery."
SETTLED_SECONDS = 3.0
POLL_MS = 20
SECONDS_MAX = 300


def main() -> None:
    """Measure both parts, and report medians of the first one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs with one and with two workers; medians are printed")
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS, help="sizes of the table")
    add_engine_option(parser)
    options = parser.parse_args()
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "msgspec", "uvloop"),
        "engine": options.engine,
        "runs": options.runs,
    }
    with running_log(options.engine) as log:
        document["workers"] = workers(log, options.runs)
    sizes = {}
    for rows in options.rows:
        with running_log(options.engine) as log:
            sizes[str(rows)] = on_rows(log, rows)
    document["rows"] = sizes
    report(document, options.json)


def workers(log: Log, runs: int) -> dict[str, Any]:
    """Lines per second of one worker and of two, interleaved, over the same backlog."""
    if not runs:
        return {}
    messages = list(sales(BASKETS, LINES_PER_BASKET))
    found: dict[int, list[float]] = {1: [], 2: []}
    for run in range(runs):
        for count, rates in found.items():
            rates.append(BASKETS * LINES_PER_BASKET / seconds_of(log, f"scale-{run}-{count}.", count, messages))
    one, two = median(found[1]), median(found[2])
    return {"one": round(one), "two": round(two), "ratio": round(two / one, 2), "cores": os.cpu_count()}


def seconds_of(log: Log, prefix: str, count: int, messages: list[tuple[bytes, bytes]]) -> float:
    """Seconds from resuming the workers to the last commit. The workers share the partitions and are then suspended;
    the backlog is published while they are suspended, in less time than their session time-out."""
    log.create(f"{prefix}stock", PARTITIONS)
    processes = [start_worker(log, prefix, f"worker-{number}") for number in range(count)]
    changelog = ChangelogProgress(log, prefix)
    try:
        changelog.wait_for_owners(count)
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        log.fill(f"{prefix}stock", messages)
        ends = changelog.ends_of_source()
        began = time.monotonic()
        for process in processes:
            process.send_signal(signal.SIGCONT)
        changelog.wait_for_positions(ends)
        return time.monotonic() - began
    finally:
        for process in processes:
            process.terminate()
            process.wait(SECONDS_MAX)
        changelog.close()


def start_worker(log: Log, prefix: str, instance: str) -> "subprocess.Popen[str]":
    """Start an inventory worker as on a machine of its own."""
    environment = {
        **os.environ,
        "BOPIS_DATA_DIR": str(log.data_dir),
        "BOPIS_BROKER": f"kafka://{log.bootstrap}",
        "BOPIS_TOPIC_PREFIX": prefix,
        "BOPIS_PARTITIONS": str(PARTITIONS),
        "BOPIS_INSTANCE": instance,
    }
    command = [sys.executable, "-m", "streams", "worker", "inventory", "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


class ChangelogProgress:
    """Reads the changelog: owner and position of each partition."""

    def __init__(self, log: Log, prefix: str) -> None:
        self._sources = [TopicPartition(f"{prefix}stock", number) for number in range(PARTITIONS)]
        self._topic = f"{prefix}{LEVELS_TOPIC}"
        self._consumer = KafkaConsumer(bootstrap_servers=log.bootstrap, group_id=None, auto_offset_reset="earliest")
        self._owners: dict[int, str] = {}
        self._positions: dict[int, int] = {}

    def wait_for_owners(self, count: int) -> None:
        """Wait until `count` workers own all partitions, and no claim has come for SETTLED_SECONDS."""
        end, settled = time.monotonic() + SECONDS_MAX, 0.0
        while len(self._consumer.partitions_for_topic(self._topic) or ()) < PARTITIONS:
            self._wait(end, "the workers created no changelog")
        self._consumer.assign([TopicPartition(self._topic, number) for number in range(PARTITIONS)])
        while time.monotonic() < settled + SETTLED_SECONDS or len(self._owners) < PARTITIONS:
            before = dict(self._owners)
            self._poll()
            if before != self._owners or len(set(self._owners.values())) != count:
                settled = time.monotonic()
            self._wait(end, f"the partitions were not shared by {count} workers")

    def seek_to_end(self) -> None:
        """Skip the records that are in the changelog now."""
        partitions = [TopicPartition(self._topic, number) for number in range(PARTITIONS)]
        self._consumer.assign(partitions)
        for tp, offset in self._consumer.end_offsets(partitions).items():
            self._consumer.seek(tp, offset)

    def ends_of_source(self) -> dict[int, int]:
        """The last offset of each partition of the source."""
        return {tp.partition: offset - 1 for tp, offset in self._consumer.end_offsets(self._sources).items()}

    def wait_for_positions(self, ends: dict[int, int]) -> None:
        """Wait until the records up to these offsets are decided and committed."""
        end = time.monotonic() + SECONDS_MAX
        while any(self._positions.get(number, -1) < offset for number, offset in ends.items()):
            self._poll()
            self._wait(end, "the backlog was not processed")

    def close(self) -> None:
        self._consumer.close()

    def _poll(self) -> None:
        for tp, records in self._consumer.poll(POLL_MS).items():
            for record in records:
                if record.key == CLAIM_KEY:
                    self._owners[tp.partition] = msgspec.json.decode(record.value, type=Claim).instance
                elif record.key == POSITION_KEY:
                    self._positions[tp.partition] = decode_position(record.value).position

    def _wait(self, end: float, why: str) -> None:
        if time.monotonic() > end:
            raise RuntimeError(f"{why} within {SECONDS_MAX} s")
        time.sleep(POLL_MS / 1000)


def on_rows(log: Log, rows: int) -> dict[str, Any]:
    """CPU per line over a table with `rows` rows, and the cost of the table at a restart."""
    topic = f"{PREFIX}stock"
    log.create(topic, PARTITIONS)
    empty_mb = restart(log)["rss_mb"]
    count = log.fill(topic, one_sale_of_each(rows))
    process_all(log, count)
    restarted = restart(log)
    return {
        "cpu_us_per_line": round(seconds_on_rows(log, rows) * 1e6 / (BASKETS_ON_ROWS * LINES_PER_BASKET), 2),
        "restart_seconds": round(restarted["seconds"], 2),
        "rss_mb": round(restarted["rss_mb"]),
        "bytes_per_row": round((restarted["rss_mb"] - empty_mb) * 2**20 / restarted["rows"]),
    }


def process_all(log: Log, count: int) -> None:
    """Run a worker until it has decided `count` messages."""
    command = [sys.executable, "-m", "benchmarks.stream_worker", "ours", log.bootstrap, PREFIX, str(count), "0"]
    environment = {**os.environ, "BOPIS_BENCH_DATA": str(log.data_dir)}
    subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS_MAX, check=True)


def seconds_on_rows(log: Log, rows: int) -> float:
    """CPU seconds of a worker for the baskets of `evenly`, which are published after it has recovered all rows."""
    process = start_worker(log, PREFIX, "worker")
    changelog = ChangelogProgress(log, PREFIX)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        changelog.seek_to_end()
        before = psutil.Process(process.pid).cpu_times()
        log.fill(f"{PREFIX}stock", evenly(rows))
        changelog.wait_for_positions(changelog.ends_of_source())
        after = psutil.Process(process.pid).cpu_times()
        return float(after.user + after.system - before.user - before.system)
    finally:
        process.terminate()
        process.wait(SECONDS_MAX)
        changelog.close()


def evenly(rows: int) -> Iterator[tuple[bytes, bytes]]:
    """Ten-line baskets whose lines are on random rows of `one_sale_of_each`, each row equally often."""
    chance = random.Random(rows)
    now = datetime.now(UTC)
    skus = rows // STORES
    for number in range(BASKETS_ON_ROWS):
        store = f"{300 + number % STORES}"
        till = f"till/{store}/evenly"
        sequence = number // STORES + 1
        lines = tuple(SaleLine(f"{chance.randrange(skus):010d}", 1) for _ in range(LINES_PER_BASKET))
        sale = Message(
            id=f"{till}/{sequence}",
            source=till,
            seq=sequence,
            time=now,
            subject=store,
            data=PosSale(basket=f"e{number}", lines=lines),
        )
        yield store.encode(), STOCK.encode_trusted(sale)


if __name__ == "__main__":
    main()
