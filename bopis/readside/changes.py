"""Row changes of one batch of records, by table name, before they are written."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

Row = tuple[Any, ...]
Key = tuple[Any, ...]

NO_POSITION = -1
NUL, NUL_SHOWN = "\x00", "\ufffd"


class RecordLike(Protocol):
    """One record of the log. `timestamp` is its append time in ms."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Consumed(NamedTuple):
    """How far a partition was read, and the state of its changelog reader (see `bopis.wire.changelog`)."""

    position: int = NO_POSITION
    recorded_ms: int = 0
    source_position: int = NO_POSITION
    claim: int = NO_POSITION
    stale: bool = False


class Changes:
    """Rows to append, to upsert, to delete, to insert unless they exist, and families of rows to replace.

    A row that changes several times in one batch is written once, with its last value.
    """

    __slots__ = ("appended", "inserted", "replaced", "upserted")

    def __init__(self) -> None:
        self.appended: dict[str, list[Row]] = {}
        # Table to key to row; None deletes the row.
        self.upserted: dict[str, dict[Key, Row | None]] = {}
        # Table to the first columns of the key to all rows that begin with them.
        self.replaced: dict[str, dict[Key, list[Row]]] = {}
        # Table to key to row. Records that repeat after a crash have the same key; the first row stays.
        self.inserted: dict[str, dict[Key, Row]] = {}

    def without_nul(self) -> "Changes":
        """The same changes for PostgreSQL, whose texts cannot contain a NUL: each is shown as U+FFFD.

        The processors park such records; an earlier version took them into the books.
        """
        clean = Changes()
        clean.appended = {table: [_storable(row) for row in rows] for table, rows in self.appended.items()}
        for table, by_key in self.upserted.items():
            for key, row in by_key.items():
                clean.set(table, _storable(key), None if row is None else _storable(row))
        for table, families in self.replaced.items():
            for parent, rows in families.items():
                clean.replace(table, _storable(parent), [_storable(row) for row in rows])
        for table, new in self.inserted.items():
            for key, row in new.items():
                clean.insert_once(table, _storable(key), _storable(row))
        return clean

    def append(self, table: str) -> list[Row]:
        """The list of rows to append to a table."""
        return self.appended.setdefault(table, [])

    def set(self, table: str, key: Key, row: Row | None) -> None:
        """Upsert a row, or delete it with None."""
        self.upserted.setdefault(table, {})[key] = row

    def replace(self, table: str, parent: Key, rows: list[Row]) -> None:
        """Replace all rows whose key begins with `parent`."""
        self.replaced.setdefault(table, {})[parent] = rows

    def insert_once(self, table: str, key: Key, row: Row) -> None:
        """Insert a row unless one with its key exists."""
        self.inserted.setdefault(table, {}).setdefault(key, row)


def _storable(row: Row) -> Row:
    return tuple(value.replace(NUL, NUL_SHOWN) if isinstance(value, str) else value for value in row)
