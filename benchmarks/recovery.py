"""Restart with a large table: seconds from the start of the process until it can decide.

``seconds`` and ``rss_mb`` are those of the inventory worker over the embedded log, with 1,000,000 rows made by sales.
``stock_faust_seconds`` is the recovery of a stock Faust Table with fewer rows, scaled to the same number of rows.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psutil

from benchmarks.embedded import Log, embedded_log
from benchmarks.measure import machine_line, median, report, versions
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.wire.stock import STOCK

ROWS = 1_000_000
STOCK_ROWS = 100_000
STOCK_ROWS_FEW = 1_000
STORES = 40
LINES = 100
PARTITIONS = 4
PREFIX = "recovery."
SECONDS_MAX = 300


def main() -> None:
    """Make the rows once, restart several times, and report medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="restarts; medians are printed")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the table")
    options = parser.parse_args()
    with embedded_log() as log:
        log.create(f"{PREFIX}stock", PARTITIONS)
        count = log.fill(f"{PREFIX}stock", one_sale_of_each(options.rows))
        _worker(log, "ours", f"{PREFIX}stock", count)
        runs = [restart(log) for _ in range(options.runs)]
        stock_seconds = [stock_scaled(log, run, options.rows) for run in range(options.runs)]
    report(
        {
            "machine": machine_line(),
            "versions": versions("faust-streaming", "aiokafka", "msgspec"),
            "runs": options.runs,
            "rows": runs[0]["rows"],
            "seconds": round(median(run["seconds"] for run in runs), 2),
            "rss_mb": round(median(run["rss_mb"] for run in runs)),
            "stock_faust_seconds": round(median(stock_seconds), 1),
            "stock_faust_rows_measured": STOCK_ROWS,
            "stock_faust_scaled": options.rows != STOCK_ROWS,
        },
        options.json,
    )


def one_sale_of_each(rows: int) -> Iterator[tuple[bytes, bytes]]:
    """Baskets that sell each SKU of each store once, so that every line makes a row."""
    now = datetime.now(UTC)
    for number in range(rows // LINES):
        store, part = f"{300 + number % STORES}", number // STORES
        lines = tuple(SaleLine(f"{part * LINES + line:010d}", 1) for line in range(LINES))
        till = f"till/{store}"
        sale = Message(
            id=f"{till}/{part + 1}",
            source=till,
            seq=part + 1,
            time=now,
            subject=store,
            data=PosSale(basket=f"b{number}", lines=lines),
        )
        yield store.encode(), STOCK.encode_trusted(sale)


def restart(log: Log) -> dict[str, Any]:
    """Start the worker on its own changelog, and stop it as soon as it is ready."""
    environment = {
        **os.environ,
        "BOPIS_DATA_DIR": str(log.data_dir),
        "BOPIS_TOPIC_PREFIX": PREFIX,
        "BOPIS_PARTITIONS": str(PARTITIONS),
    }
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "worker", "inventory", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        seconds = time.monotonic() - began
        rss_mb = psutil.Process(process.pid).memory_info().rss / 2**20
    finally:
        process.terminate()
        process.wait(SECONDS_MAX)
    return {"rows": ready["rows"], "seconds": seconds, "rss_mb": rss_mb}


def stock_scaled(log: Log, run: int, rows: int) -> float:
    """Seconds of a stock Faust Table for `rows` rows: start-up as measured, time per row scaled."""
    start_up, measured = stock_restart(log, run, STOCK_ROWS_FEW), stock_restart(log, run, STOCK_ROWS)
    return start_up + (measured - start_up) * (rows - STOCK_ROWS_FEW) / (STOCK_ROWS - STOCK_ROWS_FEW)


def stock_restart(log: Log, run: int, stock_rows: int) -> float:
    """Seconds a stock Faust worker takes from its start until its Table is recovered."""
    app = f"stock-recovery-{run}-{stock_rows}"
    topic = f"{app}-on-hand-changelog"
    log.create(topic, PARTITIONS)
    rows = ((json.dumps(f"{number % STORES}|{number:010d}").encode(), b"-1") for number in range(stock_rows))
    log.fill(topic, rows)
    began = time.monotonic()
    _worker(log, "stock-recovery", app, stock_rows)
    return time.monotonic() - began


def _worker(log: Log, kind: str, name: str, count: int) -> None:
    prefix = name.removesuffix("stock") if kind == "ours" else name
    command = [sys.executable, "-m", "benchmarks.stream_worker", kind, log.bootstrap, prefix, str(count), "0"]
    environment = {**os.environ, "BOPIS_BENCH_DATA": str(log.data_dir)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    if '{"cpu_seconds"' not in ended.stdout:
        raise RuntimeError(f"{kind} ended with {ended.returncode}:\n{ended.stderr[-2000:]}")


if __name__ == "__main__":
    main()
