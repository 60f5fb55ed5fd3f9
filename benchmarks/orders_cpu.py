"""Processor time of each process while something is measured."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil

LOG, LOAD = "log", "benchmark_itself"


class Told(NamedTuple):
    """A result, and the processor seconds that each process took for it."""

    result: dict[str, Any]
    cpu_s: dict[str, float]

    def per_second_ms(self) -> dict[str, float]:
        """Milliseconds of processor time per second that passed."""
        return {name: it * 1000 / self.result["seconds"] for name, it in self.cpu_s.items()}

    def per_order_ms(self, alone: "Told") -> dict[str, float]:
        """Milliseconds of processor time per order, without what the same baskets took alone."""
        share = self.result["seconds"] / alone.result["seconds"]
        return {
            name: (it - alone.cpu_s[name] * share) * 1000 / self.result["orders"] for name, it in self.cpu_s.items()
        }


class Spent:
    """The processes of one run: the children of a supervisor, the log beside it, and whoever measures."""

    def __init__(self, supervisor: int) -> None:
        own = psutil.Process(os.getpid())
        self._processes = {_name(it): it for it in psutil.Process(supervisor).children()}
        self._processes[LOG] = next(it for it in own.children() if it.pid != supervisor)
        self._processes[LOAD] = own

    def of(self, measured: Callable[[], dict[str, Any]]) -> Told:
        """Run something and tell what it took."""
        before = self._seconds()
        result = measured()
        return Told(result, {name: it - before[name] for name, it in self._seconds().items()})

    def _seconds(self) -> dict[str, float]:
        times = {name: it.cpu_times() for name, it in self._processes.items()}
        return {name: it.user + it.system for name, it in times.items()}


def _name(child: psutil.Process) -> str:
    command = child.cmdline()
    return str(command[command.index("worker") + 1])
