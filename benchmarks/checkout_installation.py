"""An installation with payments for the benchmark of the checkout: the log, the workers and the fake gateway, each
processor in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil

from benchmarks.embedded import Log
from benchmarks.latency import PATIENCE_SECONDS
from benchmarks.orders_cpu import supervised

PROCESSORS = ("inventory", "orders", "routing", "payments", "payment-runner")
GATEWAY, LOG, LOAD = "gateway", "log", "benchmark_itself"
LATENCY_SIGMA = 0.6


class FakeGatewayProcess(NamedTuple):
    """A running fake gateway."""

    url: str
    process: subprocess.Popen[str]

    def set(self, **options: Any) -> None:
        """Change its options."""
        httpx.post(f"{self.url}/control", json=options, timeout=PATIENCE_SECONDS).raise_for_status()

    def authorisations(self) -> int:
        """How many authorisations it was asked for and has in its book."""
        answer = httpx.get(f"{self.url}/ledger", timeout=PATIENCE_SECONDS)
        return int(answer.json()["authorisations"])


class Installation(NamedTuple):
    """A running installation: where its log is, its prefix of topics, its gateway, and its processes by name."""

    log: Log
    prefix: str
    gateway: FakeGatewayProcess
    processes: dict[str, psutil.Process]

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds of each process since its start."""
        times = {name: it.cpu_times() for name, it in self.processes.items()}
        return {name: it.user + it.system for name, it in times.items()}


@contextmanager
def running_gateway() -> Iterator[FakeGatewayProcess]:
    """A fake gateway in a process of its own."""
    command = [sys.executable, "-m", "cli", "gateway", "fake", "--sigma", str(LATENCY_SIGMA), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield FakeGatewayProcess(json.loads(process.stdout.readline())["url"], process)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@contextmanager
def installation(
    log: Log, prefix: str, gateway: FakeGatewayProcess, processors: Sequence[str], payment_rate: int = 0
) -> Iterator[Installation]:
    """Workers over this log, with topics of their own; ``payment_rate`` is the runner's limit (0: none)."""
    environment = {
        **os.environ,
        "BOPIS_DATA_DIR": str(log.data_dir),
        "BOPIS_BROKER": f"kafka://{log.bootstrap}",
        "BOPIS_TOPIC_PREFIX": prefix,
        "BOPIS_PAYMENT_GATEWAY": "fake",
        "BOPIS_PAYMENT_GATEWAY_URL": gateway.url,
        "BOPIS_PAYMENT_RATE": str(payment_rate),
        # A line per call is for people; the benchmark reads the log itself.
        "BOPIS_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "streams", "worker", *processors, "--json"]
    with (Path(log.data_dir) / f"{prefix}workers.log").open("w+") as log_file:
        workers = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log_file, text=True)
        try:
            assert workers.stdout is not None
            if '"ready"' not in workers.stdout.readline():
                log_file.seek(0)
                raise RuntimeError(f"the workers did not become ready:\n{log_file.read()[-2000:]}")
            yield Installation(log, prefix, gateway, _processes(Path(log.data_dir), workers.pid, gateway.process.pid))
        finally:
            workers.terminate()
            workers.wait(PATIENCE_SECONDS)


def _processes(data_dir: Path, supervisor: int, gateway: int) -> dict[str, psutil.Process]:
    own = psutil.Process(os.getpid())
    found = supervised(data_dir)
    others = [it for it in own.children() if it.pid not in (supervisor, gateway)]
    found[LOG] = next(it for it in others if "bopis.broker" in it.cmdline())
    return {**found, GATEWAY: psutil.Process(gateway), LOAD: own}
