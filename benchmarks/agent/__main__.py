"""The store agent: `python -m benchmarks.agent [--json]`.

An agent in a process of its own and an embedded log in another one, on this machine's disk. A till's acknowledgement
includes the fsync of the journal; the catch-up begins with the log's start, after baskets of a day without it. Idle CPU
is measured with a drop folder and a growing file that are polled as often as by default. `--centre` also measures the
catch-up over HTTP, to a whole installation (`bopis up`).
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from kafka import KafkaAdminClient

from benchmarks.measure import machine_line, report, versions
from bopis.access.keys import new_key
from bopis.access.roles import Role
from bopis.adapters.agent_process import AgentOptions, Folder, GrowingFile, HttpsOptions, KafkaOptions, Sources, encoded
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import keys_url
from bopis.adapters.security import Security
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.journal.entries import Basket
from bopis.journal.journal import Journal
from bopis.journal.limits import JournalLimits
from bopis.settings import load
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


class RunningAgent(NamedTuple):
    """An agent's process, and the port for its tills."""

    port: int
    process: psutil.Process


@contextmanager
def running_agent(home: Path, centre: KafkaOptions | HttpsOptions) -> Iterator[RunningAgent]:
    """Start an agent."""
    (home / "drop").mkdir(parents=True)
    sources = Sources(
        folder=(Folder(name="drop", path=home / "drop"),), file=(GrowingFile(name="file", path=home / "till.ndjson"),)
    )
    options = AgentOptions(
        store=STORE,
        directory=home / "agent",
        version="benchmark",
        port=0,
        limits=JournalLimits(),
        sources=sources,
        kafka=centre if isinstance(centre, KafkaOptions) else None,
        https=centre if isinstance(centre, HttpsOptions) else None,
        timeout_seconds=15.0,
    )
    file = home / "options.json"
    file.write_bytes(encoded(options))
    command = [sys.executable, "-m", "store_agent", "--options", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        yield RunningAgent(json.loads(process.stdout.readline())["port"], psutil.Process(process.pid))
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
    kafka = KafkaOptions(bootstrap="", embedded_in=home / "log", prefix="bopis.", security=Security())
    try:
        with running_agent(home, kafka) as (port, process):
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


@contextmanager
def running_centre(home: Path) -> Iterator[HttpsOptions]:
    """A whole installation, and the key of a store for it."""
    settings = {"BOPIS_DATA_DIR": str(home), "BOPIS_BROKER_PORT": "0", "BOPIS_WEB_PORT": "0"}
    command = [sys.executable, "-m", "cli", "up", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **settings}
    )
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["web"]
        key, record = new_key("benchmark", Role.TILL, stores=(STORE,))
        access = AccessTable(keys_url(load(data_dir=home)))
        access.put_key(record)
        access.close()
        file = home / "agent.key"
        file.write_text(key)
        yield HttpsOptions(url=url, key_file=file, ca_file=None)
    finally:
        process.terminate()
        process.wait(120)
        process.stdout.close()


def catch_up_over_http(home: Path) -> dict[str, Any]:
    """Seconds from the start of an agent with a day's baskets until the centre has acknowledged all."""
    body = PosSale(basket="b", lines=tuple(SaleLine(f"{4011 + it}", 1, 199) for it in range(5)))
    now = datetime.now(UTC)
    baskets = [Basket(key=f"b-{it}", fingerprint=b"x", bodies=(body,), time=now) for it in range(BACKLOG)]
    with running_centre(home / "centre") as centre:
        with Journal(home / "shop" / "agent", STORE) as journal:
            for first in range(0, BACKLOG, AT_ONCE):
                journal.take("offline", baskets[first : first + AT_ONCE])
        started = time.perf_counter()
        with running_agent(home / "shop", centre):
            wait_sent(home / "shop" / "agent")
            return {"baskets": BACKLOG, "seconds": time.perf_counter() - started, "with_start_of_the_agent": True}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--centre", action="store_true", help="also the catch-up over HTTP, to a whole installation")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bopis-agent-") as home:
        figures = measured(Path(home) / "log-itself")
        if given.centre:
            figures["catch_up_over_http"] = catch_up_over_http(Path(home))
    machine = {"machine": machine_line(), "load_1min": round(os.getloadavg()[0], 1)}
    report({**machine, "versions": versions("kafka-python", "msgspec"), **figures}, given.json)


if __name__ == "__main__":
    main()
