"""Rows of several types in one file; the first cell names the type: heads of receipts, lines, payments, totals."""

from collections.abc import Iterator, Sequence

from bopis.services.till_files.facts import Record
from bopis.services.till_files.mapping import Mapping, RowTypes
from bopis.tables.kinds import BLANK
from bopis.tables.rows import RawRow


def typed_records(rows: Iterator[RawRow], mapping: Mapping) -> Iterator[Record]:
    """The lines of goods with the columns of the heads above them; rows that are no stock, and rejects."""
    stated = mapping.rows or RowTypes(heads={}, lines={})
    heads: dict[str, dict[str, str]] = {}
    lost = False
    for row in rows:
        values = [value.strip(BLANK + "\u00a0") for value in row.values]
        word = values[0] if values else ""
        if row.cause:
            lost = True
            yield Record(str(row.line), {}, cause=row.cause, text=row.text)
        elif word in stated.heads:
            fields, cause = named_cells(stated.heads[word], values)
            # A new head ends those that were behind the last one of its type.
            kinds = list(stated.heads)
            heads = {kind: it for kind, it in heads.items() if kinds.index(kind) < kinds.index(word)}
            heads[word], lost = fields, bool(cause)
            if cause:
                yield Record(str(row.line), {}, cause=cause, text=row.text)
            else:
                yield Record(str(row.line), {}, why="head", text=row.text)
        elif word in stated.lines:
            fields, cause = named_cells(stated.lines[word], values)
            above = {name: text for head in heads.values() for name, text in head.items()}
            cause = cause or ("the head of its receipt could not be read" if lost else "")
            yield Record(str(row.line), above | fields, cause=cause, text=row.text, is_row=True)
        elif word in stated.pass_over:
            yield Record(str(row.line), {}, why=stated.pass_over[word], text=row.text)
        elif any(values):
            cause = f"type of row {word!r} is not known; add it to rows.pass_over in the mapping"
            yield Record(str(row.line), {}, cause=cause, text=row.text)


def named_cells(names: Sequence[str], values: Sequence[str]) -> tuple[dict[str, str], str]:
    """The cells of a row by name, and the cause if it has more than names; cells at the end may be left out."""
    if len(values) > len(names) and any(values[len(names) :]):
        return {}, f"{len(values)} cells, the mapping names {len(names)}"
    return dict(zip(names, [*values, *[""] * len(names)], strict=False)), ""
