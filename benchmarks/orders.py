"""Placed -> promised: latency from sending an order of three lines until an external reader sees its promise.

The tills of two hundred stores sell baskets of five lines at the same time. The processors ``orders``, ``routing`` and
``inventory`` run as under `bopis worker`, each in a process of its own; ``--processors`` names others. One run over one
log measures:

* ``tills_cpu_ms_per_s``: tills without orders, to subtract their processor time from that of the rates;
* each rate: percentiles; ``backlog_half_way`` and ``backlog_at_end`` count orders without a promise at half the time
  and when the last one is placed, so they show whether the rate is sustained; ``cpu_ms_per_order`` is the processor
  time of each process without the share of the tills; ``hops_ms`` is the time of each step, by the log's append times;
* ``full_house``: a constant number of orders in progress; ``orders_per_s`` is the sustained rate;
* ``buyers``: many buyers for a few units in three stores, counted from the whole log at the end.
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
from benchmarks.orders_cpu import ProcessTimes
from benchmarks.orders_hops import Hops
from benchmarks.orders_reading import count_promises
from benchmarks.orders_traffic import IN_FLIGHT, Traffic
from benchmarks.orders_world import CAPACITY_MINUTES, LINES_PER_ORDER, SKUS, STORES, World

RATES = (50, 200, 500)
TILL_LINES = 2_000
SECONDS = 20.0
PROCESSORS = ("inventory", "orders", "routing")
BUYERS, SCARCE_UNITS, SCARCE_STORES = 10_000, 100, 3
WARM_UP_ORDERS = 200
# The reader thread must not wait for the sender thread longer than the latencies that are measured.
THREAD_SWITCH_SECONDS = 0.0005
BACKLOGS = ("backlog_half_way", "backlog_at_end")


def main() -> None:
    """Measure every kind of traffic over one log and one set of workers per run; report medians over the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs of everything; medians are printed")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES, help="orders a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each kind of traffic")
    parser.add_argument("--tills", type=float, default=TILL_LINES, help="lines a second that tills sell meanwhile")
    parser.add_argument("--buyers", type=int, default=BUYERS, help="buyers of scarce units; 0 for none")
    parser.add_argument("--units", type=int, default=SCARCE_UNITS, help="scarce units, over three stores")
    parser.add_argument("--stores", type=int, default=STORES, help="stores")
    parser.add_argument("--processors", nargs="+", default=PROCESSORS, help="names of the processors to run")
    add_engine_option(parser)
    options = parser.parse_args()
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    report(document(options), options.json)


def document(options: argparse.Namespace) -> dict[str, Any]:
    """The results and the options of the benchmark."""
    runs = []
    for number in range(options.runs):
        with running_log(options.engine) as log:
            runs.append(measure(log, f"orders-{number}.", options))
    return {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "kafka-python", "msgspec"),
        "engine": options.engine,
        "runs": options.runs,
        "processors": list(options.processors),
        "stores": options.stores,
        "skus_per_store": SKUS,
        "lines_per_order": LINES_PER_ORDER,
        "till_lines_per_s": options.tills,
        "capacity_minutes_per_store_hour": CAPACITY_MINUTES,
        "orders_in_flight_in_full_house": IN_FLIGHT,
        "load_1min": round(os.getloadavg()[0], 1),
        **{name: _middle([run[name] for run in runs]) for name in runs[0]},
    }


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of measured figures, sums of counts."""
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


def measure(log: Log, prefix: str, options: argparse.Namespace) -> dict[str, Any]:
    """One run, with topics and workers of its own."""
    environment = {
        **os.environ,
        "BOPIS_DATA_DIR": str(log.data_dir),
        "BOPIS_BROKER": f"kafka://{log.bootstrap}",
        "BOPIS_TOPIC_PREFIX": prefix,
    }
    # A supervisor runs several processors, as in production; a single one would run without a supervisor.
    command = [sys.executable, "-m", "streams", "worker", *options.processors, "--json"]
    with (Path(log.data_dir) / "workers.log").open("w+") as log_file:
        workers = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log_file, text=True)
        try:
            assert workers.stdout is not None
            if '"ready"' not in workers.stdout.readline():
                log_file.seek(0)
                raise RuntimeError(f"the workers did not become ready:\n{log_file.read()[-2000:]}")
            return _run(log, prefix, ProcessTimes(Path(log.data_dir), workers.pid), options)
        finally:
            workers.terminate()
            workers.wait(PATIENCE_SECONDS)


def _run(log: Log, prefix: str, times: ProcessTimes, options: argparse.Namespace) -> dict[str, Any]:
    world = World(options.stores)
    for topic, records in world.opening().items():
        log.fill(f"{prefix}{topic}", records)
    traffic = Traffic(log.bootstrap, prefix, world, options.tills)
    found: dict[str, Any] = {}
    placed: dict[str, list[str]] = {}
    try:
        traffic.warm_up(WARM_UP_ORDERS)
        alone = times.measure(partial(traffic.at_rate, 0, options.seconds))
        found["tills_cpu_ms_per_s"] = alone.per_second_ms()
        for rate in options.rates:
            traffic_cost = times.measure(partial(traffic.at_rate, rate, options.seconds))
            found[f"{rate:g}"] = {**traffic_cost.result, "cpu_ms_per_order": traffic_cost.per_order_ms(alone)}
            placed[f"{rate:g}"] = traffic.placed
        traffic_cost = times.measure(partial(traffic.full_house, options.seconds))
        found["full_house"] = {**traffic_cost.result, "cpu_ms_per_order": traffic_cost.per_order_ms(alone)}
        if options.buyers:
            found["buyers"] = _rush(log, prefix, traffic, world, options)
    finally:
        traffic.close()
    hops = Hops(log.bootstrap, prefix)
    for rate, orders in placed.items():
        found[rate]["hops_ms"] = hops.waits_ms(orders)
    return found


def _rush(log: Log, prefix: str, traffic: Traffic, world: World, options: argparse.Namespace) -> dict[str, Any]:
    stores, deliveries = world.scarce(options.units, SCARCE_STORES)
    orders = world.buyers(options.buyers, stores)
    rush = traffic.rush(deliveries, orders)
    counted = count_promises(log.bootstrap, prefix, {number for number, _ in orders})
    return {"buyers": options.buyers, "units": options.units, **rush, **counted}


if __name__ == "__main__":
    main()
