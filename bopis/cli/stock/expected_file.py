"""Expected goods in a file, and the changes that an announcement makes to the one before."""

from pathlib import Path

from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import Usage
from bopis.cli.app.parse_lines import TypedLine
from bopis.cli.app.record_changes import CHANGED, NEW, UNCHANGED, FieldChange, RecordChange
from bopis.cli.app.row_files import RejectedRow, read_rows, refuse_rejected
from bopis.domain.values import LINES_MAX, QUANTITY_MAX, SKU_LENGTH_MAX
from bopis.readside.queries.answers import IncomingAnswer
from bopis.tables.cells import ROUNDED, is_rounded
from bopis.tables.header import ColumnNames
from bopis.tables.numbers import decimal_of

SKU, QUANTITY = "sku", "quantity"


def read_expected(ctx: CommandContext, file: Path, ignored: list[str] | None, encoding: str | None) -> list[TypedLine]:
    """The lines of a delivery in a file with the columns sku and quantity; every row must be valid.

    Raises the errors of `bopis.tables.errors`, `RowsBroken`, or `Usage` for more lines than one message has.
    """
    columns = ColumnNames((SKU, QUANTITY), (SKU, QUANTITY), frozenset(ignored or ()))
    rows, rejected = read_rows(ctx, file, columns, encoding)
    lines: dict[str, TypedLine] = {}
    for row in rows:
        sku, problems = row.cells.get(SKU, ""), []
        if not sku:
            problems.append("sku is empty")
        elif len(sku) > SKU_LENGTH_MAX:
            problems.append(f"sku is longer than {SKU_LENGTH_MAX} characters")
        elif is_rounded(sku):
            problems.append(f"sku {sku} {ROUNDED}")
        elif sku in lines:
            problems.append(f"sku {sku} is in the file twice; add its quantities")
        units = read_units(row.cells.get(QUANTITY, ""))
        if isinstance(units, str):
            problems.append(units)
        elif not problems:
            lines[sku] = TypedLine(sku, units)
        if problems:
            rejected.append(RejectedRow(row.line, problems))
    refuse_rejected(ctx, file, sorted(rejected), len(lines), skip_bad=False)
    if len(lines) > LINES_MAX:
        raise Usage(
            problem=f"{file} has {len(lines):,} lines; one announcement has at most {LINES_MAX}. Split the file."
        )
    return list(lines.values())


def read_units(text: str) -> int | str:
    """The units in a cell, or the problem with it."""
    if not text:
        return "quantity is empty"
    value = decimal_of(text)
    if value is None:
        return f"quantity {text!r} is not a number"
    if value % 1 != 0:
        return f"quantity {text!r} is not a whole number; count in the SKU's smallest unit, for example grams"
    if not 1 <= value <= QUANTITY_MAX:
        return f"quantity {text!r} is not between 1 and {QUANTITY_MAX}"
    return int(value)


def announcement_changes(before: list[IncomingAnswer], lines: list[TypedLine]) -> list[RecordChange]:
    """The changes to the units of each SKU that a new announcement of a document makes."""
    old = {it.sku: it.quantity for it in before}
    new = {line.sku: line.units for line in lines}
    changes = []
    for sku in sorted(old.keys() | new.keys()):
        kind = NEW if sku not in old else UNCHANGED if old.get(sku) == new.get(sku) else CHANGED
        fields = () if kind == UNCHANGED else (FieldChange(QUANTITY, old.get(sku), new.get(sku)),)
        changes.append(RecordChange(sku, kind, fields))
    return changes
