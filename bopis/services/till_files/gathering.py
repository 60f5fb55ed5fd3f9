"""Lines that are scattered over a file, gathered into baskets on disk: memory use does not grow with the file."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import NamedTuple

import msgspec

from bopis.domain.inventory.messages import Condition
from bopis.services.replay.baskets import StagedLine, without_repeats
from bopis.services.sorter import Sorter
from bopis.services.till_files.baskets import BasketLine, ReadBasket, assembled
from bopis.services.till_files.facts import Head, Line, NotStock, Rejected, Repeated

# Small: the machine in a shop has little memory, and its files are small.
ROWS_IN_MEMORY_MAX = 2_000
CACHE_KIBIBYTES = 4_096
COUNTS, IS_NO_STOCK, IS_REJECTED = 0, 1, 2


class _Row(NamedTuple):
    """A row on disk: its basket's key and place in the file come first, because rows are sorted by them."""

    key: str
    number: int
    kind: int
    run: int
    line: str
    store: str
    basket: str
    at_ms: int
    day: int
    sku: str
    units: int
    condition: str


class Gathering:
    """Add every fact that has a head, then read the baskets: by time, then by their first line."""

    def __init__(self) -> None:
        self._rows = Sorter(ROWS_IN_MEMORY_MAX, CACHE_KIBIBYTES)
        self._baskets = Sorter(ROWS_IN_MEMORY_MAX, CACHE_KIBIBYTES)
        self._runs: dict[str, tuple[str, int]] = {}
        self._number = 0

    def add(self, fact: Line | NotStock | Rejected) -> None:
        """Add the next fact of the file."""
        head = fact.head
        if head is None:
            return
        self._number += 1
        if isinstance(fact, Line):
            last, run = self._runs.get(head.store, ("", 0))
            run += last != head.key
            self._runs[head.store] = (head.key, run)
            self._add(head, _Goods(COUNTS, run, fact.line, fact.sku, fact.units, fact.condition or ""))
        else:
            kind = IS_NO_STOCK if isinstance(fact, NotStock) else IS_REJECTED
            self._add(head, _Goods(kind, 0, fact.line, "", 0, ""))

    def baskets(self) -> Iterator[ReadBasket | Repeated]:
        """Every basket, and every line that repeats one of its basket."""
        for _, rows in groupby(self._rows, key=itemgetter(0)):
            yield from self._keep([_Row(*row) for row in rows])
        self._rows.close()
        decoder = msgspec.msgpack.Decoder(ReadBasket)
        for _, _, encoded in self._baskets:
            yield decoder.decode(encoded)

    def close(self) -> None:
        """Free the disk space."""
        self._rows.close()
        self._baskets.close()

    def __enter__(self) -> "Gathering":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _add(self, head: Head, goods: "_Goods") -> None:
        self._rows.add(
            _Row(
                head.key,
                self._number,
                goods.kind,
                goods.run,
                goods.line,
                head.store,
                head.basket,
                head.at_ms,
                head.day,
                goods.sku,
                goods.units,
                goods.condition,
            )
        )

    def _keep(self, rows: list[_Row]) -> Iterator[Repeated]:
        lines = [row for row in rows if row.kind == COUNTS]
        staged = [
            StagedLine(row.number, row.run, row.at_ms, f"{row.condition}\x1f{row.sku}", row.units, 0) for row in lines
        ]
        kept = {it.number for it in without_repeats(staged)[0]} if staged else set()
        yield from (Repeated(row.line) for row in lines if row.number not in kept)
        counted = [row for row in lines if row.number in kept]
        first, last = rows[0], max(counted or rows, key=lambda row: row.at_ms)
        head = Head(first.store, first.basket, last.at_ms, last.day, first.key)
        basket = assembled(
            head,
            (
                BasketLine(
                    line=row.line,
                    sku=row.sku,
                    units=row.units,
                    condition=Condition(row.condition) if row.condition else None,
                )
                for row in counted
            ),
            first_line=(counted or rows)[0].line,
            rejected=Counter(row.kind for row in rows)[IS_REJECTED],
        )
        self._baskets.add((basket.at_ms, first.number, msgspec.msgpack.encode(basket)))


class _Goods(NamedTuple):
    """The part of a row that is not of its basket."""

    kind: int
    run: int
    line: str
    sku: str
    units: int
    condition: str
