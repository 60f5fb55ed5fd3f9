"""The rows of the second fold: kept in a table, worked on in memory.

``Rows`` of the core over a shelf of bytes. What one batch will touch is fetched at once; what was missed is
fetched singly, so a guess that was wrong costs time and never truth. After each transaction every row here is the
row in the table, so any of them may be forgotten.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Protocol, cast

import msgspec

from bopis.domain.inventory.rows import Row, row_type

_encode = msgspec.msgpack.Encoder().encode
_decoders: dict[type[Row], Any] = {}

Standing = tuple[int, int, int, str, int, int]  # held, staged, in doubt, category, quarantined, damaged
NOTHING: Standing = (0, 0, 0, "", 0, 0)
Kept = tuple[str, bytes]


class Shelf(Protocol):
    """Where the rows of one partition are kept."""

    def fetch(self, keys: list[str]) -> Iterable[Kept]:
        """Key and bytes of those rows that are there."""
        ...

    def due(self, at_ms: int) -> Iterable[tuple[int, str]]:
        """Due time and key of the rows whose time has come."""
        ...


class FoldRows:
    """Rows of one partition; ``touched`` names the rows that the current message has changed."""

    def __init__(self) -> None:
        self.shelf: Shelf
        self.touched: list[str] = []
        self._rows: dict[str, Row | None] = {}
        self._changed: dict[str, None] = {}
        # Of changed rows only: a due time, or None for a row that has none or was dropped.
        self._due: dict[str, int | None] = {}
        self.standings: dict[str, Standing] = {}

    def prefetch(self, keys: Iterable[str]) -> None:
        """Have these rows at hand; rows used now are forgotten last."""
        rows = self._rows
        absent = []
        for key in keys:
            if key in rows:
                rows[key] = rows.pop(key)
            else:
                rows[key] = None
                absent.append(key)
        for key, blob in self.shelf.fetch(absent) if absent else ():
            self._load(key, blob)

    def get(self, key: str) -> Row | None:
        try:
            return self._rows[key]
        except KeyError:
            self.prefetch([key])
            return self._rows[key]

    def put(self, key: str, row: Row) -> None:
        self._rows[key] = row
        self._changed[key] = None
        self.touched.append(key)

    def put_all(self, rows: Mapping[str, Row]) -> None:
        self._rows.update(rows)
        self._changed.update(dict.fromkeys(rows))
        self.touched += rows

    def put_timed(self, key: str, row: Row, deadline_ms: int) -> None:
        self.put(key, row)
        self._due[key] = deadline_ms

    def drop(self, key: str) -> None:
        self._rows[key] = None
        self._changed[key] = None
        self._due[key] = None
        self.touched.append(key)

    def due(self, at_ms: int) -> list[str]:
        """Keys whose time has come, by due time and key: the order in which the core ends them."""
        found = {key: due_ms for due_ms, key in self.shelf.due(at_ms) if key not in self._due}
        found |= {key: due_ms for key, due_ms in self._due.items() if due_ms is not None and due_ms <= at_ms}
        return [key for _, key in sorted((due_ms, key) for key, due_ms in found.items())]

    def changes(self) -> tuple[list[tuple[str, bytes, int | None]], list[str]]:
        """The changed rows as they are to be kept, and the keys of those to be taken away."""
        kept: list[tuple[str, bytes, int | None]] = []
        dropped = []
        for key in self._changed:
            row = self._rows[key]
            if row is None:
                dropped.append(key)
            else:
                kept.append((key, _encode(row), getattr(row, "due_ms", None)))
        return kept, dropped

    def settle(self, rows_max: int) -> None:
        """The changes are in the table: nothing is changed any more, and the longest unused may go."""
        self._changed.clear()
        self._due.clear()
        excess = len(self._rows) - rows_max
        if excess > 0:
            for key in list(islice(self._rows, excess)):
                del self._rows[key]
                self.standings.pop(key, None)

    def _load(self, key: str, blob: bytes) -> None:
        kind = row_type(key)
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
        row = self._rows[key] = cast(Row, decoder.decode(blob))
        if key[0] != "@":
            standing = standing_of(row)
            if standing != NOTHING:
                self.standings[key] = standing


def standing_of(level: Any) -> Standing:
    """What of a level changes by other messages than movements."""
    return level.held, level.staged, level.in_doubt, level.category, level.quarantined, level.damaged
