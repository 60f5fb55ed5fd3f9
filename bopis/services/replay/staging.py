"""All lines of an export on disk, sorted into baskets: memory stays small however large the file is.

SQLite keeps the lines in a temporary database without a name (in the directory for temporary files, which needs
room for about twice the unpacked export). It goes with the process, however that ends.
"""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType

import msgspec
from msgspec import Struct

from bopis.services.replay.baskets import Basket, StagedLine, parts_of, without_repeats
from bopis.services.replay.lines import TillLine

ROWS_PER_INSERT = 2_000
CACHE_KIB = 65_536

_TABLES = """
create table line (
    store text, basket text, day integer, number integer, run integer, at_ms integer, sku text, quantity integer,
    amount_cents integer
);
create table basket (at_ms integer, first_line integer, part blob);
"""
# A basket is one number at one store on one day: numbers that begin again each day are other baskets.
_BY_BASKET = (
    "select store, basket, day, number, run, at_ms, sku, quantity, amount_cents from line "
    "order by store, basket, day, number"
)
_IN_TIME = "select part from basket order by at_ms, first_line"


class Totals(Struct):
    """What an export says, without what it says again."""

    lines: int = 0
    baskets: int = 0
    units: int = 0
    duplicates: int = 0
    messages: int = 0


class Staging:
    """First take every line, then `sort`, then read the baskets."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(f"pragma journal_mode=off; pragma cache_size=-{CACHE_KIB};" + _TABLES)
        self._database.execute("begin")
        self._waiting: list[tuple[object, ...]] = []
        self._runs: dict[str, tuple[str, int, int]] = {}
        self.totals = Totals()

    def add(self, line: TillLine) -> None:
        """Take the next line of the file."""
        basket, day, run = self._runs.get(line.store, ("", 0, 0))
        if (basket, day) != (line.basket, line.day):
            run += 1
            self._runs[line.store] = (line.basket, line.day, run)
        number, store, basket, day, at_ms, sku, quantity, amount_cents = line
        self._waiting.append((store, basket, day, number, run, at_ms, sku, quantity, amount_cents))
        if len(self._waiting) >= ROWS_PER_INSERT:
            self._insert()

    def sort(self) -> Totals:
        """Put the lines together into baskets and leave out repeated ones."""
        self._insert()
        lines = self._database.cursor().execute(_BY_BASKET)
        for (store, number), of_number in groupby(lines, key=itemgetter(0, 1)):
            part = 1
            for _, of_day in groupby(of_number, key=itemgetter(2)):
                part += self._keep(store, number, part, [StagedLine(*row[3:]) for row in of_day])
        return self.totals

    def baskets(self) -> Iterator[Basket]:
        """Every basket in the order of time, and of the file where times are equal."""
        decoder = msgspec.msgpack.Decoder(Basket)
        for (part,) in self._database.cursor().execute(_IN_TIME):
            yield decoder.decode(part)

    @property
    def stores(self) -> int:
        return len(self._runs)

    def skus(self) -> int:
        """How many different SKUs there are."""
        (skus,) = self._database.execute("select count(distinct sku) from line").fetchone()
        return int(skus)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "Staging":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _keep(self, store: str, number: str, first_part: int, said: list[StagedLine]) -> int:
        lines, repeats = without_repeats(said)
        parts = list(parts_of(store, number, lines, first_part))
        self._database.executemany(
            "insert into basket values (?, ?, ?)",
            [(part.at_ms, part.first_line, msgspec.msgpack.encode(part)) for part in parts],
        )
        totals = self.totals
        totals.duplicates += repeats
        totals.baskets += 1
        totals.lines += len(lines)
        totals.units += sum(line.quantity for line in lines)
        totals.messages += len(parts)
        return len(parts)

    def _insert(self) -> None:
        self._database.executemany("insert into line values (?, ?, ?, ?, ?, ?, ?, ?, ?)", self._waiting)
        self._waiting.clear()
