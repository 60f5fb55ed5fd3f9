"""From file to staged baskets: every row is staged, or rejected with its line number and cause."""

import csv
import re
from array import array
from collections.abc import Callable
from typing import IO, NamedTuple

import msgspec
from msgspec import Struct

from bopis.services.replay.columns import Columns, find_columns
from bopis.services.replay.errors import BadRow, NoGoodRow
from bopis.services.replay.export import Export
from bopis.services.replay.lines import LineReader
from bopis.services.replay.rows import Row, Table, read_table
from bopis.services.replay.staging import Staging, Totals
from bopis.services.replay.times import TimeReader

ROWS_PER_REPORT = 1_000
_LINE_END = re.compile(r"\r\n|\r|\n")

OnRejected = Callable[[int, str], None]
OnRead = Callable[[int], None]


class Reading(Struct, frozen=True, kw_only=True):
    """How an export is to be read: what the user said about it."""

    named_columns: dict[str, str]
    times: TimeReader
    store: str | None = None


class Taken(NamedTuple):
    """What came of an export: its columns, its totals, how many rows were rejected, and the lines they stand on."""

    columns: Columns
    totals: Totals
    rejected: int
    rejected_lines: "array[int]"


class Rejects:
    """Rejected rows as they were, with line number and cause in front, in the export's own format.

    Once mended, such a file can be replayed as it is.
    """

    def __init__(self, into: IO[str] | None, on_rejected: OnRejected) -> None:
        self.rows = 0
        self.lines: array[int] = array("Q")
        self.first: tuple[int, str] | None = None
        self._into = into
        self._on_rejected = on_rejected
        self._is_csv = False

    def begin(self, table: Table) -> None:
        """Write the header."""
        self._is_csv = table.is_csv
        if self._into is not None and self._is_csv:
            csv.writer(self._into).writerow(["reject_line", "reject_cause", *table.header])

    def add(self, row: Row, cause: str) -> None:
        """Keep one rejected row."""
        self.first = self.first or (row.line, cause)
        self.rows += 1
        self.lines.extend(range(row.line, row.line + 1 + len(_LINE_END.findall(row.text))))
        self._on_rejected(row.line, cause)
        if self._into is None:
            return
        if self._is_csv:
            csv.writer(self._into).writerow([row.line, cause, *map(_printable, row.fields.values() or [row.text])])
        else:
            told: dict[str, int | str] = {"reject_line": row.line, "reject_cause": cause}
            told |= {name: _printable(value) for name, value in (row.fields or {"reject_text": row.text}).items()}
            self._into.write(msgspec.json.encode(told).decode() + "\n")


def take_in(export: Export, reading: Reading, staging: Staging, rejects: Rejects, on_read: OnRead) -> Taken:
    """Read an export to its end and stage its baskets. Nothing has been sent before all of it was read."""
    table = read_table(export)
    columns = find_columns(table.names, reading.named_columns, reading.store is not None)
    rejects.begin(table)
    reader = LineReader(columns, reading.times, reading.store)
    rows = 0
    for rows, row in enumerate(table.rows, start=1):
        try:
            staging.add(reader.read(row))
        except BadRow as bad:
            rejects.add(row, str(bad))
        if rows % ROWS_PER_REPORT == 0:
            on_read(export.read_bytes)
    on_read(export.size_bytes)
    if rejects.first and rejects.rows == rows:
        line, cause = rejects.first
        raise NoGoodRow(name=export.name, rows=rows, line=line, cause=cause)
    return Taken(columns, staging.sort(), rejects.rows, rejects.lines)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
