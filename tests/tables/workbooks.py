"""Small workbooks for the tests."""

import io
from collections.abc import Sequence
from typing import Any

import openpyxl  # type: ignore[import-untyped]  # has no types


def workbook(rows: Sequence[Sequence[Any]], formats: dict[str, str] | None = None) -> bytes:
    """A workbook with one sheet; `formats` are number formats by cell."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for cell, number_format in (formats or {}).items():
        sheet[cell].number_format = number_format
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()
