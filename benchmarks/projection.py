"""Till lines into SQL: movement lines per second with the whole history, on one core, without a log.

``history`` folds the stock log and writes every movement; ``levels`` writes the inventory's changelog of the same
lines. Both use transactions of the size that a worker writes when it is behind. ``client_core_lines_s`` divides by the
processor time of this process alone, so it depends neither on other load nor on the database server. For PostgreSQL
give its URL with ``--database``.
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
from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.readside.engine import connect
from bopis.readside.migrate import drop, upgrade
from bopis.readside.writer import Projection
from streams.engine.exact_step import step
from streams.engine.table import PartitionTable
from streams.processors.inventory import InventoryProcessor

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
    """Run several times into new tables, and report medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs per database; medians are printed")
    parser.add_argument("--lines", type=int, default=LINES, help="movement lines per run")
    parser.add_argument("--transaction", type=int, default=RECORDS_PER_TRANSACTION, help="records per transaction")
    parser.add_argument("--database", help="measure this URL as well; its tables are dropped")
    options = parser.parse_args()
    gc.set_threshold(GC_THRESHOLD, 50, 100)
    stock = stock_records(options.lines)
    feeds = {"history": (STOCK_TOPIC, stock), "levels": (LEVELS_TOPIC, changelog(stock))}
    document: dict[str, Any] = {
        "machine": machine_line(),
        "versions": versions("sqlalchemy", "psycopg", "msgspec"),
        "runs": options.runs,
        "lines": options.lines,
        "records_per_transaction": options.transaction,
    }
    with tempfile.TemporaryDirectory(prefix="bopis-bench-") as folder:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'readside.sqlite3'}"}
        if options.database:
            urls["given"] = options.database
        for name, url in urls.items():
            runs = [measure(url, feeds, options.lines, options.transaction) for _ in range(options.runs)]
            document[name] = {figure: round(median(run[figure] for run in runs)) for figure in runs[0]}
    report(document, options.json)


def stock_records(lines: int) -> list[Record]:
    """Baskets as records of the stock topic."""
    now_ms = int(time.time() * 1000)
    baskets = sales(lines // LINES_PER_BASKET, LINES_PER_BASKET)
    return [Record(offset, now_ms + offset, key, value) for offset, (key, value) in enumerate(baskets)]


def changelog(stock: Sequence[Record]) -> list[Record]:
    """Changelog that the inventory worker writes for these records."""
    processor = InventoryProcessor()
    table = PartitionTable(processor)
    written: list[Record] = []
    for first in range(0, len(stock), RECORDS_PER_COMMIT):
        records = stock[first : first + RECORDS_PER_COMMIT]
        done = step(processor, table.rows, table.position, records, RECORD_BYTES_MAX)
        table.position = done.position
        for key, value in table.commit(done.position):
            written.append(Record(len(written), records[-1].timestamp, key, value))
    return written


def measure(url: str, feeds: dict[str, tuple[str, list[Record]]], lines: int, size: int) -> dict[str, float]:
    """Lines per second of one run: every feed, into new tables."""
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
