"""All lines of an export, sorted into baskets on disk: memory use does not grow with the file.

Sorting a large export needs about twice its unpacked size in the directory for temporary files.
"""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType

import msgspec
from msgspec import Struct

from bopis.services.replay.baskets import StagedLine, TillBasket, parts_of, without_repeats
from bopis.services.replay.lines import TillLine
from bopis.services.sorter import Sorter


class Totals(Struct):
    """Totals of an export without repeated baskets; `duplicates` counts those."""

    lines: int = 0
    baskets: int = 0
    units: int = 0
    duplicates: int = 0
    messages: int = 0


class Staging:
    """Stages an export: add every line, then `sort`, then read the baskets.

    A basket is one number at one store on one day: where numbers restart each day, equal numbers are other baskets.
    """

    def __init__(self) -> None:
        self._lines = Sorter()
        self._baskets = Sorter()
        self._runs: dict[str, tuple[str, int, int]] = {}
        self._skus: set[str] = set()
        self._content = hashlib.sha256()
        self.totals = Totals()

    def add(self, line: TillLine) -> None:
        """Add the next line of the file."""
        number, store, basket, day, at_ms, sku, quantity, amount_cents = line
        last_basket, last_day, run = self._runs.get(store, ("", 0, 0))
        if (last_basket, last_day) != (basket, day):
            run += 1
            self._runs[store] = (basket, day, run)
        self._skus.add(sku)
        self._lines.add((store, basket, day, number, run, at_ms, sku, quantity, amount_cents))

    def sort(self) -> Totals:
        """Group the lines into baskets, without repeated ones."""
        for (store, number), of_number in groupby(self._lines, key=itemgetter(0, 1)):
            part = 1
            for _, of_day in groupby(of_number, key=itemgetter(2)):
                part += self._keep(store, number, part, [StagedLine(*row[3:]) for row in of_day])
        self._lines.close()
        return self.totals

    def keep(self, store: str, number: str, staged: list[StagedLine]) -> None:
        """Add a whole basket, in place of its lines. Its number occurs once in its store."""
        self._runs.setdefault(store, ("", 0, 0))
        self._skus.update(line.sku for line in staged)
        self._keep(store, number, 1, staged)

    def sort_baskets(self) -> Totals:
        """The totals, once every basket was added."""
        return self.totals

    def baskets(self) -> Iterator[TillBasket]:
        """Every basket, by time and then by line number."""
        decoder = msgspec.msgpack.Decoder(TillBasket)
        for _, _, _, encoded in self._baskets:
            yield decoder.decode(encoded)

    @property
    def content(self) -> str:
        """A digest of all baskets: equal for two readings of a file that give the same messages."""
        return self._content.hexdigest()

    @property
    def stores(self) -> int:
        return len(self._runs)

    @property
    def skus(self) -> int:
        return len(self._skus)

    def close(self) -> None:
        self._lines.close()
        self._baskets.close()

    def __enter__(self) -> "Staging":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _keep(self, store: str, number: str, first_part: int, staged: list[StagedLine]) -> int:
        lines, repeats = without_repeats(staged)
        parts = list(parts_of(store, number, lines, first_part))
        for part in parts:
            encoded = msgspec.msgpack.encode(part)
            self._content.update(encoded)
            self._baskets.add((part.at_ms, part.first_line, part.part, encoded))
        totals = self.totals
        totals.duplicates += repeats
        totals.baskets += 1
        totals.lines += len(lines)
        totals.units += sum(line.quantity for line in lines)
        totals.messages += len(parts)
        return len(parts)
