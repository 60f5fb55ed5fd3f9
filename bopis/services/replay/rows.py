"""Rows of an export with their line numbers: CSV of any delimiter, or one JSON object per line."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from bopis.services.replay.errors import ExportEmpty
from bopis.services.replay.export import LINE_CHARACTERS_MAX, Export, complete

DELIMITERS = (",", ";", "\t", "|")
ROW_LINES_MAX = 20  # a quoted field may hold line ends, but a quote that is never closed must not eat the file
_BLANK = "\r\n \t"


class Row(NamedTuple):
    """One row: where it begins, what stands under each name, or why it is none."""

    line: int
    fields: dict[str, str]
    cause: str
    text: str


class Table(NamedTuple):
    """An export as rows. ``header`` is empty for NDJSON, whose names are those of its first object."""

    header: Sequence[str]
    names: Sequence[str]
    rows: Iterator[Row]

    @property
    def is_csv(self) -> bool:
        return bool(self.header)


def read_table(export: Export) -> Table:
    """The rows of an export; what it is follows from its first character. Raises `ExportEmpty`."""
    lines = enumerate(export.lines(), start=1)
    for number, line in lines:
        first = line.lstrip("\ufeff")
        if first.strip(_BLANK):
            return _ndjson(first, number, lines) if first.lstrip()[0] == "{" else _csv(first, number, lines)
    raise ExportEmpty(name=export.name)


def _csv(first: str, number: int, lines: Iterator[tuple[int, str]]) -> Table:
    delimiter = max(DELIMITERS, key=first.count)
    header = next(_csv_rows(iter([(number, first)]), delimiter))[1]
    names = [name.strip() for name in header]
    return Table(names, names, _named(names, _csv_rows(lines, delimiter)))


def _named(names: list[str], found: Iterator[tuple[int, list[str], str, str]]) -> Iterator[Row]:
    for line, values, cause, text in found:
        if not cause and len(values) != len(names):
            cause = f"{len(values)} fields, but the header has {len(names)}"
        yield Row(line, {} if cause else dict(zip(names, values, strict=True)), cause, text)


def _csv_rows(lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str], str, str]]:
    """Line number, fields, cause and text of each row.

    Each row is taken apart alone, so that a quote that is never closed costs its own line and no more.
    """
    ahead: list[tuple[int, str]] = []
    while True:
        number, text = ahead.pop(0) if ahead else next(lines, (0, ""))
        if not text:
            return
        if not text.strip(_BLANK):
            continue
        if not complete(text):
            yield number, [], f"longer than {LINE_CHARACTERS_MAX} characters", text[:200]
            continue
        values, cause = _taken_apart(text, delimiter)
        joined, taken = text, 0
        while values is None and not cause and taken < ROW_LINES_MAX:
            if taken == len(ahead):
                following = next(lines, None)
                if following is None:
                    break
                ahead.append(following)
            joined += ahead[taken][1]
            taken += 1
            values, cause = _taken_apart(joined, delimiter)
        if values is None:
            yield number, [], cause or "a quote is opened and never closed", text.rstrip(_BLANK)
            continue
        del ahead[:taken]
        yield number, values, "", joined.rstrip("\r\n")


def _taken_apart(text: str, delimiter: str) -> tuple[list[str] | None, str]:
    """The fields of one row; None without a cause when it goes on in the next line."""
    bare = text.rstrip("\r\n")
    if '"' not in bare:
        return bare.split(delimiter), ""
    try:
        return next(csv.reader((bare,), delimiter=delimiter, strict=True)), ""
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None, ""
    try:
        return next(csv.reader((bare,), delimiter=delimiter)), ""
    except csv.Error as error:
        return None, str(error)


def _ndjson(first: str, number: int, lines: Iterator[tuple[int, str]]) -> Table:
    rows = _json_rows(itertools.chain([(number, first)], lines))
    ahead = next(rows)
    return Table((), list(ahead.fields), itertools.chain([ahead], rows))


def _json_rows(lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    decoder = msgspec.json.Decoder(dict[str, object])
    for number, text in lines:
        bare = text.strip()
        if not bare:
            continue
        try:
            found = decoder.decode(bare)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            yield Row(number, {}, f"not a JSON object: {error}", bare)
            continue
        yield Row(number, {name: "" if value is None else str(value) for name, value in found.items()}, "", bare)
