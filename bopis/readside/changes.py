"""What a batch of records changes in the tables, before anybody has written it: plain rows by table name."""

from typing import Any, NamedTuple, Protocol

Row = tuple[Any, ...]
Key = tuple[Any, ...]

NO_POSITION = -1


class RecordLike(Protocol):
    """One record of the log as the projection reads it; ``timestamp`` is when the log appended it."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Consumed(NamedTuple):
    """How far a partition was read, and what its changelog notes said (see ``notes``)."""

    position: int = NO_POSITION
    recorded_ms: int = 0
    source_position: int = NO_POSITION
    claim: int = NO_POSITION
    stale: bool = False


class Changes:
    """Rows to append, rows to put under their key or to take away, families of rows to replace as a whole, and rows
    to note unless their key is there.

    A row that changes several times in one batch is written once, as it is at the end of the batch.
    """

    __slots__ = ("appended", "noted", "put", "replaced")

    def __init__(self) -> None:
        self.appended: dict[str, list[Row]] = {}
        # Table to key to row; None takes the row away.
        self.put: dict[str, dict[Key, Row | None]] = {}
        # Table to the first columns of the key to all rows that begin with them.
        self.replaced: dict[str, dict[Key, list[Row]]] = {}
        # Table to key to row, of what may come twice and stands as it came first.
        self.noted: dict[str, dict[Key, Row]] = {}

    def append(self, table: str) -> list[Row]:
        """The list of rows to append to a table."""
        return self.appended.setdefault(table, [])

    def set(self, table: str, key: Key, row: Row | None) -> None:
        """Put a row, or take it away with None."""
        self.put.setdefault(table, {})[key] = row

    def replace(self, table: str, parent: Key, rows: list[Row]) -> None:
        """Put these rows in the place of all that share the parent's key."""
        self.replaced.setdefault(table, {})[parent] = rows

    def note(self, table: str, key: Key, row: Row) -> None:
        """Put a row unless one with its key is there."""
        self.noted.setdefault(table, {}).setdefault(key, row)
