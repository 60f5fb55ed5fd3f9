"""Lines per CPU second of this engine, of a stock Faust agent and of a bare loop: the same messages, the same log.

``ours`` is the whole inventory worker: admission, both clocks, holds, group commit, fencing. ``stock_faust`` follows
the Faust guide: an agent, a Table, one event after the other, at-least-once. ``bare_loop`` decodes the same bytes with
the same decoder and adds up quantities in a dict, without a log and without deduplication. Rates are lines per second
of the process's own CPU time after its start-up.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.embedded import Log
from benchmarks.engines import add_engine_option, running_log
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.messages import sales
from bopis.names import INVENTORY_EVENTS_TOPIC, LEVELS_TOPIC
from bopis.wire.stock import STOCK

SHAPES = {"single_line_sales": (1, 200_000, 20_000), "ten_line_baskets": (10, 60_000, 4_000)}
PARTITIONS = 4
WORKER_SECONDS_MAX = 300


def main() -> None:
    """Run every shape, several times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; medians are printed")
    parser.add_argument("--share", type=float, default=1.0, help="share of the messages, for a quick look")
    add_engine_option(parser)
    options = parser.parse_args()
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("faust-streaming", "aiokafka", "msgspec", "uvloop"),
        "engine": options.engine,
        "runs": options.runs,
    }
    with running_log(options.engine) as log:
        for shape, (lines, count, stock_count) in SHAPES.items():
            counts = int(count * options.share), int(stock_count * options.share)
            document[shape] = measure_shape(log, shape, lines, counts, options.runs)
    report(document, options.json)


def measure_shape(log: Log, shape: str, lines: int, counts: tuple[int, int], runs: int) -> dict[str, Any]:
    """Fill a topic once and measure each competitor on it. `counts`: messages for all, and for stock Faust."""
    count, stock_count = counts
    prefix = f"{shape}."
    topic = f"{prefix}stock"
    log.create(topic, PARTITIONS)
    messages = list(sales(count, lines))
    log.fill(topic, messages)
    found: dict[str, list[float]] = {"ours": [], "stock_faust": [], "bare_loop": []}
    for run in range(runs):
        log.delete(f"{prefix}{LEVELS_TOPIC}", f"{prefix}{INVENTORY_EVENTS_TOPIC}")
        found["ours"].append(count * lines / child_cpu_seconds("ours", log, prefix, count))
        found["stock_faust"].append(stock_count * lines / child_cpu_seconds("stock", log, prefix, stock_count, run))
        found["bare_loop"].append(count * lines / bare_loop_seconds([value for _, value in messages]))
    ours, stock, bare = (median(found[name]) for name in ("ours", "stock_faust", "bare_loop"))
    return {
        "messages": count,
        "stock_faust_messages": stock_count,
        "ours": round(ours),
        "stock_faust": round(stock),
        "bare_loop": round(bare),
        "ratio_to_stock": round(ours / stock, 1),
        "share_of_bare": round(ours / bare, 3),
    }


def bare_loop_seconds(values: list[bytes]) -> float:
    """CPU seconds to decode the messages and add up their quantities."""
    decode = STOCK.decode
    totals: dict[tuple[str, str], int] = {}
    began = time.process_time()
    for value in values:
        message = decode(value)
        store = message.subject
        for line in message.data.lines:
            cell = (store, line.sku)
            totals[cell] = totals.get(cell, 0) - line.quantity
    return time.process_time() - began


def child_cpu_seconds(kind: str, log: Log, prefix: str, count: int, run: int = 0) -> float:
    """CPU seconds of a worker process from ready until everything is committed."""
    command = [sys.executable, "-m", "benchmarks.stream_worker", kind, log.bootstrap, prefix, str(count), str(run)]
    environment = {**os.environ, "BOPIS_BENCH_DATA": str(log.data_dir)}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WORKER_SECONDS_MAX, check=False
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{kind} ended with {ended.returncode} without output:\n{ended.stderr[-2000:]}")
    return float(json.loads(lines[-1])["cpu_seconds"])


if __name__ == "__main__":
    main()
