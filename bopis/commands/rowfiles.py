"""Small files of rows: CSV with a header, or one JSON object per line."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from bopis.commands.errors import FileUnreadable, InvalidInput

JSON_ENDINGS = (".ndjson", ".jsonl", ".json")


class FileRow(NamedTuple):
    """One row and where it ends in the file; every cell is text."""

    line: int
    cells: dict[str, str]


def read_rows(file: Path) -> Iterator[FileRow]:
    """The rows of a CSV or NDJSON file, told apart by its ending or its first character."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(file=file, cause=error) from error
    if file.suffix.lower() in JSON_ENDINGS or text.lstrip()[:1] == "{":
        return _objects(file, text)
    return _csv(file, text)


def _csv(file: Path, text: str) -> Iterator[FileRow]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    try:
        for cells in reader:
            yield FileRow(
                reader.line_num, {str(k).strip(): v or "" for k, v in cells.items() if isinstance(v, str | None)}
            )
    except csv.Error as error:
        raise InvalidInput(problem=f"{file} line {reader.line_num}: no CSV ({error}).") from error


def _objects(file: Path, text: str) -> Iterator[FileRow]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            cells = msgspec.json.decode(line, type=dict[str, str | int | float | None])
        except msgspec.MsgspecError as error:
            raise InvalidInput(problem=f"{file} line {number}: no JSON object of plain values ({error}).") from error
        yield FileRow(number, {name: "" if value is None else str(value) for name, value in cells.items()})
