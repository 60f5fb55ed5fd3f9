"""Promises of stores that are cut off, by kind of protection: how many were kept, and how much stock was withheld.

Real till lines are sold, a share of the baskets is ordered for pickup, and stores are cut off at random. The same is
played for each kind of protection: none, a fixed safety stock of 1 and of 2, and ours (staleness by the selling rate
of each SKU at that hour, and no promise from books that were wrong lately). It is played with outages alone, and with
units that disappear unrecorded as well.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import machine_line, report
from benchmarks.promise.run import Figures, Run
from benchmarks.promise.shops import Protection
from benchmarks.promise.traffic import Plan, Traffic, traffic

TILL_LINES = Path(__file__).parents[2] / "../shared/data/complete_journey_pos.csv.gz"
LOST_PERMILLE = 10  # baskets' SKUs of which a unit disappears
TRUST_PERMILLE_MIN = 600  # no promise until three days after a count that followed a short pick
PROTECTIONS = (
    Protection("none"),
    Protection("safety_stock_1", safety_stock=1),
    Protection("safety_stock_2", safety_stock=2),
    Protection("ours", staleness_percent=100, trust_permille_min=TRUST_PERMILLE_MIN),
)


def main() -> int:
    """Play every kind of protection over the same traffic, and report shares in percent."""
    defaults = Plan()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--sales", type=Path, default=TILL_LINES, help="gzipped CSV of till lines")
    parser.add_argument("--stores", type=int, default=defaults.stores, help="stores into which the lines are put")
    parser.add_argument("--weeks", type=int, default=defaults.weeks, help="weeks over which the lines are laid")
    parser.add_argument("--outages", type=float, default=defaults.outages_per_day, help="outages a day and store")
    parser.add_argument("--hours", type=float, default=defaults.outage_hours_max, help="longest outage")
    parser.add_argument("--staleness", type=int, nargs="*", default=[], help="more percentages of staleness")
    parser.add_argument("--runs", type=int, default=5, help="runs with successive seeds, taken together")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="seed of the first run")
    options = parser.parse_args()
    if not options.sales.is_file():
        print(f"no till lines at {options.sales}; name a file with --sales", file=sys.stderr)
        return 1
    plan = defaults._replace(
        stores=options.stores,
        weeks=options.weeks,
        outages_per_day=options.outages,
        outage_hours_max=options.hours,
        seed=options.seed,
    )
    more = tuple(
        Protection(f"ours_{it}_percent", staleness_percent=it, trust_permille_min=TRUST_PERMILLE_MIN)
        for it in options.staleness
    )
    document: dict[str, Any] = {"machine": machine_line(), "runs": options.runs, "plan": plan._asdict()}
    for name, lost_permille in (("outages", 0), ("outages_and_losses", LOST_PERMILLE)):
        plans = [plan._replace(lost_permille=lost_permille, seed=plan.seed + it) for it in range(options.runs)]
        laid_out = [traffic(options.sales, it) for it in plans]
        document[name] = _sizes(laid_out[0]) | {it.name: played(laid_out, it, plan.seed) for it in PROTECTIONS + more}
    report(document, options.json)
    return 0


def played(laid_out: list[Traffic], protection: Protection, seed: int) -> dict[str, Any]:
    """Figures of one kind of protection, of all runs together."""
    always, cut_off = Figures(), Figures()
    for number, it in enumerate(laid_out):
        run = Run(it, protection, seed + number)
        run()
        always.add(run.always)
        cut_off.add(run.cut_off)
    return {"always": _shares(always), "cut_off": _shares(cut_off)}


def _sizes(laid_out: Traffic) -> dict[str, Any]:
    cut_off_ms = sum(it.end_ms - it.begin_ms for it in laid_out.outages)
    stores_ms = (laid_out.end_ms - laid_out.begin_ms) * len(laid_out.stores)
    return {
        "baskets": len(laid_out.baskets),
        "orders": sum(it.is_order for it in laid_out.baskets),
        "cells": len(laid_out.full),
        "cut_off_percent": round(100 * cut_off_ms / stores_ms, 1),
    }


def _shares(figures: Figures) -> dict[str, Any]:
    return {
        "asked": figures.asked,
        "promised": figures.promised,
        "really_there_percent": _percent(figures.there, figures.promised),
        "found_at_pick_percent": _percent(figures.found, figures.promised),
        "withheld_percent": _percent(figures.withheld, figures.sellable),
        "refused_though_there_percent": _percent(figures.refused_there, figures.asked),
    }


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 3) if whole else None


if __name__ == "__main__":
    sys.exit(main())
