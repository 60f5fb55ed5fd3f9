"""The same sales on other stream processors: lines per CPU second of ten-line baskets.

``ours`` is the whole inventory worker: each message once, both clocks, holds, fencing. The peers are built as their
guides show, at-least-once, with durable state where they offer it: stock Faust (Table and changelog), Quix Streams
(RocksDB and changelog), Bytewax (keyed state and recovery store), and a loop by hand (aiokafka, orjson and a dict,
without durable state). CPU seconds are those of the process since its first message, including the threads of
librdkafka and RocksDB. Stock Faust reads a shorter topic. Versions are pinned in ``benchmarks/peers.txt`` and installed
into an environment of their own.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from benchmarks.embedded import Log
from benchmarks.engines import ENGINES, running_log
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.messages import sales
from benchmarks.stream import PARTITIONS, child_cpu_seconds
from bopis.names import INVENTORY_EVENTS_TOPIC, LEVELS_TOPIC

LINES = 10
BASKETS = 40_000
BASKETS_STOCK = 6_000
PINNED = Path(__file__).with_name("peers.txt")
ENVIRONMENT = Path(__file__).parents[1] / "build" / "peers"
ALL, FEW = "peers.", "peers-stock."
SECONDS_MAX = 300
PEERS = ("quix", "bytewax", "by_hand")


def main() -> None:
    """Run every processor in turn, several times, and report medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; medians are printed")
    parser.add_argument("--engine", choices=ENGINES, default="kafka", help="the log; kafka needs Java and Maven")
    options = parser.parse_args()
    python = peers_python()
    rates: dict[str, list[float]] = {}
    with running_log(options.engine) as log:
        for prefix, count in ((ALL, BASKETS), (FEW, BASKETS_STOCK)):
            log.create(f"{prefix}stock", PARTITIONS)
            log.fill(f"{prefix}stock", sales(count, LINES))
        for run in range(options.runs):
            for name, rate in one_round(log, python, run).items():
                rates.setdefault(name, []).append(rate)
    medians = {name: round(median(found)) for name, found in rates.items()}
    report(
        {
            "machine": machine_line(),
            "versions": {**versions("faust-streaming", "aiokafka"), **pinned()},
            "engine": options.engine,
            "runs": options.runs,
            "lines_per_cpu_second": medians,
            "ours_times": {name: round(medians["ours"] / rate, 2) for name, rate in medians.items()},
        },
        options.json,
    )


def one_round(log: Log, python: Path, run: int) -> dict[str, float]:
    """Lines per CPU second of every processor, from one run each."""
    log.delete(f"{ALL}{LEVELS_TOPIC}", f"{ALL}{INVENTORY_EVENTS_TOPIC}")
    return {
        "ours": BASKETS * LINES / child_cpu_seconds("ours", log, ALL, BASKETS),
        "stock_faust": BASKETS_STOCK * LINES / child_cpu_seconds("stock", log, FEW, BASKETS_STOCK, run),
        **{name: peer(log, python, name, run) for name in PEERS},
    }


def peer(log: Log, python: Path, name: str, run: int) -> float:
    """Lines per CPU second of one peer. Raises RuntimeError with its output if it did not process every basket."""
    folder = log.data_dir / f"{name}-{run}"
    folder.mkdir()
    worker = Path(__file__).with_name("peer_worker.py")
    command = [str(python), str(worker), name, log.bootstrap, f"{ALL}stock", str(BASKETS), str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    results = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"cpu_seconds"')]
    if not results or results[0]["processed"] < BASKETS:
        raise RuntimeError(f"{name} ended with {ended.returncode} after {results}:\n{ended.stderr[-2000:]}")
    return float(results[0]["processed"] * LINES / results[0]["cpu_seconds"])


def peers_python() -> Path:
    """The interpreter of the peers' environment, which is created on first use."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "peers.txt"
    if not done.exists() or done.read_text() != PINNED.read_text():
        print(f"installing the peers into {ENVIRONMENT} ...", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(PINNED)]
        subprocess.run(pip, check=True, env=dict(os.environ))
        done.write_text(PINNED.read_text())
    return python


def pinned() -> dict[str, Any]:
    """The pinned version of each peer."""
    return dict(line.split("==") for line in PINNED.read_text().splitlines() if "==" in line)


if __name__ == "__main__":
    main()
