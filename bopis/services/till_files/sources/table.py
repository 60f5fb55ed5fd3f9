"""Rows of CSV files and workbooks as records."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bopis.services.till_files.defaults import columns_of
from bopis.services.till_files.errors import TillFileRefused
from bopis.services.till_files.expressions import Names, names_in
from bopis.services.till_files.facts import Item, Record
from bopis.services.till_files.mapping import CarryDown, Mapping
from bopis.services.till_files.rules import columns_of as columns_of_test
from bopis.services.till_files.rules import row_reason
from bopis.services.till_files.sources.row_types import typed_records
from bopis.tables.header import nearest
from bopis.tables.kinds import BLANK, check_kind
from bopis.tables.reader import delimiter_line
from bopis.tables.rows import RawRow, TableRow, csv_rows, delimiter_of, named
from bopis.tables.source import TableFile
from bopis.tables.workbook import workbook_rows

HEADER_ROWS_MAX = 40  # titles and blank lines above a header
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)


class Sheet(NamedTuple):
    """A table with its header, and the rows above that."""

    header: Sequence[str]
    rows: Iterator[TableRow]
    above: Sequence[Record]


def records(file: TableFile, mapping: Mapping) -> Iterator[Record]:
    """The rows of a table, in order. Raises `TillFileRefused` and the errors of `bopis.tables.errors`."""
    raw, delimiter, around = _raw_rows(file, mapping)
    if mapping.rows is not None:
        yield from typed_records(raw, mapping)
        return
    sheet = _with_header(file, mapping, raw, delimiter)
    yield from sheet.above
    order = _Order(mapping.carry_down)
    for row in sheet.rows:
        fields = {name: _bare(value, mapping) for name, value in row.fields.items()}
        why = "" if row.cause else row_reason(mapping.not_stock, list(fields.values()), sheet.header)
        fields |= around if fields else {}
        # Of a row with too few or too many cells only its beginning is known.
        if row.cause and mapping.not_stock:
            cells = next(csv_rows(iter([(row.line, row.text)]), delimiter), None) if delimiter else None
            why = row_reason(mapping.not_stock, cells.values if cells else (), sheet.header)
        cause = "" if why else row.cause or undecoded(row.text) or order.carry(fields)
        if row.cause and not why:
            order.lose()
        items = _items(row, fields, mapping)
        yield Record(str(row.line), fields, items, cause, why, row.text, is_row=mapping.items is None)


class _Raw(NamedTuple):
    """The rows before they have names, the delimiter (empty for a workbook), and columns from around the table."""

    rows: Iterator[RawRow]
    delimiter: str
    around: dict[str, str]


def _raw_rows(file: TableFile, mapping: Mapping) -> _Raw:
    layout = mapping.layout
    if check_kind(file):
        every = list(itertools.islice(workbook_rows(file, layout.sheet), HEADER_ROWS_MAX)) if layout.titles else []
        around = _around(file, mapping, [row.text for row in every])
        rows = workbook_rows(file, layout.sheet)
        return _Raw(itertools.dropwhile(lambda row: row.line < layout.header_at, rows), "", around)
    beginning = list(itertools.islice(file.lines(), HEADER_ROWS_MAX)) if layout.titles else []
    around = _around(file, mapping, beginning)
    numbered = enumerate(file.lines(), start=1)
    lines = itertools.dropwhile(lambda line: line[0] < layout.header_at, numbered)
    ahead = [
        (number, line.lstrip("\ufeff") if number == 1 else line)
        for number, line in itertools.islice(lines, HEADER_ROWS_MAX)
    ]
    delimiter = layout.delimiter
    if ahead and (given := delimiter_line(ahead[0][1])):
        delimiter = delimiter or given
        ahead.pop(0)
    delimiter = delimiter or _best_delimiter([line for _, line in ahead], mapping)
    return _Raw(csv_rows(itertools.chain(ahead, lines), delimiter), delimiter, around)


def _around(file: TableFile, mapping: Mapping, beginning: Sequence[str]) -> dict[str, str]:
    """Columns from the titles above the header and from the name of the file. Raises `TillFileRefused`."""
    found = {}
    for name, pattern in mapping.layout.titles.items():
        match = next((it for line in beginning if (it := re.search(pattern, line))), None)
        if match is None:
            cause = f"no line of its beginning fits layout.titles.{name}, {pattern!r}"
            raise TillFileRefused(name=file.name, cause=cause, remedy="Correct the mapping.")
        found[name] = (match[1] if match.re.groups else match[0]).strip()
    if mapping.layout.file_name:
        match = re.search(mapping.layout.file_name, Path(file.name).name)
        if match is None:
            cause = f"its name does not fit layout.file_name, {mapping.layout.file_name!r}"
            raise TillFileRefused(name=file.name, cause=cause, remedy="Correct the mapping, or the name of the file.")
        found |= {name: (text or "").strip() for name, text in match.groupdict().items()}
    return found


def _best_delimiter(lines: Sequence[str], mapping: Mapping) -> str:
    """The delimiter of the first line that has the most columns of the mapping: titles stand above a header."""
    wanted = set(_wanted(mapping).all)
    best = max(lines, key=lambda line: sum(name in line for name in wanted), default="") if wanted else ""
    return delimiter_of(best)


def _wanted(mapping: Mapping) -> Names:
    """Columns that the file must have, by the expressions of the mapping."""
    stated = [
        *columns_of(mapping).values(),
        *(mapping.carry_down.columns if mapping.carry_down else ()),
        *([mapping.direction.column] if mapping.direction.column is not None else []),
        *(it for test in mapping.direction.in_when for it in columns_of_test(test)),
        *(it.column for it in mapping.words),
        *(it for rule in (*mapping.not_stock, *mapping.warn) for it in columns_of_test(rule)),
        *([mapping.returns.column] if mapping.returns and mapping.returns.column is not None else []),
        *([mapping.till_sequence.device, mapping.till_sequence.number] if mapping.till_sequence else []),
        *([mapping.items.column] if mapping.items else []),
    ]
    found = [names_in(it) for it in stated]
    needed = dict.fromkeys(name for it in found for name in it.needed)
    groups = dict.fromkeys(group for it in found for group in it.alternatives)
    made = _made(mapping)
    if made:
        needed = dict.fromkeys(name for name in needed if name not in made)
        groups = {group: None for group in groups if not set(group) & made}
    return Names(tuple(needed), tuple(groups))


def _made(mapping: Mapping) -> set[str]:
    """Columns that the mapping makes of items, titles and the file's name."""
    patterns = [mapping.layout.file_name, *([mapping.items.pattern] if mapping.items else [])]
    return {*mapping.layout.titles, *(name for pattern in patterns for name in re.compile(pattern).groupindex)}


