"""Files of rows that commands import: their options, their rows, and the rows that are not valid."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import RowsBroken
from bopis.cli.app.render import counted
from bopis.tables.cells import one_line
from bopis.tables.header import ColumnNames, column_names
from bopis.tables.kinds import check_kind
from bopis.tables.reader import read_table
from bopis.tables.rows import TableRow
from bopis.tables.source import TableFile
from bopis.wire.characters import unclean

PROBLEMS_SHOWN_MAX = 20
FILE_HELP = "CSV with a header, NDJSON or .xlsx."

SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Import the valid rows, skip the others.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, field by field, and change nothing.")]
IgnoreColumns = Annotated[
    list[str] | None,
    typer.Option("--ignore-columns", metavar="NAME", help="Pass this column over; may be given several times."),
]
Encoding = Annotated[
    str | None,
    typer.Option(metavar="ENCODING", help="Encoding of the text; default: UTF-8, UTF-16 if marked, else Windows-1252."),
]


class FileRow(NamedTuple):
    """One row, the line of the file where it begins, and its cells by the known names of its columns."""

    line: int
    cells: dict[str, str]


class RejectedRow(NamedTuple):
    """A row that is not valid: the line of the file where it begins, and its problems."""

    line: int
    problems: list[str]


class FileRows(NamedTuple):
    """The rows of a file that can be read, and the others."""

    rows: list[FileRow]
    rejected: list[RejectedRow]


def read_rows(ctx: CommandContext, file: Path, columns: ColumnNames, encoding: str | None = None) -> FileRows:
    """The rows of a file that may have these columns and no others. Raises the errors of `bopis.tables.errors`."""
    source = TableFile(str(file), encoding)
    try:
        if not check_kind(source) and source.settle_encoding():
            ctx.note(f"{file} is not UTF-8; it is read as Windows-1252. --encoding names another encoding.")
        table = read_table(source)
        if table.has_columns:
            names = dict(zip(table.header, column_names(source.name, table.header, columns), strict=True))
            rows = list(table.rows)
        else:
            rows = list(table.rows)
            # Every object has names of its own.
            header = list(dict.fromkeys(name for row in rows for name in row.fields)) or list(columns.required)
            names = dict(zip(header, column_names(source.name, header, columns), strict=True))
    finally:
        source.close()
    return _read(rows, names)


def refuse_rejected(ctx: CommandContext, file: Path, rejected: list[RejectedRow], valid: int, skip_bad: bool) -> None:
    """Print the first rejected rows of a file; raises `RowsBroken` unless they are to be skipped."""
    for row in rejected[:PROBLEMS_SHOWN_MAX]:
        ctx.note(f"{file}:{row.line}: {'; '.join(row.problems)}")
    if len(rejected) > PROBLEMS_SHOWN_MAX:
        ctx.note(f"... and {len(rejected) - PROBLEMS_SHOWN_MAX} more.")
    if rejected and not skip_bad:
        error = RowsBroken(
            file=file,
            bad=f"{len(rejected):,} of {counted(valid + len(rejected), 'row')}",
            verb="is" if len(rejected) == 1 else "are",
            line=rejected[0].line,
        )
        error.details = {"rejected": documents(rejected)}
        raise error


def documents(rejected: list[RejectedRow]) -> list[dict[str, Any]]:
    """Rejected rows for JSON documents."""
    return [row._asdict() for row in rejected]


def skipped_text(rejected: list[RejectedRow]) -> str:
    """Sentence on the rows that an import skipped; empty when there are none."""
    return f"; {counted(len(rejected), 'row')} skipped" if rejected else ""


def _read(rows: list[TableRow], names: dict[str, str]) -> FileRows:
    read = FileRows([], [])
    for row in rows:
        cells = {names[name]: one_line(cell) for name, cell in row.fields.items() if names[name]}
        problems = [row.cause] if row.cause else list(_problems(row, names, cells))
        if problems:
            read.rejected.append(RejectedRow(row.line, problems))
        else:
            read.rows.append(FileRow(row.line, cells))
    return read


def _problems(row: TableRow, names: dict[str, str], cells: dict[str, str]) -> Iterator[str]:
    for name in row.nested:
        if names[name]:
            yield f"{name} is a list or an object; write several values as one text, separated by semicolons"
    for name, cell in cells.items():
        if character := unclean(cell):
            yield f"{name} contains {character}; check --encoding"
