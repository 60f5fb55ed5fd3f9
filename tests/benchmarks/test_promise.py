"""The benchmark of promises over a small made-up file: its shelf is its own judge, and the same seed plays the same."""

import csv
import gzip
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from benchmarks.promise.__main__ import PROTECTIONS, played
from benchmarks.promise.run import Run
from benchmarks.promise.traffic import Plan, Traffic, traffic

PLAN = Plan(stores=1, weeks=3, warm_up_weeks=1, filled_days=2.0, outages_per_day=2.0, outage_hours_max=8.0)
NONE, SAFETY, _, OURS = PROTECTIONS
LINES = 4_000


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    """Sales of twelve SKUs by day, between eight and twenty o'clock, of three weeks."""
    path, chance = tmp_path_factory.mktemp("promise") / "sales.csv.gz", Random(7)
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["store_id", "basket_id", "product_id", "quantity", "amount_cents", "sold_at"])
        for number in range(LINES):
            sold_at = begin + timedelta(days=chance.randrange(21), minutes=chance.randrange(8 * 60, 20 * 60))
            sku, quantity = f"{chance.randrange(12)}", chance.choice((1, 1, 1, 2))
            table.writerow(["7", f"{number}", sku, quantity, 100, f"{sold_at:%Y-%m-%dT%H:%M:%SZ}"])
        table.writerow(["7", "fuel", "fuel", 9_000, 100, f"{begin:%Y-%m-%dT%H:%M:%SZ}"])
    return traffic(path, PLAN)


def test_orders_and_sales_are_the_lines_of_the_file_without_what_is_sold_by_measure(laid_out: Traffic) -> None:
    assert len(laid_out.baskets) == LINES
    assert {sku for _, sku in laid_out.full} == {f"{it}" for it in range(12)}
    assert 0.15 < sum(it.is_order for it in laid_out.baskets) / LINES < 0.25


def test_unprotected_promises_of_a_store_that_is_cut_off_are_broken_and_ours_are_kept(laid_out: Traffic) -> None:
    none, ours = (played([laid_out], it, seed=3)["cut_off"] for it in (NONE, OURS))

    assert none["asked"] == ours["asked"] > 100
    assert none["really_there_percent"] < 98
    assert ours["really_there_percent"] > 99.5
    assert ours["withheld_percent"] > none["withheld_percent"]


def test_a_fixed_safety_stock_withholds_it_all_the_time(laid_out: Traffic) -> None:
    safety, ours = (played([laid_out], it, seed=3)["always"] for it in (SAFETY, OURS))

    assert safety["promised"] < safety["asked"]
    assert safety["withheld_percent"] > 0
    assert ours["promised"] <= ours["asked"]


def test_the_same_seed_plays_the_same(laid_out: Traffic) -> None:
    assert played([laid_out], OURS, seed=3) == played([laid_out], OURS, seed=3)


def test_while_every_store_is_connected_each_promise_is_kept(laid_out: Traffic) -> None:
    run = Run(laid_out._replace(outages=()), NONE, 3)
    run()

    assert run.always.promised == run.always.there > 0
    assert run.cut_off.asked == 0
