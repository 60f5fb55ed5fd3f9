"""Rows of a text with their line numbers: CSV with any of four delimiters, or one JSON object per line."""

import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from bopis.tables.kinds import BLANK
from bopis.tables.source import LINE_CHARACTERS_MAX, complete

DELIMITERS = (",", ";", "\t", "|")
ROW_LINES_MAX = 20  # a quoted field may contain line ends, but an unclosed quote must not swallow the file

NumberedLines = Iterator[tuple[int, str]]


class TableRow(NamedTuple):
    """One row: its first line number, its fields by name, and the cause if it cannot be read.

    `nested` names the fields of a JSON object that are lists or objects; their text is their JSON.
    """

    line: int
    fields: dict[str, str]
    cause: str
    text: str
    nested: tuple[str, ...] = ()


class RawRow(NamedTuple):
    """One row before its fields have names."""

    line: int
    values: list[str]
    cause: str
    text: str


def delimiter_of(header: str) -> str:
    """The delimiter of a header line: commas occur in names and numbers of the rows, so only the header decides."""
    unquoted = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=unquoted.count)


def named(
    names: Sequence[str], rows: Iterator[RawRow], delimiter: str = "", cells_max: int | None = None
) -> Iterator[TableRow]:
    """Rows with their fields by name; rows without any value are passed over.

    Spreadsheets write empty cells behind the last column: those do not count, or only up to `cells_max` cells.
    """
    hint = f": quote a value that contains {delimiter!r}" if delimiter else ""
    for line, values, cause, text in rows:
        if not cause and not any(value and value.strip(BLANK) for value in values):
            continue
        is_over = cells_max is not None and len(values) > cells_max
        if not cause and not is_over and len(values) > len(names) and not any(map(str.strip, values[len(names) :])):
            del values[len(names) :]
        if not cause and len(values) != len(names):
            cause = f"{len(values)} fields, but the header has {len(names)}{hint if len(values) > len(names) else ''}"
        yield TableRow(line, {} if cause else dict(zip(names, values, strict=True)), cause, text)


def csv_rows(lines: NumberedLines, delimiter: str) -> Iterator[RawRow]:
    """Rows of numbered lines. Each row is parsed alone, so that an unclosed quote rejects its own line only."""
    ahead: list[tuple[int, str]] = []
    while True:
        number, text = ahead.pop(0) if ahead else next(lines, (0, ""))
        if not text:
            return
        if not text.strip(BLANK):
            continue
        if not complete(text):
            yield RawRow(number, [], f"longer than {LINE_CHARACTERS_MAX} characters", text[:200])
            continue
        values, cause = _split(text, delimiter)
        joined, taken = text, 0
        while values is None and not cause and taken < ROW_LINES_MAX:
            if taken == len(ahead):
                following = next(lines, None)
                if following is None:
                    break
                ahead.append(following)
            joined += ahead[taken][1]
            taken += 1
            values, cause = _split(joined, delimiter)
        if values is None:
            yield RawRow(number, [], cause or "not CSV: a quote is opened and never closed", text.rstrip(BLANK))
            continue
        del ahead[:taken]
        yield RawRow(number, values, "", joined.rstrip("\r\n"))


def json_rows(lines: NumberedLines) -> Iterator[TableRow]:
    """One row per line, each a JSON object; NULL is empty, true and false are these words."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, text in lines:
        bare = text.strip(BLANK)
        if not bare:
            continue
        try:
            found = decoder.decode(bare)
            fields = {name: json_text(value) for name, value in found.items()}
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            yield TableRow(number, {}, f"line {number} is not a JSON object: {error}", bare)
            continue
        # The decoder keeps the last of equal names; only a line with more colons than names can have some.
        cause = repeated_name(bare) if bare.count(":") > len(found) else ""
        nested = tuple(name for name, value in found.items() if isinstance(value, list | dict))
        yield TableRow(number, {} if cause else fields, cause, bare, nested)


def _split(text: str, delimiter: str) -> tuple[list[str] | None, str]:
    """The fields of one row and the cause if there are none; (None, "") if the row continues in the next line."""
    bare = text.rstrip("\r\n")
    # Most rows have no quotes, and splitting is several times faster than the csv module.
    if '"' not in bare:
        return bare.split(delimiter), ""
    try:
        return next(csv.reader((bare,), delimiter=delimiter, strict=True)), ""
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None, ""
    # Strict parsing failed within the row; tills also write quotes inside of unquoted fields.
    try:
        return next(csv.reader((bare,), delimiter=delimiter)), ""
    except csv.Error as error:
        return None, str(error)


def json_text(value: Any) -> str:
    """A value of a JSON object as the text of a cell."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | dict():
            return msgspec.json.encode(value).decode(errors="replace")
        case _:
            return str(value)


def repeated_name(text: str) -> str:
    """The cause that an object has one name twice; empty if none of its names is."""
    repeated: list[str] = []

    def see(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        repeated[:] = [name for name in names if names.count(name) > 1]  # the outermost object comes last

    try:
        json.loads(text, object_pairs_hook=see)
    except (ValueError, RecursionError):
        return ""
    return f"field {repeated[0]!r} occurs twice" if repeated else ""
