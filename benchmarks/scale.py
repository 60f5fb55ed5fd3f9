"""How the inventory worker scales: with workers, with the number of rows, and what its rows cost at a restart.

``workers``: the same backlog of ten-line baskets worked off by one worker and by two, lines per second of wall clock
from the moment the backlog is released until the changelog covers it. ``rows``: microseconds of CPU per sale line over
tables of growing size, recovered from the log first, each line on a row chosen evenly, which is the worst case for the
processor's caches. ``restart``: seconds from the start of the process to ready, and bytes of resident memory per row.
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
from bopis.wire.stock import STOCK
from streams.changelog import CLAIM_KEY, POSITION_KEY, Claim, decode_position

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
    """Both parts; medians of the runs of the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs with one and with two workers; medians are printed")
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS, help="sizes of the table")
    add_engine_option(parser)
    given = parser.parse_args()
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "msgspec", "uvloop"),
        "engine": given.engine,
        "runs": given.runs,
    }
    with running_log(given.engine) as log:
        document["workers"] = workers(log, given.runs)
    sizes = {}
    for rows in given.rows:
        with running_log(given.engine) as log:
            sizes[str(rows)] = on_rows(log, rows)
    document["rows"] = sizes
    report(document, given.json)


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
    """Seconds from waking the workers to the last commit. They share the partitions before they are suspended; the
    backlog is filled in while they sleep, for less time than their sessions last."""
    log.create(f"{prefix}stock", PARTITIONS)
    processes = [start_worker(log, prefix, f"worker-{number}") for number in range(count)]
    changelog = Changelog(log, prefix)
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
    """An inventory worker as a machine of its own would run it."""
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


class Changelog:
    """What the changelog says by now: who owns each partition, and how far it is."""

    def __init__(self, log: Log, prefix: str) -> None:
        self._sources = [TopicPartition(f"{prefix}stock", number) for number in range(PARTITIONS)]
        self._topic = f"{prefix}inventory-levels"
        self._consumer = KafkaConsumer(bootstrap_servers=log.bootstrap, group_id=None, auto_offset_reset="earliest")
        self._owners: dict[int, str] = {}
        self._positions: dict[int, int] = {}

    def wait_for_owners(self, count: int) -> None:
        """Until every partition is claimed, by so many workers together, and none was claimed anew for a while."""
        end, settled = time.monotonic() + SECONDS_MAX, 0.0
        while len(self._consumer.partitions_for_topic(self._topic) or ()) < PARTITIONS:
            self._wait(end, "the workers made no changelog")
        self._consumer.assign([TopicPartition(self._topic, number) for number in range(PARTITIONS)])
        while time.monotonic() < settled + SETTLED_SECONDS or len(self._owners) < PARTITIONS:
            before = dict(self._owners)
            self._look()
            if before != self._owners or len(set(self._owners.values())) != count:
                settled = time.monotonic()
            self._wait(end, f"the partitions did not spread over {count} workers")

    def begin_at_end(self) -> None:
        """Leave out what stands there by now."""
        partitions = [TopicPartition(self._topic, number) for number in range(PARTITIONS)]
        self._consumer.assign(partitions)
        for tp, offset in self._consumer.end_offsets(partitions).items():
            self._consumer.seek(tp, offset)

    def ends_of_source(self) -> dict[int, int]:
        """The newest offset of each partition of the source."""
        return {tp.partition: offset - 1 for tp, offset in self._consumer.end_offsets(self._sources).items()}

    def wait_for_positions(self, ends: dict[int, int]) -> None:
        """Until everything up to these offsets is decided and committed."""
        end = time.monotonic() + SECONDS_MAX
        while any(self._positions.get(number, -1) < offset for number, offset in ends.items()):
            self._look()
            self._wait(end, "the backlog was not worked off")

    def close(self) -> None:
        self._consumer.close()

    def _look(self) -> None:
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
    """Cost of a line over a table of so many rows, and what the table costs at a restart."""
    topic = f"{PREFIX}stock"
    log.create(topic, PARTITIONS)
    empty_mb = restart(log)["rss_mb"]
    count = log.fill(topic, one_sale_of_each(rows))
    work_off(log, count)
    restarted = restart(log)
    return {
        "cpu_us_per_line": round(seconds_on_rows(log, rows) * 1e6 / (BASKETS_ON_ROWS * LINES_PER_BASKET), 2),
        "restart_seconds": round(restarted["seconds"], 2),
        "rss_mb": round(restarted["rss_mb"]),
        "bytes_per_row": round((restarted["rss_mb"] - empty_mb) * 2**20 / restarted["rows"]),
    }


def work_off(log: Log, count: int) -> None:
    """Let a worker decide so many messages, and stop it."""
    command = [sys.executable, "-m", "benchmarks.stream_worker", "ours", log.bootstrap, PREFIX, str(count), "0"]
    environment = {**os.environ, "BOPIS_BENCH_DATA": str(log.data_dir)}
    subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS_MAX, check=True)


def seconds_on_rows(log: Log, rows: int) -> float:
    """CPU seconds of a worker for the baskets of `evenly`, which are sent when it has recovered all of its rows."""
    process = start_worker(log, PREFIX, "worker")
    changelog = Changelog(log, PREFIX)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        changelog.begin_at_end()
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
    """Ten-line baskets whose lines fall on all the rows of `one_sale_of_each` alike."""
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