def _with_header(file: TableFile, mapping: Mapping, raw: Iterator[RawRow], delimiter: str) -> Sheet:
    layout, wanted = mapping.layout, _wanted(mapping)
    header, above, cells_max = list(layout.names), list[Record](), None
    if not header:
        found = _find_header(file.name, mapping, raw, wanted)
        header, cells_max, above = found.header, found.cells, found.above
    if lacking := _lacking(wanted, header):
        raise TillFileRefused(name=file.name, cause=_lacking_text(lacking, header), remedy="Correct the mapping.")
    spelt = _spelt(header, wanted.all)
    rows = raw if delimiter and layout.missing_cells == "refuse" else _filled(raw, len(spelt))
    return Sheet(header, named(spelt, rows, delimiter, cells_max if layout.extra_cells == "refuse" else None), above)


class _Found(NamedTuple):
    """A header, the number of its cells, and the rows above it."""

    header: list[str]
    cells: int
    above: list[Record]


def _find_header(name: str, mapping: Mapping, raw: Iterator[RawRow], wanted: Names) -> _Found:
    """The first row that has every column; of rows that all lack some, the one that lacks the fewest."""
    seen: list[_Found] = []
    above: list[RawRow] = []
    for row in raw:
        if not row.cause and not any(map(str.strip, row.values)):
            continue
        rows = [row, *itertools.islice(raw, mapping.layout.header_lines - 1)]
        header = header_of([it.values for it in rows]) if not row.cause else []
        if header:
            seen.append(_Found(header, max(len(it.values) for it in rows), []))
        if header and (mapping.layout.header_at or not _lacking(wanted, header)):
            return seen[-1]._replace(above=[_above(it, len(header)) for it in above])
        above += rows
        if len(above) >= HEADER_ROWS_MAX:
            break
    if not seen:
        raise TillFileRefused(name=name, cause="it is empty", remedy="Check that the export is complete.")
    return min(seen, key=lambda it: len(_lacking(wanted, it.header)))


