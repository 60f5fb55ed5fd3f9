"""Till lines into SQL: movement lines a second with the whole history, on one core, with no log in between.

``history`` folds the stock log and writes every movement; ``levels`` writes the inventory's changelog of the same
lines. Both in transactions of as many records as a worker hands over when it is behind. ``client_core_lines_s`` is
by processor time of this process alone: what a core of its own gives, whatever else the machine does and whoever
serves the database. PostgreSQL is measured by its URL, after ``--database``.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import machine_line, median, report, versions
from benchmarks.messages import sales
from bopis.readside.engine import connect
from bopis.readside.migrate import drop, upgrade
from bopis.readside.writer import Projection
from streams.inventory import InventoryProcessor
from streams.rules import step
from streams.table import Table

LINES = 200_000
LINES_PER_BASKET = 5
RECORDS_PER_TRANSACTION = 2_000
RECORDS_PER_COMMIT = 128
RECORD_BYTES_MAX = 1 << 20
GC_THRESHOLD = 50_000


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def main() -> None:
    """Several runs into fresh tables; medians are printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs per database; medians are printed")
    parser.add_argument("--lines", type=int, default=LINES, help="movement lines per run")
    parser.add_argument("--transaction", type=int, default=RECORDS_PER_TRANSACTION, help="records per transaction")
    parser.add_argument("--database", help="measure this URL as well; its tables are dropped")
    given = parser.parse_args()
    gc.set_threshold(GC_THRESHOLD, 50, 100)
    stock = stock_records(given.lines)
    feeds = {"history": ("stock", stock), "levels": ("inventory-levels", changelog(stock))}
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("sqlalchemy", "psycopg", "msgspec"),
        "runs": given.runs,
        "lines": given.lines,
        "records_per_transaction": given.transaction,
    }
    with tempfile.TemporaryDirectory(prefix="bopis-bench-") as folder:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'readside.sqlite3'}"}
        if given.database:
            urls["given"] = given.database
        for name, url in urls.items():
            runs = [measure(url, feeds, given.lines, given.transaction) for _ in range(given.runs)]
            document[name] = {figure: round(median(run[figure] for run in runs)) for figure in runs[0]}
    report(document, given.json)


def stock_records(lines: int) -> list[Record]:
    """Baskets as the log would have them."""
    now_ms = int(time.time() * 1000)
    baskets = sales(lines // LINES_PER_BASKET, LINES_PER_BASKET)
    return [Record(offset, now_ms + offset, key, value) for offset, (key, value) in enumerate(baskets)]


def changelog(stock: Sequence[Record]) -> list[Record]:
    """What the inventory worker writes for them."""
    processor = InventoryProcessor()
    table = Table(processor)
    written: list[Record] = []
    for first in range(0, len(stock), RECORDS_PER_COMMIT):
        records = stock[first : first + RECORDS_PER_COMMIT]
        done = step(processor, table.rows, table.position, records, RECORD_BYTES_MAX)
        table.position = done.position
        for key, value in table.commit(done.position):
            written.append(Record(len(written), records[-1].timestamp, key, value))
    return written


def measure(url: str, feeds: dict[str, tuple[str, list[Record]]], lines: int, size: int) -> dict[str, float]:
    """One run: each feed into fresh tables."""
    engine = connect(url)
    drop(engine)
    upgrade(engine)
    projection = Projection(engine)
    found: dict[str, float] = {}
    for name, (topic, records) in feeds.items():
        seconds, core_seconds = _timed(partial(_write, projection, topic, records, size))
        found[f"{name}_lines_s"] = lines / seconds
        found[f"{name}_client_core_lines_s"] = lines / core_seconds
    engine.dispose()
    return found


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    began, core_began = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - core_began


def _write(projection: Projection, topic: str, records: list[Record], size: int) -> None:
    for first in range(0, len(records), size):
        projection.write(topic, 0, records[first : first + size])


if __name__ == "__main__":
    main()
