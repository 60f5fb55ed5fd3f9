"""Sorting of more rows than fit into memory, in a temporary SQLite database."""

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any

ROWS_IN_MEMORY_MAX = 10_000
CACHE_KIBIBYTES = 65_536


class Sorter:
    """Sorts more rows than fit into memory, in a temporary SQLite database.

    Rows are tuples of equal length with numbers, texts and bytes. The database is an unnamed file in the directory for
    temporary files, which disappears with the process.
    """

    def __init__(self, rows_in_memory_max: int = ROWS_IN_MEMORY_MAX, cache_kibibytes: int = CACHE_KIBIBYTES) -> None:
        self._rows_in_memory_max = rows_in_memory_max
        self._rows: list[tuple[Any, ...]] = []
        # With an empty name, SQLite creates a temporary file and deletes it itself.
        self._database = sqlite3.connect("")
        self._database.execute(f"PRAGMA cache_size = -{cache_kibibytes}")
        self._columns: list[str] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """Add one row."""
        self._rows.append(row)
        if len(self._rows) >= self._rows_in_memory_max:
            self._flush()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """All rows in order; may be called more than once."""
        self._flush()
        if not self._columns:
            return iter(())
        return self._database.execute(f"SELECT * FROM sorted ORDER BY {', '.join(self._columns)}")

    def close(self) -> None:
        """Delete the rows and free the disk space."""
        self._database.close()

    def __enter__(self) -> "Sorter":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        if not self._columns:
            self._columns = [f"field_{number}" for number in range(len(self._rows[0]))]
            self._database.execute(f"CREATE TABLE sorted ({', '.join(self._columns)})")
        marks = ", ".join("?" * len(self._columns))
        self._database.executemany(f"INSERT INTO sorted VALUES ({marks})", self._rows)
        self._rows.clear()
