"""The store agent: `python -m benchmarks.agent [--json]`.

An agent in a process of its own and an embedded log in another one, on this machine's disk. A till's acknowledgement
includes the fsync of the journal; the catch-up begins with the log's start, after baskets of a day without it. Idle CPU
is measured with a drop folder and a growing file that are polled as often as by default.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaAdminClient

from benchmarks.measure import machine_line, report, versions
from bopis.adapters.agent_process import AgentOptions, Folder, GrowingFile, KafkaOptions, Sources, encoded
from bopis.adapters.security import Security
from bopis.journal.journal import Journal
from bopis.journal.limits import JournalLimits
from bopis.wire.ingest import PATH

STORE = "319"
SINGLES = 1_000
TILLS = 4
PER_TILL = 500
BACKLOG = 10_000
AT_ONCE = 500
IDLE_SECONDS = 20.0
CATCH_UP_SECONDS_MAX = 600.0
TOPIC = "bopis.stock"
PARTITIONS = 4
MEBIBYTE = 1 << 20


class EmbeddedLog:
    """An embedded log in a process of its own, with the topic of stock messages."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "bopis.broker", str(self._directory), "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        port = json.loads(self._process.stdout.readline())["port"]
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
        if TOPIC not in admin.list_topics():
            admin.create_topics({TOPIC: {"num_partitions": PARTITIONS, "replication_factor": 1}})
        admin.close()

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


class Till:
    """One till with a connection that it keeps."""

    def __init__(self, port: int, name: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._name = name
        self._number = 0

    def sell(self, count: int = 1) -> float:
        """Send baskets in one request; returns the milliseconds until all were acknowledged."""
        messages = [self._basket() for _ in range(count)]
        body = json.dumps(messages)
        started = time.perf_counter()
        self._connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        accepted = json.loads(answer.read())["accepted"]
        took = (time.perf_counter() - started) * 1e3
        assert accepted == count
        return took

    def _basket(self) -> dict[str, Any]:
        self._number += 1
        lines = [{"sku": f"{4011 + it}", "quantity": 1, "amount_cents": 199} for it in range(5)]
        return {
            "specversion": "1.0",
            "type": "bopis.pos.sale.v1",
            "source": self._name,
            "id": f"{self._name}/{self._number}",
            "time": "2026-11-22T09:30:00-06:00",
            "subject": STORE,
            "data": {"basket": f"{self._name}-{self._number}", "lines": lines},
        }


@contextmanager
def running_agent(home: Path, log: Path) -> Iterator[tuple[int, psutil.Process]]:
    """Start an agent; yields its port and its process."""
    (home / "drop").mkdir()
    sources = Sources(
        folder=(Folder(name="drop", path=home / "drop"),), file=(GrowingFile(name="file", path=home / "till.ndjson"),)
    )
    kafka = KafkaOptions(bootstrap="", embedded_in=log, prefix="bopis.", security=Security())
    options = AgentOptions(
        store=STORE,
        directory=home / "agent",
        version="benchmark",
        port=0,
        limits=JournalLimits(),
        sources=sources,
        kafka=kafka,
        timeout_seconds=15.0,
    )
    file = home / "options.json"
    file.write_bytes(encoded(options))
    command = [sys.executable, "-m", "store_agent", "--options", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["port"], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def acknowledgement(port: int) -> dict[str, float]:
    """Milliseconds until one basket was acknowledged, one after the other."""
    till = Till(port, "single")
    took = sorted(till.sell() for _ in range(SINGLES))
    return {"p50_ms": statistics.median(took), "p99_ms": took[int(len(took) * 0.99)]}


def rate(port: int) -> float:
    """Baskets per second of several tills at once, one basket a request."""

    def sell(name: str) -> None:
        till = Till(port, name)
        for _ in range(PER_TILL):
            till.sell()

    threads = [threading.Thread(target=sell, args=(f"till-{it}",)) for it in range(TILLS)]
    started = time.perf_counter()
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    return TILLS * PER_TILL / (time.perf_counter() - started)


def wait_sent(directory: Path) -> float:
    """Seconds until everything in the journal is acknowledged."""
    started = time.perf_counter()
    with Journal(directory) as journal:
        while journal.usage().depth:
            assert time.perf_counter() - started < CATCH_UP_SECONDS_MAX, "it did not catch up"
            time.sleep(0.05)
    return time.perf_counter() - started


def measured(home: Path) -> dict[str, Any]:
    """All figures of one run."""
    log = EmbeddedLog(home / "log")
    log.start()
    try:
        with running_agent(home, home / "log") as (port, process):
            wait_sent(home / "agent")
            time.sleep(1.0)
            before = process.cpu_times()
            time.sleep(IDLE_SECONDS)
            after = process.cpu_times()
            idle = {
                "resident_mebibytes": process.memory_info().rss / MEBIBYTE,
                "cpu_percent": 100 * (after.user + after.system - before.user - before.system) / IDLE_SECONDS,
            }
            single = acknowledgement(port)
            per_second = rate(port)
            wait_sent(home / "agent")
            log.stop()
            till = Till(port, "offline")
            for _ in range(BACKLOG // AT_ONCE):
                till.sell(AT_ONCE)
            started = time.perf_counter()
            log.start()
            wait_sent(home / "agent")
            seconds = time.perf_counter() - started
            resident = process.memory_info().rss / MEBIBYTE
    finally:
        log.stop()
    return {
        "idle": idle,
        "acknowledgement": single,
        "baskets_per_second": per_second,
        "catch_up": {"baskets": BACKLOG, "seconds": seconds, "with_start_of_the_log": True},
        "resident_mebibytes_after_load": resident,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bopis-agent-") as home:
        figures = measured(Path(home))
    document = {"machine": machine_line(), "versions": versions("kafka-python", "msgspec"), **figures}
    report(document, given.json)


if __name__ == "__main__":
    main()
