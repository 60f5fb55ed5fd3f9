"""Where the rows of the second fold are kept: one table, by partition and key."""

import json
from collections.abc import Iterable

from bopis.readside.changes import Changes
from bopis.readside.engine import POSTGRESQL, SQLITE
from bopis.readside.rows import FoldRows, Kept
from bopis.readside.transaction import Transaction

_FETCH = {
    SQLITE: 'SELECT "key", "row" FROM fold_rows WHERE "partition" = ? AND "key" IN (SELECT value FROM json_each(?))',
    POSTGRESQL: 'SELECT "key", "row" FROM fold_rows WHERE "partition" = %s AND "key" = ANY(%s)',
}
_DUE = {
    SQLITE: 'SELECT due_ms, "key" FROM fold_rows WHERE "partition" = ? AND due_ms <= ?',
    POSTGRESQL: 'SELECT due_ms, "key" FROM fold_rows WHERE "partition" = %s AND due_ms <= %s',
}


class SqlShelf:
    """The rows of one partition, seen through one transaction."""

    def __init__(self, transaction: Transaction, partition: int) -> None:
        self._transaction = transaction
        self._partition = partition
        self._dialect = transaction.dialect

    def fetch(self, keys: list[str]) -> Iterable[Kept]:
        wanted = json.dumps(keys) if self._dialect == SQLITE else keys
        return self._transaction.ask(_FETCH[self._dialect], (self._partition, wanted))

    def due(self, at_ms: int) -> Iterable[tuple[int, str]]:
        return self._transaction.ask(_DUE[self._dialect], (self._partition, at_ms))


def keep(rows: FoldRows, partition: int, changes: Changes) -> None:
    """Put what the fold has changed among the changes of the transaction."""
    kept, dropped = rows.changes()
    for key, blob, due_ms in kept:
        changes.set("fold_rows", (partition, key), (partition, key, blob, due_ms))
    for key in dropped:
        changes.set("fold_rows", (partition, key), None)
