"""Processor time of each process during a measurement."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bopis.adapters.supervision import STATE_FILE, read_status

LOG, LOAD = "log", "benchmark_itself"


class TrafficCost(NamedTuple):
    """A result of `Traffic`, and the processor seconds of each process for it."""

    result: dict[str, Any]
    cpu_s: dict[str, float]

    def per_second_ms(self) -> dict[str, float]:
        """Milliseconds of processor time per second of wall clock."""
        return {name: it * 1000 / self.result["seconds"] for name, it in self.cpu_s.items()}

    def per_order_ms(self, alone: "TrafficCost") -> dict[str, float]:
        """Milliseconds of processor time per order, without the time of the same baskets alone."""
        share = self.result["seconds"] / alone.result["seconds"]
        return {
            name: (it - alone.cpu_s[name] * share) * 1000 / self.result["orders"] for name, it in self.cpu_s.items()
        }


class ProcessTimes:
    """Processor times of one run: the children of a supervisor, the log, and the benchmark itself."""

    def __init__(self, data_dir: Path, supervisor: int) -> None:
        own = psutil.Process(os.getpid())
        self._processes = supervised(data_dir)
        self._processes[LOG] = next(it for it in own.children() if it.pid != supervisor)
        self._processes[LOAD] = own

    def measure(self, traffic: Callable[[], dict[str, Any]]) -> TrafficCost:
        """Send the traffic; returns its result with the processor time of each process."""
        before = self._seconds()
        result = traffic()
        return TrafficCost(result, {name: it - before[name] for name, it in self._seconds().items()})

    def _seconds(self) -> dict[str, float]:
        times = {name: it.cpu_times() for name, it in self._processes.items()}
        return {name: it.user + it.system for name, it in times.items()}


def supervised(data_dir: Path) -> dict[str, psutil.Process]:
    """The processes that a supervisor on this data directory keeps running, by the names of the processors."""
    children = read_status(data_dir / STATE_FILE).children
    return {it.name: psutil.Process(it.pid) for it in children if it.pid is not None}
