"""The customer's wait at the checkout: as shops do it, and with payments in the background.

Three arms in one run over one installation, customers of all arms in turn. ``synchronous`` holds the goods (an order
that is paid in the store, so the hold costs the same), authorises at the fake gateway and notifies, all inside the
request. ``ours`` ends the wait with the reply of the orders processor; the payment is authorised in the background, the
firm promise follows. The arms ``_declined`` have a first method that is declined and a second that works. Times of
people are not counted: who has to act again does it at once. Provider times are lognormal with a sigma of 0.6.

* ``provider_<s>``: per arm, percentiles of the wait and of the time to a firm promise, and customers who acted again;
  ``wait_cut_percent`` and ``promise_later_ms`` compare medians of ours with the synchronous arm;
* ``act_again``: counts with a card in ten challenged, after a decline, with one and with two other cards;
* ``load``: checkouts at a constant rate with a provider of 1 s. ``open_calls`` are requests for calls without an
  answer, under way ones included (without a queue about 1.2 times the rate); ``lag`` are uncommitted records of
  payment-calls; ``grows`` tells whether they became more from the second to the last third. With a gateway limited to
  ``limit_per_s``, ``drain_formula_s`` is backlog / (limit - arrivals), and arrivals are none then.
"""

import argparse
import os
import signal
import sys
from typing import Any

from benchmarks.checkout_customers import ALL_ARMS, DECLINED, Arm, Cards, Counter, customers, figures
from benchmarks.checkout_installation import PROCESSORS, FakeGatewayProcess, installation, running_gateway
from benchmarks.checkout_load import Load
from benchmarks.embedded import Log, embedded_log
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.orders_world import LINES_PER_ORDER, SKUS, World

MEDIANS_S = (0.3, 1.0, 2.0)
CUSTOMERS = 200
CUSTOMERS_QUICK = 40
ARRIVALS_PER_S = 20.0
RATE = 200.0
SECONDS, SECONDS_QUICK = 60.0, 15.0
SECONDS_OF_SEARCH = 20.0
SEARCH_STEPS = 3
RATE_STEP = 10.0
LIMIT_PER_S = 100
# The runner keeps the limit; the gateway refuses only what is well beyond it. A bucket of just this rate would refuse
# every jitter, and each refusal asks for a pause of a second.
REFUSED_ABOVE = 1.5
LOAD_MEDIAN_S = 1.0
STORES = 50
GOAL_PERCENT, DOCUMENT_PERCENT = 95, 75
THREAD_SWITCH_SECONDS = 0.0005


def main() -> None:
    """Measure the arms and the load in each run; report medians over the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=1, help="runs of everything; medians are printed")
    parser.add_argument("--quick", action="store_true", help="fewer customers, 15 s of load")
    parser.add_argument("--medians", type=float, nargs="*", default=MEDIANS_S, help="median seconds of the provider")
    parser.add_argument("--customers", type=int, help="customers of each arm")
    parser.add_argument("--rate", type=float, default=RATE, help="checkouts a second of the load; 0 for none")
    parser.add_argument("--seconds", type=float, help="length of the load")
    parser.add_argument("--limit", type=int, default=LIMIT_PER_S, help="calls a second of the limited gateway")
    parser.add_argument("--processors", nargs="+", default=PROCESSORS, help="names of the processors to run")
    parser.add_argument("--no-search", action="store_true", help="look for no lower rate when the queue grows")
    options = parser.parse_args()
    options.customers = options.customers or (CUSTOMERS_QUICK if options.quick else CUSTOMERS)
    options.seconds = options.seconds or (SECONDS_QUICK if options.quick else SECONDS)
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    # Whoever is stopped stops its processes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report(document(options), options.json)


def document(options: argparse.Namespace) -> dict[str, Any]:
    """The results and the options of the benchmark."""
    load_before = os.getloadavg()[0]
    runs = []
    for _ in range(options.runs):
        with embedded_log() as log, running_gateway() as gateway:
            runs.append(measure(log, gateway, options))
    return {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "httpx", "uvicorn", "msgspec"),
        "runs": options.runs,
        "processors": list(options.processors),
        "stores": STORES,
        "skus_per_store": SKUS,
        "lines_per_order": LINES_PER_ORDER,
        "customers_per_arm": options.customers,
        "goal_wait_cut_percent": GOAL_PERCENT,
        "document_wait_cut_percent": DOCUMENT_PERCENT,
        "load_1min_before": round(load_before, 1),
        "load_1min_after": round(os.getloadavg()[0], 1),
        **_middle(runs),
    }


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the runs; facts and lists as in the first run."""
    middle: dict[str, Any] = {}
    for name, first in runs[0].items():
        values = [run[name] for run in runs if name in run]
        if isinstance(first, dict):
            middle[name] = _middle(values)
        elif isinstance(first, int | float) and not isinstance(first, bool):
            middle[name] = round(median(it for it in values if it is not None), 2)
        else:
            middle[name] = first
    return middle


