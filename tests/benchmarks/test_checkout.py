"""The benchmark of the checkout, very small, over a real log, workers and gateway; and how it sees a queue."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.checkout_load import Sample, drain_s, growth

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300


def samples(open_calls: list[int]) -> list[Sample]:
    """One sample a second."""
    return [
        Sample(at_s=at + 0.5, lag=it, open_calls=it, oldest_s=1.0, unpromised=it) for at, it in enumerate(open_calls)
    ]


def test_a_queue_grows_when_it_gets_longer_after_the_first_third() -> None:
    steady = growth(samples([10, 230, 240, 240, 240, 240, 240, 240, 241]), arrivals_s=9, rate=200)
    growing = growth(samples([10, 230, 240, 260, 280, 300, 320, 340, 360]), arrivals_s=9, rate=200)

    assert not steady["grows"]
    assert growing["grows"]
    assert growing["calls_growth_per_s"] == 20


def test_a_queue_is_drained_once_no_call_is_open_after_the_last_arrival() -> None:
    assert drain_s(samples([0, 5, 9, 4, 0, 0]), arrivals_s=3) == 1.5
    assert drain_s(samples([0, 5, 9, 4]), arrivals_s=3) is None


@pytest.mark.soak
def test_each_arm_is_measured_and_nobody_acts_again_while_a_method_works() -> None:
    sizes = {"customers": 10, "medians": 0.05, "rate": 10, "seconds": 2, "limit": 8}
    options = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.checkout", "--json", "--no-search", *options],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    told = json.loads(ended.stdout or "{}")
    assert ended.returncode == 0, ended.stderr[-2000:]
    arms = told["provider_0.05"]
    acted = {name: arms[name]["act_again"] for name in arms if not name.startswith("compared")}
    assert acted == {"synchronous": 0, "ours": 0, "synchronous_declined": 10, "ours_declined": 0}
    assert all(arms[name]["promised"] == 10 for name in acted)
    assert arms["ours"]["wait_p50_ms"] <= arms["ours"]["promise_p50_ms"]
    one, two = (told["act_again"][f"challenges_{others}_other_cards"] for others in (1, 2))
    assert one["synchronous_declined"]["acts"] == 11
    assert one["ours_declined"]["act_again"] == 1
    assert two["ours_declined"]["act_again"] == 0
    assert two["ours_declined"]["promised"] == 10
    assert (told["load"]["checkouts"], told["load"]["without_promise"]) == (20, 0)
    assert (told["load_limited"]["checkouts"], told["load_limited"]["without_promise"]) == (20, 0)
