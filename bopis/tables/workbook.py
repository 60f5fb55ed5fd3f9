"""Rows of an Excel workbook (.xlsx): the first sheet that has any, each cell as the text that a CSV export has."""

import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any

from bopis.tables.errors import NotATable, TableEmpty, TableUnreadable
from bopis.tables.rows import RawRow
from bopis.tables.source import TableFile

UNPACKED_BYTES_MAX = 512 * 1024 * 1024
COLUMNS_MAX = 1_000
SPREADSHEET_DIGITS = 15  # more digits of a number are not kept by spreadsheets: 0.35499999999999998 is 0.355
SPOOLED_BYTES = 4 * 1024 * 1024
_ZEROS = re.compile(r"0{2,}")


def workbook_rows(file: TableFile, named_sheet: str = "") -> Iterator[RawRow]:
    """The rows of a workbook with their numbers: of a named sheet, else of the first visible one that has any.

    Raises `NotATable`, `TableEmpty` or `TableUnreadable`.
    """
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as content:
        for block in file.blocks():
            content.write(block)
        content.seek(0)
        _check_archive(file.name, content)
        rows = 0
        for row in sheet_rows(file.name, content, named_sheet):
            rows += 1
            yield row
        if not rows:
            raise TableEmpty(name=file.name)


def sheet_rows(name: str, content: IO[bytes], named_sheet: str = "") -> Iterator[RawRow]:
    """The rows of a sheet of a workbook that is open: of a named one, else of the first visible one that has any.

    Raises `TableUnreadable`.
    """
    # Imported here: reading a workbook costs 13 MB and 0.1 s, which a CSV file shall not cost.
    import openpyxl  # type: ignore[import-untyped]  # has no types

    # A damaged workbook fails inside the library by any of its errors.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts of a workbook that are no cells
            book = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
        rows = 0
        for sheet in book.worksheets:
            if rows or (sheet.title != named_sheet if named_sheet else sheet.sheet_state != "visible"):
                continue
            sheet.reset_dimensions()
            for row in _rows_of(sheet):
                rows += 1
                yield row
    except Exception as error:
        raise TableUnreadable(name=name, cause=f"the workbook is damaged ({_first_line(error)})") from error


def _check_archive(name: str, content: IO[bytes]) -> None:
    remedy = "Save it as CSV in UTF-8 or as .xlsx."
    try:
        with zipfile.ZipFile(content) as archive:
            names = set(archive.namelist())
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise TableUnreadable(name=name, cause=f"the workbook is damaged ({_first_line(error)})") from error
    if "[Content_Types].xml" not in names or not any(it.startswith("xl/") for it in names):
        raise NotATable(name=name, kind="a zip archive or another kind of office document", remedy=remedy)
    if unpacked > UNPACKED_BYTES_MAX:
        kind = f"a workbook of more than {UNPACKED_BYTES_MAX // 1024 // 1024} MiB"
        raise NotATable(name=name, kind=kind, remedy="Save its sheet as CSV in UTF-8.")
    content.seek(0)


def _rows_of(sheet: Any) -> Iterator[RawRow]:
    for number, cells in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX), start=1):
        values, causes = [], []
        for cell in cells:
            if cell.data_type == "e":
                causes.append(f"cell {cell.coordinate} has the error {cell.value}")
            values.append(cell_text(cell.value, str(cell.number_format or "") if cell.value is not None else ""))
        while values and not values[-1]:
            values.pop()
        if values:
            yield RawRow(number, values, "; ".join(causes), " ".join(" ".join(values).split()))


def cell_text(value: Any, number_format: str) -> str:
    """A cell as text: whole numbers without a point, dates and times in ISO 8601, ``00000`` with its zeros."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() if _ZEROS.fullmatch(number_format):
            return str(value).zfill(len(number_format))
        case float():
            rounded = Decimal(f"{value:.{SPREADSHEET_DIGITS}g}")
            return f"{rounded:f}" if rounded.is_finite() else str(value)
        case datetime():
            # Spreadsheets have one type for days and instants; the format tells which is meant.
            is_day = value.time() == time() and "h" not in number_format.lower()
            return value.date().isoformat() if is_day else _instant(value)
        case time():
            return value.isoformat("seconds" if value.second else "minutes")
        case date():
            return value.isoformat()
        case timedelta():
            return str(value)
        case _:
            return str(value)


def _instant(value: datetime) -> str:
    # Days are binary fractions in the file, so instants are off by parts of a millisecond.
    rounded = value + timedelta(microseconds=500)
    return rounded.isoformat(" ", "milliseconds" if rounded.microsecond >= 1000 else "seconds")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
