"""The rows of the second fold: stored in the table `fold_rows`, changed in memory.

`CachedRows` is `bopis.domain.inventory.rows.Rows` over a row store. The rows that a batch will touch are prefetched
with one query; any other is fetched when it is needed, so a wrong prefetch costs time and nothing else. After each
transaction every row in memory equals the stored one, so any of them may be evicted.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Protocol, cast

import msgspec

from bopis.domain.inventory.rows import Row, row_type
from bopis.readside.changes import Changes
from bopis.readside.engine import POSTGRESQL, SQLITE
from bopis.readside.transaction import Transaction

_encode = msgspec.msgpack.Encoder().encode
_decoders: dict[type[Row], Any] = {}

Standing = tuple[int, int, int, str, int, int]  # held, staged, in doubt, category, quarantined, damaged
NO_STANDING: Standing = (0, 0, 0, "", 0, 0)
KeyAndRow = tuple[str, bytes]


class RowStore(Protocol):
    """Stored rows of one partition."""

    def fetch(self, keys: list[str]) -> Iterable[KeyAndRow]:
        """Key and bytes of the rows that exist."""
        ...

    def due(self, at_ms: int) -> Iterable[tuple[int, str]]:
        """Deadline and key of the rows whose deadline has come."""
        ...


class CachedRows:
    """Rows of one partition. `touched` are the keys that the current message has changed."""

    def __init__(self) -> None:
        self.row_store: RowStore
        self.touched: list[str] = []
        self._rows: dict[str, Row | None] = {}
        self._changed: dict[str, None] = {}
        # Deadlines of changed rows only: None for a row that has none or was dropped.
        self._deadlines: dict[str, int | None] = {}
        # Standings that differ from `NO_STANDING`, as they were when last recorded.
        self.standings: dict[str, Standing] = {}

    def prefetch(self, keys: Iterable[str]) -> None:
        """Load these rows; those that are loaded already become the last to be evicted."""
        rows = self._rows
        absent = []
        for key in keys:
            if key in rows:
                # A dict keeps insertion order, so the oldest key is the longest unused one.
                rows[key] = rows.pop(key)
            else:
                # None remembers that a row does not exist, so it is not fetched again.
                rows[key] = None
                absent.append(key)
        for key, blob in self.row_store.fetch(absent) if absent else ():
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
        self._deadlines[key] = deadline_ms

    def drop(self, key: str) -> None:
        self._rows[key] = None
        self._changed[key] = None
        self._deadlines[key] = None
        self.touched.append(key)

    def due(self, at_ms: int) -> list[str]:
        """Keys whose deadline has come, by deadline and key: the order in which the core handles them."""
        # A stored deadline is outdated when its row has changed in this transaction.
        deadlines = {key: due_ms for due_ms, key in self.row_store.due(at_ms) if key not in self._deadlines}
        deadlines |= {key: due_ms for key, due_ms in self._deadlines.items() if due_ms is not None and due_ms <= at_ms}
        return [key for _, key in sorted((due_ms, key) for key, due_ms in deadlines.items())]

    def changes(self) -> tuple[list[tuple[str, bytes, int | None]], list[str]]:
        """Changed rows as (key, bytes, deadline), and the keys of dropped rows."""
        changed: list[tuple[str, bytes, int | None]] = []
        dropped = []
        for key in self._changed:
            row = self._rows[key]
            if row is None:
                dropped.append(key)
            else:
                changed.append((key, _encode(row), getattr(row, "due_ms", None)))
        return changed, dropped

    def committed(self, rows_max: int) -> None:
        """The changes are stored: nothing is changed any more, and the longest unused rows beyond a limit are
        evicted."""
        self._changed.clear()
        self._deadlines.clear()
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
            if standing != NO_STANDING:
                self.standings[key] = standing


def standing_of(level: Any) -> Standing:
    """The part of a level that changes by other messages than movements."""
    return level.held, level.staged, level.in_doubt, level.category, level.quarantined, level.damaged


_FETCH = {
    SQLITE: 'SELECT "key", "row" FROM fold_rows WHERE "partition" = ? AND "key" IN (SELECT value FROM json_each(?))',
    POSTGRESQL: 'SELECT "key", "row" FROM fold_rows WHERE "partition" = %s AND "key" = ANY(%s)',
}
_DUE = {
    SQLITE: 'SELECT due_ms, "key" FROM fold_rows WHERE "partition" = ? AND due_ms <= ?',
    POSTGRESQL: 'SELECT due_ms, "key" FROM fold_rows WHERE "partition" = %s AND due_ms <= %s',
}


class SqlRowStore:
    """The rows of one partition in the table `fold_rows`, read in one transaction."""

    def __init__(self, transaction: Transaction, partition: int) -> None:
        self._transaction = transaction
        self._partition = partition
        self._dialect = transaction.dialect

    def fetch(self, keys: list[str]) -> Iterable[KeyAndRow]:
        # SQLite has no arrays: one JSON text keeps the statement the same for any number of keys.
        wanted = json.dumps(keys) if self._dialect == SQLITE else keys
        return self._transaction.query(_FETCH[self._dialect], (self._partition, wanted))

    def due(self, at_ms: int) -> Iterable[tuple[int, str]]:
        return self._transaction.query(_DUE[self._dialect], (self._partition, at_ms))


def add_changed_rows(rows: CachedRows, partition: int, changes: Changes) -> None:
    """Add the changed rows of the fold to the changes of the transaction."""
    changed, dropped = rows.changes()
    for key, blob, due_ms in changed:
        changes.set("fold_rows", (partition, key), (partition, key, blob, due_ms))
    for key in dropped:
        changes.set("fold_rows", (partition, key), None)
