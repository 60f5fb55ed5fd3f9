"""Reading an export: every row is staged, or rejected with its line number and cause."""

import csv
import re
from array import array
from collections.abc import Callable
from typing import IO, NamedTuple

import msgspec
from msgspec import Struct

from bopis.services.replay.columns import Columns, find_columns
from bopis.services.replay.errors import NoGoodRow, NoRowMeets
from bopis.services.replay.lines import LineReader
from bopis.services.replay.rules import ReadingRules
from bopis.services.replay.staging import Staging, Totals
from bopis.services.replay.times import TimeReader
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.mapping import Mapping
from bopis.tables.reader import IN_FILE, Header, Table, read_table
from bopis.tables.rows import TableRow
from bopis.tables.source import TableFile

ROWS_PER_REPORT = 1_000
_LINE_END = re.compile(r"\r\n|\r|\n")

OnRejected = Callable[[int, str], None]
OnRead = Callable[[int], None]


class IntakeOptions(Struct, frozen=True, kw_only=True):
    """How to read an export: the user's options."""

    named_columns: dict[str, str]
    times: TimeReader
    store: str | None = None
    rules: ReadingRules = ReadingRules()
    header: Header = IN_FILE
    mapping: Mapping | None = None


class IntakeResult(NamedTuple):
    """Columns and totals of an export, the number of rejected rows and their line numbers, the rows left out, and
    the names of the columns of a file without a header."""

    columns: Columns
    totals: Totals
    rejected: int
    rejected_lines: "array[int]"
    left_out: int
    header: tuple[str, ...]


class RejectedRows:
    """Writes rejected rows unchanged, with line number and cause in front, in the format of the export.

    After the rows are corrected, such a file can be replayed itself.
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
        self._is_csv = table.has_columns
        if self._into is not None and self._is_csv:
            csv.writer(self._into).writerow(["reject_line", "reject_cause", *table.header])

    def add(self, row: TableRow, cause: str) -> None:
        """Write one rejected row."""
        self.first = self.first or (row.line, cause)
        self.rows += 1
        self.lines.extend(range(row.line, row.line + 1 + len(_LINE_END.findall(row.text))))
        self._on_rejected(row.line, cause)
        if self._into is None:
            return
        if self._is_csv:
            csv.writer(self._into).writerow([row.line, cause, *map(_printable, row.fields.values() or [row.text])])
        else:
            document: dict[str, int | str] = {"reject_line": row.line, "reject_cause": cause}
            document |= {name: _printable(value) for name, value in (row.fields or {"reject_text": row.text}).items()}
            self._into.write(msgspec.json.encode(document).decode() + "\n")


def read_export(
    export: TableFile, reading: IntakeOptions, staging: Staging, rejects: RejectedRows, on_read: OnRead
) -> IntakeResult:
    """Read an export to its end and stage its baskets.

    Raises the errors of `bopis.tables.errors` and of the columns, `NoRowMeets`, or `NoGoodRow` if every row is
    rejected.
    """
    table = read_table(export, reading.header)
    columns = find_columns(table.names, reading.named_columns, reading.store is not None)
    rules = reading.rules.named_as_in(table.names)
    rejects.begin(table)
    reader = LineReader(columns, reading.times, reading.store, rules)
    rows = left_out = 0
    for rows, row in enumerate(table.rows, start=1):
        try:
            line = reader.read(row)
            if line is None:
                left_out += 1
            else:
                staging.add(line)
        except BadRow as bad:
            rejects.add(row, str(bad))
        if rows % ROWS_PER_REPORT == 0:
            on_read(export.read_bytes)
    on_read(export.size_bytes)
    if rejects.first and rejects.rows == rows - left_out:
        number, cause = rejects.first
        raise NoGoodRow(name=export.name, rows=rows, line=number, cause=cause, columns=columns_text(columns))
    if left_out == rows:
        conditions = "; ".join(condition.text for condition in reading.rules.where)
        raise NoRowMeets(name=export.name, rows=rows, conditions=conditions)
    names = () if reading.header.is_in_file else tuple(table.names)
    return IntakeResult(columns, staging.sort(), rejects.rows, rejects.lines, left_out, names)


def columns_text(columns: Columns) -> str:
    """The columns that were taken, for people: ``store=Store, quantity=1 (for every row)``."""
    return ", ".join(
        f"{field}={column}{' (for every row)' if field in columns.constants else ''}"
        for field, column in columns.taken.items()
    )


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
