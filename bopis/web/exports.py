"""Whole tables to download, as CSV or Parquet: a stream of pages, one of which is in memory at a time."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from starlette.responses import Response, StreamingResponse

from bopis.adapters.errors import ParquetMissing
from bopis.adapters.parquet import Cell, Column, ParquetTable, Row
from bopis.web.endpoint import Call
from bopis.web.problems import Problem, problem_response

EXPORT_ROWS = 5_000
# A spreadsheet takes a text that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Pages = AsyncIterator[Sequence[Row]]


class FileKind(StrEnum):
    """Kinds of files to download; the value ends their names."""

    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {FileKind.CSV: "text/csv; charset=utf-8", FileKind.PARQUET: "application/vnd.apache.parquet"}


async def download(call: Call, name: str, columns: Sequence[Column], pages: Pages) -> Response:
    """A table as a file of the kind that the path ends with. A problem document without the package that makes it."""
    path = call.request.url.path
    kind = FileKind(path.rpartition(".")[2])
    headers = {"Content-Disposition": f'attachment; filename="{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{kind.value}"'}
    if kind is FileKind.CSV:
        return StreamingResponse(
            _csv(columns, pages), headers=headers | dict(call.headers), media_type=MEDIA_TYPES[kind]
        )
    try:
        table = await call.site.in_thread(ParquetTable, columns)
    except ParquetMissing as error:
        return problem_response(Problem(501, "parquet-missing", str(error)), path)
    parts = _parquet(call, table, pages)
    return StreamingResponse(parts, headers=headers | dict(call.headers), media_type=MEDIA_TYPES[kind])


async def checked(pages: Pages) -> Pages:
    """The pages, of which the first is read already: what is wrong is answered as a problem, not amid a file."""
    first = await anext(pages, None)

    async def all_of_them() -> Pages:
        if first is not None:
            yield first
        async for page in pages:
            yield page

    return all_of_them()


async def _csv(columns: Sequence[Column], pages: Pages) -> AsyncIterator[str]:
    yield csv_lines([[it.name for it in columns]])
    async for page in pages:
        yield csv_lines([csv_cell(it) for it in row] for row in page)


async def _parquet(call: Call, table: ParquetTable, pages: Pages) -> AsyncIterator[bytes]:
    async for page in pages:
        yield await call.site.in_thread(table.group, page)
    yield await call.site.in_thread(table.end)


def csv_cell(cell: Cell) -> str | int:
    """A value as it is written in CSV: instants in ISO 8601, nothing as an empty text."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return plain_cell(cell) if isinstance(cell, str) else cell


def plain_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_lines(rows: Iterable[Iterable[str | int]]) -> str:
    """Rows as CSV (RFC 4180)."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
