"""The benchmark of orders, very small, over a real log and real workers; and its judge, who must see what is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.orders_reading import promises_among

ROOT = Path(__file__).parents[2]
PATIENCE_S = 900


def event(kind: str, number: int, order: str, units: int = 0) -> dict[str, Any]:
    """One event as it stands in the log."""
    data = {"lines": [{"line": 1, "sku": "X", "quantity": units}]} if units else {}
    return {"type": kind, "source": "s", "id": f"{number}", "subject": order, "correlation": order, "data": data}


def test_the_judge_counts_each_message_once_and_sees_a_second_promise_and_a_second_hold() -> None:
    promised, reserved = "bopis.orders.order_promised.v1", "bopis.inventory.stock_reserved.v1"
    of_orders = [event(promised, 1, "A"), event(promised, 1, "A"), event(promised, 2, "A"), event(promised, 3, "other")]
    of_stock = [event(reserved, 1, "A", 1), event(reserved, 1, "A", 1), event(reserved, 2, "A", 1)]
    of_stock += [event("bopis.inventory.hold_changed.v1", 3, "A", 1), event(reserved, 4, "other", 1)]

    counted = promises_among(of_orders, of_stock, {"A", "B"})

    assert counted == {"promised": 1, "promises": 2, "units_reserved": 2, "units_given_back": 1}


def test_every_order_is_promised_and_exactly_as_many_buyers_as_there_are_units() -> None:
    sizes = {"runs": 1, "seconds": 1.5, "rates": 20, "tills": 50, "stores": 4, "buyers": 40, "units": 7}
    options = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.orders", "--json", *options],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    told = json.loads(ended.stdout or "{}")
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert (told["20"]["orders"], told["20"]["lost"]) == (30, 0)
    assert told["20"]["p50_ms"] <= told["20"]["p95_ms"] <= told["20"]["p99_ms"]
    assert set(told["20"]["cpu_ms_per_order"]) == {"inventory", "orders", "routing", "log", "benchmark_itself"}
    hops = told["20"]["hops_ms"]
    assert len(hops) == 6
    assert all(0 <= it["p1"] <= it["p50"] <= hops["all"]["p50"] for it in hops.values())
    assert told["full_house"]["orders_per_s"] > 0
    assert told["full_house"]["lost"] == 0
    rush = told["buyers"]
    assert (rush["promised"], rush["promises"], rush["without_answer"]) == (7, 7, 0)
    assert rush["units_reserved"] - rush["units_given_back"] == 7