def _above(row: RawRow, columns: int) -> Record:
    """A row above the header: a title, or a row of goods that someone sorted to the top."""
    line = str(row.line)
    if not row.cause and 2 * sum(bool(value.strip(BLANK)) for value in row.values) < columns:
        return Record(line, {}, why="title", text=row.text)
    cause = row.cause or "it stands above the header; if it is a title, state layout.header_at in the mapping"
    return Record(line, {}, cause=cause, text=row.text)


def header_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names of columns of one or several rows, joined with a blank; the second of equal names is ``Name#2``."""
    width = max(map(len, rows))
    names = []
    for place in range(width):
        parts = [row[place].strip(BLANK) for row in rows if place < len(row)]
        names.append(" ".join(part for part in parts if part))
    while len(names) > 1 and not names[-1]:
        names.pop()
    counts: dict[str, int] = {}
    for place, name in enumerate(names):
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > 1:
            names[place] = f"{name}#{counts[name]}"
    return names


def _lacking(wanted: Names, header: Sequence[str]) -> list[str]:
    """Wanted columns that a header does not have; of alternatives all, if it has none."""
    present = {name.casefold() for name in header}
    lacking = [name for name in wanted.needed if name.casefold() not in present]
    lacking += [
        " or ".join(group)
        for group in wanted.alternatives
        if group and not any(name.casefold() in present for name in group)
    ]
    return lacking


def _lacking_text(lacking: Sequence[str], header: Sequence[str]) -> str:
    near = {name: nearest(name, header) for name in lacking}
    shown = [f"{name!r}{f' (did you mean {near[name]!r}?)' if near[name] else ''}" for name in lacking]
    return f"it has no column {', '.join(shown)}; it has {', '.join(header)}"


def _spelt(header: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The header with the mapping's spelling of its columns: names compare without case."""
    by_fold = {name.casefold(): name for name in wanted}
    return [name if name in wanted else by_fold.get(name.casefold(), name) for name in header]


def _filled(rows: Iterator[RawRow], columns: int) -> Iterator[RawRow]:
    for row in rows:
        row.values.extend([""] * (columns - len(row.values)))
        yield row


def _bare(value: str, mapping: Mapping) -> str:
    text = value.strip(BLANK + "\u00a0")
    for unwanted in mapping.layout.remove:
        text = text.replace(unwanted, "")
    for wrapped in mapping.layout.unwrap:
        if wrapped == "apostrophe":
            text = text.removeprefix("'")
        elif found := _FORMULA.fullmatch(text):
            text = found[1]
    return text.strip()


def undecoded(text: str) -> str:
    """The cause that a row has bytes which are not of the file's encoding; empty if it has none.

    A rule could not recognise its words in such a row.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return "it has bytes that are not of the file's encoding; state layout.encoding in the mapping"
    return ""


def _items(row: TableRow, fields: dict[str, str], mapping: Mapping) -> tuple[Item, ...]:
    """The items in one cell; none where a row is one line."""
    stated = mapping.items
    if stated is None or row.cause:
        return ()
    pattern = re.compile(stated.pattern)
    items = []
    parts = [part.strip() for part in fields.get(stated.column, "").split(stated.separator)]
    for number, part in enumerate((part for part in parts if part), start=1):
        found = pattern.fullmatch(part)
        named_groups = {name: (text or "").strip() for name, text in found.groupdict().items()} if found else {}
        cause = "" if found else f"item {part!r} does not fit items.pattern in the mapping"
        items.append(Item(f"{row.line}#{number}", fields | named_groups, cause=cause))
    return tuple(items)


class _Order:
    """Fills columns of the further rows of an order from its first row."""

    def __init__(self, stated: CarryDown | None) -> None:
        self._stated = stated
        self._first: dict[str, str] = {}
        self._is_lost = True

    def lose(self) -> None:
        """A row could not be read: it may have been the first one of an order."""
        self._is_lost = True
        self._first = {}

    def carry(self, fields: dict[str, str]) -> str:
        """Fill a row; returns the cause if it cannot be known to which order it belongs."""
        stated = self._stated
        if stated is None:
            return ""
        if stated.while_blank:
            is_further = not fields.get(stated.while_blank, "")
        else:
            is_further = bool(self._first) and fields.get(stated.while_same, "") == self._first.get(stated.while_same)
        if is_further and self._is_lost:
            return "the first row of its order could not be read"
        if not is_further:
            self._first, self._is_lost = dict(fields), False
            return ""
        for column in stated.columns:
            fields[column] = fields.get(column) or self._first.get(column, "")
        return ""
