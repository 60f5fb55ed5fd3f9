"""Placed -> promised: from sending an order of three lines to its promise being read from the log by an outsider.

Two hundred stores sell at their tills all the while, five lines a basket. The processors ``orders``, ``routing`` and
``inventory`` run as `bopis worker` runs them, each in its own process; ``--processors`` adds others. In one run, over
one log:

* ``tills``: tills alone, so that what they take can be told from what orders take;
* each rate: percentiles; ``backlog_half_way`` and ``backlog_at_end`` are orders without a promise while the last
  one was being placed, so a rate that is not sustained shows; ``cpu_ms_per_order`` is the processor time of each
  process without what the tills alone take; ``hops_ms`` is where the time goes, by the log's own append times;
* ``full_house``: always so many orders under way; ``orders_per_s`` is what is sustained;
* ``buyers``: so many buyers for a few units in three stores, counted from the whole log when all is over.
"""

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.embedded import Log
from benchmarks.engines import add_engine_option, running_log
from benchmarks.latency import PATIENCE_SECONDS
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.orders_cpu import Spent
from benchmarks.orders_hearing import count_promises
from benchmarks.orders_hops import Hops
from benchmarks.orders_traffic import IN_FLIGHT, Traffic
from benchmarks.orders_world import CAPACITY_MINUTES, LINES_PER_ORDER, SKUS, STORES, World

RATES = (50, 200, 500)
TILL_LINES = 2_000
SECONDS = 20.0
PROCESSORS = ("inventory", "orders", "routing")
BUYERS, SCARCE_UNITS, SCARCE_STORES = 10_000, 100, 3
WARM_UP_ORDERS = 200
# The reader must not wait for the sender longer than what is measured takes.
THREAD_SWITCH_SECONDS = 0.0005
BACKLOGS = ("backlog_half_way", "backlog_at_end")


def main() -> None:
    """One log, one set of workers and every kind of traffic per run; medians over the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs of everything; medians are printed")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES, help="orders a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each kind of traffic")
    parser.add_argument("--tills", type=float, default=TILL_LINES, help="lines a second that tills sell meanwhile")
    parser.add_argument("--buyers", type=int, default=BUYERS, help="buyers of scarce units; 0 leaves them out")
    parser.add_argument("--units", type=int, default=SCARCE_UNITS, help="scarce units, over three stores")
    parser.add_argument("--stores", type=int, default=STORES, help="stores")
    parser.add_argument("--processors", nargs="+", default=PROCESSORS, help="what runs, as bopis worker names it")
    add_engine_option(parser)
    given = parser.parse_args()
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    report(document(given), given.json)


def document(given: argparse.Namespace) -> dict[str, Any]:
    """Everything measured, and what was set."""
    runs = []
    for number in range(given.runs):
        with running_log(given.engine) as log:
            runs.append(measure(log, f"orders-{number}.", given))
    return {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "kafka-python", "msgspec"),
        "engine": given.engine,
        "runs": given.runs,
        "processors": list(given.processors),
        "stores": given.stores,
        "skus_per_store": SKUS,
        "lines_per_order": LINES_PER_ORDER,
        "till_lines_per_s": given.tills,
        "capacity_minutes_per_store_hour": CAPACITY_MINUTES,
        "orders_in_flight_in_full_house": IN_FLIGHT,
        "load_1min": round(os.getloadavg()[0], 1),
        **{name: _middle([run[name] for run in runs]) for name in runs[0]},
    }


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of what was measured, sums of what was counted."""
    middle: dict[str, Any] = {}
    for name, first in runs[0].items():
        values = [run[name] for run in runs]
        if isinstance(first, dict):
            middle[name] = _middle(values)
        elif isinstance(first, float) or name in BACKLOGS:
            middle[name] = round(median(values), 2)
        else:
            middle[name] = sum(values)
    return middle


def measure(log: Log, prefix: str, given: argparse.Namespace) -> dict[str, Any]:
    """One run, with topics and workers of its own."""
    environment = {
        **os.environ,
        "BOPIS_DATA_DIR": str(log.data_dir),
        "BOPIS_BROKER": f"kafka://{log.bootstrap}",
        "BOPIS_TOPIC_PREFIX": prefix,
    }
    # Several processors run under a supervisor, as they do in production; one alone would be its own process.
    command = [sys.executable, "-m", "streams", "worker", *given.processors, "--json"]
    with (Path(log.data_dir) / "workers.log").open("w+") as talk:
        workers = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=talk, text=True)
        try:
            assert workers.stdout is not None
            if '"ready"' not in workers.stdout.readline():
                talk.seek(0)
                raise RuntimeError(f"the workers did not become ready:\n{talk.read()[-2000:]}")
            return _run(log, prefix, Spent(workers.pid), given)
        finally:
            workers.terminate()
            workers.wait(PATIENCE_SECONDS)


def _run(log: Log, prefix: str, spent: Spent, given: argparse.Namespace) -> dict[str, Any]:
    world = World(given.stores)
    for topic, records in world.opening().items():
        log.fill(f"{prefix}{topic}", records)
    traffic = Traffic(log.bootstrap, prefix, world, given.tills)
    found: dict[str, Any] = {}
    placed: dict[str, list[str]] = {}
    try:
        traffic.warm_up(WARM_UP_ORDERS)
        alone = spent.of(partial(traffic.at_rate, 0, given.seconds))
        found["tills_cpu_ms_per_s"] = alone.per_second_ms()
        for rate in given.rates:
            told = spent.of(partial(traffic.at_rate, rate, given.seconds))
            found[f"{rate:g}"] = {**told.result, "cpu_ms_per_order": told.per_order_ms(alone)}
            placed[f"{rate:g}"] = traffic.placed
        told = spent.of(partial(traffic.full_house, given.seconds))
        found["full_house"] = {**told.result, "cpu_ms_per_order": told.per_order_ms(alone)}
        if given.buyers:
            found["buyers"] = _rush(log, prefix, traffic, world, given)
    finally:
        traffic.close()
    hops = Hops(log.bootstrap, prefix)
    for rate, orders in placed.items():
        found[rate]["hops_ms"] = hops.waits_ms(orders)
    return found


def _rush(log: Log, prefix: str, traffic: Traffic, world: World, given: argparse.Namespace) -> dict[str, Any]:
    stores, deliveries = world.scarce(given.units, SCARCE_STORES)
    orders = world.buyers(given.buyers, stores)
    told = traffic.rush(deliveries, orders)
    counted = count_promises(log.bootstrap, prefix, {number for number, _ in orders})
    return {"buyers": given.buyers, "units": given.units, **told, **counted}


if __name__ == "__main__":
    main()
