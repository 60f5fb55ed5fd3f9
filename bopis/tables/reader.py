"""The one reader of tables from outside: CSV, NDJSON and .xlsx, packed or not; other files are refused."""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bopis.tables.errors import TableEmpty, TableUnreadable, TableWithoutRows
from bopis.tables.kinds import BLANK, check_kind
from bopis.tables.rows import NumberedLines, RawRow, TableRow, csv_rows, delimiter_of, json_rows, named
from bopis.tables.source import TableFile
from bopis.tables.workbook import workbook_rows

# Excel writes the delimiter into a line of its own before the header.
_DELIMITER_LINE = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?[\s,;]*')


class Header(NamedTuple):
    """Where the names of columns come from: the first row, or, without one, `names`, else c1, c2, c3 ..."""

    is_in_file: bool = True
    names: tuple[str, ...] = ()


IN_FILE = Header()


class Table(NamedTuple):
    """A file as rows. `header` is empty for NDJSON; its `names` are those of the first object."""

    header: Sequence[str]
    names: Sequence[str]
    rows: Iterator[TableRow]

    @property
    def has_columns(self) -> bool:
        return bool(self.header)


def read_table(file: TableFile, header: Header = IN_FILE) -> Table:
    """The rows of a file, recognised by its content. Raises the errors of `bopis.tables.errors`.

    Rows that cannot be read have a `cause`; rows without any value are passed over.
    """
    if check_kind(file):
        return _with_names(file, workbook_rows(file), header)
    lines = enumerate(file.lines(), start=1)
    for number, line in lines:
        first = line.lstrip("\ufeff")
        if not first.strip(BLANK):
            continue
        if first.lstrip(BLANK)[0] == "{":
            return _ndjson(itertools.chain([(number, first)], lines))
        if given := delimiter_line(first):
            return _with_names(file, csv_rows(lines, given), header, given)
        delimiter = delimiter_of(first)
        return _with_names(file, csv_rows(itertools.chain([(number, first)], lines), delimiter), header, delimiter)
    raise TableEmpty(name=file.name)


def delimiter_line(line: str) -> str:
    """The delimiter in a line ``sep=;`` above a header; empty for any other line."""
    found = _DELIMITER_LINE.fullmatch(line.rstrip("\r\n"))
    return found["delimiter"] if found else ""


def _with_names(file: TableFile, rows: Iterator[RawRow], header: Header, delimiter: str = "") -> Table:
    first = next((row for row in rows if row.cause or any(map(str.strip, row.values))), None)
    if first is None:
        raise TableEmpty(name=file.name)
    if first.cause:
        raise TableUnreadable(name=file.name, cause=f"line {first.line}: {first.cause}")
    if header.is_in_file:
        names = [name.strip(BLANK) for name in first.values]
        while len(names) > 1 and not names[-1]:
            names.pop()
    else:
        names = list(header.names) or [f"c{number}" for number in range(1, len(first.values) + 1)]
        rows = itertools.chain([first], rows)
    # The last cells of a workbook's row are left out when they are empty.
    raw = rows if delimiter else _filled(rows, len(names))
    return Table(names, names, _at_least_one(file, named(names, raw, delimiter)))


def _filled(rows: Iterator[RawRow], columns: int) -> Iterator[RawRow]:
    for row in rows:
        row.values.extend([""] * (columns - len(row.values)))
        yield row


def _ndjson(lines: NumberedLines) -> Table:
    rows = json_rows(lines)
    ahead = next(rows)
    return Table((), list(ahead.fields), itertools.chain([ahead], rows))


def _at_least_one(file: TableFile, rows: Iterator[TableRow]) -> Iterator[TableRow]:
    """The rows. Raises `TableWithoutRows` at their end when there was none."""
    row = None
    for row in rows:
        yield row
    if row is None:
        raise TableWithoutRows(name=file.name)
