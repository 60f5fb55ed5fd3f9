"""What happens to the stores, the same for every kind of protection: sales, orders, outages, losses and deliveries.

The till lines are real (store, article, quantity and time of sale). They are a sample of households, so two things make
them as dense as one store's: several stores are counted as one, and weeks are laid over each other. The hour and the
weekday of each sale stay. All else comes from a seed.
"""

import csv
import gzip
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random
from typing import NamedTuple

from bopis.domain.values import DAY_MS, HOUR_MS, epoch_ms

WEEK_MS = 7 * DAY_MS
PIECES_MAX = 100  # a SKU that was ever sold in more at once is sold by measure
DELIVERY_HOUR_UTC = 11  # before the stores open
DELIVERY_DAYS = (1, 4)  # of seven


class Plan(NamedTuple):
    """Sizes of a run: stores, weeks and how many of them only fill the rates; shares in per mille.

    A delivery fills a cell up for `filled_days` of mean sales: with 8 days, one order in twenty finds too few units, as
    shoppers do in supermarkets.
    """

    stores: int = 1
    weeks: int = 4
    warm_up_weeks: int = 2
    online_permille: int = 200
    lost_permille: int = 0
    filled_days: float = 8.0
    outages_per_day: float = 1.0
    outage_hours_max: float = 12.0
    seed: int = 20_261_130


class Line(NamedTuple):
    sku: str
    quantity: int


class Basket(NamedTuple):
    """One basket: sold at the till, or ordered for pickup. ``lost`` are SKUs of which a unit disappears unrecorded."""

    number: int
    at_ms: int
    store: str
    lines: tuple[Line, ...]
    is_order: bool
    lost: tuple[str, ...]


class Outage(NamedTuple):
    store: str
    begin_ms: int
    end_ms: int


class Traffic(NamedTuple):
    """Everything that happens, in order of time, and the units with which each cell is filled up."""

    begin_ms: int
    measured_ms: int
    end_ms: int
    stores: tuple[str, ...]
    baskets: tuple[Basket, ...]
    outages: tuple[Outage, ...]
    deliveries: tuple[tuple[int, str], ...]
    full: dict[tuple[str, str], int]


class _Sold(NamedTuple):
    store: str
    basket: str
    at_ms: int
    line: Line


def traffic(path: Path, plan: Plan) -> Traffic:
    """Read the till lines (gzipped CSV) and lay out a run. Raises `OSError` when the file cannot be read."""
    sold = _read(path)
    begin_ms = min(it.at_ms for it in sold) // DAY_MS * DAY_MS
    end_ms = begin_ms + plan.weeks * WEEK_MS
    by_size = [store for store, _ in Counter(it.store for it in sold).most_common()]
    group = {store: f"S{number % plan.stores + 1}" for number, store in enumerate(by_size)}
    chance = Random(plan.seed)
    baskets = _baskets(sold, group, begin_ms, plan, chance)
    stores = tuple(f"S{number + 1}" for number in range(plan.stores))
    days = range((end_ms - begin_ms) // DAY_MS)
    return Traffic(
        begin_ms=begin_ms,
        measured_ms=begin_ms + plan.warm_up_weeks * WEEK_MS,
        end_ms=end_ms,
        stores=stores,
        baskets=tuple(baskets),
        outages=tuple(it for store in stores for it in _outages(store, begin_ms, end_ms, plan, chance)),
        deliveries=tuple(
            (begin_ms + day * DAY_MS + DELIVERY_HOUR_UTC * HOUR_MS, store)
            for day in days
            if day % 7 in DELIVERY_DAYS
            for store in stores
        ),
        full=_full(baskets, plan),
    )


def _read(path: Path) -> list[_Sold]:
    sold = _lines(path)
    # Fuel and goods by weight are not picked.
    by_measure = {it.line.sku for it in sold if it.line.quantity > PIECES_MAX}
    return [it for it in sold if it.line.sku not in by_measure]


def _lines(path: Path) -> list[_Sold]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            _Sold(
                row["store_id"],
                row["basket_id"],
                epoch_ms(datetime.fromisoformat(row["sold_at"])),
                Line(row["product_id"], int(row["quantity"])),
            )
            for row in csv.DictReader(file)
            if int(row["quantity"]) > 0
        ]


def _baskets(sold: list[_Sold], group: dict[str, str], begin_ms: int, plan: Plan, chance: Random) -> list[Basket]:
    lines: dict[tuple[int, str, str], list[Line]] = {}
    for it in sold:
        at_ms = begin_ms + (it.at_ms - begin_ms) % (plan.weeks * WEEK_MS)
        lines.setdefault((at_ms, group[it.store], it.basket), []).append(it.line)
    found = []
    for number, ((at_ms, store, _), of_basket) in enumerate(sorted(lines.items())):
        units: Counter[str] = Counter()
        for line in of_basket:
            units[line.sku] += line.quantity
        lost = tuple(sku for sku in units if chance.randrange(1_000) < plan.lost_permille)
        is_order = chance.randrange(1_000) < plan.online_permille
        found.append(Basket(number, at_ms, store, tuple(Line(*it) for it in units.items()), is_order, lost))
    return found


def _outages(store: str, begin_ms: int, end_ms: int, plan: Plan, chance: Random) -> list[Outage]:
    """Outages at random instants, each of a random length; those that would overlap the one before are left out."""
    found: list[Outage] = []
    at_ms = begin_ms
    while True:
        at_ms += int(chance.expovariate(plan.outages_per_day) * DAY_MS)
        length_ms = int(chance.uniform(0.25, plan.outage_hours_max) * HOUR_MS)
        if at_ms + length_ms >= end_ms:
            return found
        found.append(Outage(store, at_ms, at_ms + length_ms))
        at_ms += length_ms


def _full(baskets: list[Basket], plan: Plan) -> dict[tuple[str, str], int]:
    """Units up to which a delivery fills each cell: one, and the mean sales of some days."""
    sold: Counter[tuple[str, str]] = Counter()
    for basket in baskets:
        for line in basket.lines:
            sold[basket.store, line.sku] += line.quantity
    return {cell: 1 + round(units * plan.filled_days / (7 * plan.weeks)) for cell, units in sorted(sold.items())}