def measure(log: Log, gateway: FakeGatewayProcess, options: argparse.Namespace) -> dict[str, Any]:
    """One run: the arms and the load on one installation, the limited gateway on another."""
    found: dict[str, Any] = {}
    world = World(STORES)
    opening = world.opening()
    with installation(log, "checkout.", gateway, options.processors) as installed:
        for topic, records in opening.items():
            log.fill(f"{installed.prefix}{topic}", records)
        load = Load(installed, world)
        try:
            load.warm_up()
            _progress("warm")
            found |= _arms(Counter(installed), world, gateway, options)
            if options.rate:
                gateway.set(latency_ms=LOAD_MEDIAN_S * 1000)
                found["load"] = load.at_rate(options.rate, options.seconds)
                _progress("load", found["load"])
                if found["load"].get("grows") and not options.no_search:
                    found["search"] = _search(load, options.rate, min(options.seconds, SECONDS_OF_SEARCH))
        finally:
            load.close()
    if options.rate and options.limit:
        gateway.set(latency_ms=0.0)
        with installation(log, "limited.", gateway, options.processors, options.limit) as installed:
            for topic, records in opening.items():
                log.fill(f"{installed.prefix}{topic}", records)
            # The same world goes on: the gateway knows the numbers, and so the keys, of its earlier orders.
            found["load_limited"] = _limited(Load(installed, world), gateway, found, options)
    return found


def _arms(counter: Counter, world: World, gateway: FakeGatewayProcess, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        for seconds in options.medians:
            gateway.set(latency_ms=seconds * 1000)
            visits = counter.serve(customers(world, ALL_ARMS, options.customers, Cards()), ARRIVALS_PER_S)
            arms: dict[str, Any] = {arm.value: figures(visits, arm) for arm in ALL_ARMS}
            found[f"provider_{seconds:g}"] = arms | {
                "compared": _compared(arms, Arm.SYNCHRONOUS, Arm.OURS),
                "compared_declined": _compared(arms, Arm.SYNCHRONOUS_DECLINED, Arm.OURS_DECLINED),
            }
            _progress(f"provider {seconds:g} s", found[f"provider_{seconds:g}"])
        gateway.set(latency_ms=min(options.medians, default=0.0) * 1000)
        found["act_again"] = {}
        for others in (1, 2):
            cards = Cards(challenged=True, others=others)
            visits = counter.serve(customers(world, DECLINED, options.customers, cards), ARRIVALS_PER_S)
            found["act_again"][f"challenges_{others}_other_cards"] = {
                arm.value: {name: figures(visits, arm)[name] for name in ("customers", "act_again", "acts", "promised")}
                for arm in DECLINED
            }
    finally:
        counter.close()
    return found


def _compared(arms: dict[str, Any], theirs: Arm, ours: Arm) -> dict[str, Any]:
    before, after = arms[theirs], arms[ours]
    found = {}
    for share in ("p50", "p99"):
        wait, promise = f"wait_{share}_ms", f"promise_{share}_ms"
        found[f"wait_cut_percent_{share}"] = (1 - after[wait] / before[wait]) * 100
        if after[promise] is not None and before[promise] is not None:
            found[f"promise_later_ms_{share}"] = after[promise] - before[promise]
    return found


def _search(load: Load, rate: float, seconds: float) -> dict[str, Any]:
    """The highest rate without a growing queue, by halving the range a few times."""
    low, high, tried = 0.0, rate, {}
    for _ in range(SEARCH_STEPS):
        middle = max(1, round((low + high) / 2 / RATE_STEP)) * RATE_STEP
        found = load.at_rate(middle, seconds)
        tried[f"{middle:g}"] = found
        _progress(f"load at {middle:g}/s", found)
        low, high = (low, middle) if found.get("grows", True) else (middle, high)
    return {"highest_rate": low, "tried": tried}


def _progress(part: str, found: object = "") -> None:
    """A run takes minutes: whoever watches it sees each part."""
    print(f"{part} {found}", file=sys.stderr, flush=True)


def _limited(
    load: Load, gateway: FakeGatewayProcess, found: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """The same load before a gateway that takes fewer calls: the queue grows, and drains after the last arrival."""
    rate = found["search"]["highest_rate"] if "search" in found else options.rate
    rate = max(rate, options.limit * 1.2)
    try:
        load.warm_up()
        gateway.set(latency_ms=LOAD_MEDIAN_S * 1000, rate=options.limit * REFUSED_ABOVE)
        result = load.at_rate(rate, options.seconds)
        _progress("limited", result)
    finally:
        load.close()
    result |= {"rate": rate, "limit_per_s": options.limit}
    return result | {"drain_formula_s": result.get("open_calls_at_end", 0) / options.limit}


if __name__ == "__main__":
    main()
