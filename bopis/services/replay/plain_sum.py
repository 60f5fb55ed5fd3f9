"""A plain sum over an export, computed independently of the replay, to compare the books with.

It reads the file again with the standard library (a workbook with the library that reads workbooks) and shares with the
replay only what any reader needs: the columns, the rules, the rejected lines and the options. Messages, sequences,
parts and the order in time do not occur here.
"""

import csv
import gzip
import io
import itertools
import json
import lzma
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import IO, Any, NamedTuple
from zlib import crc32

from msgspec import Struct

from bopis.services.replay.columns import Columns
from bopis.services.replay.rules import ReadingRules
from bopis.tables.workbook import sheet_rows

Cell = tuple[str, str]
DELIMITERS = (",", ";", "\t", "|")
BUCKETS = 64


class SoldLine(NamedTuple):
    """A line of one basket: the stretch of the basket's lines that it is in, and its content."""

    stretch: int
    sku: str
    quantity: int
    rest: str


class PlainSumOptions(Struct, frozen=True, kw_only=True):
    """The options that any reader of the export needs. `header`: the names of the columns of a file without one."""

    columns: Columns
    encoding: str
    store: str | None = None
    time_format: str | None = None
    rejected_lines: frozenset[int] = frozenset()
    rules: ReadingRules = ReadingRules()
    header: tuple[str, ...] = ()


def plain_sum(file: IO[bytes], options: PlainSumOptions) -> dict[Cell, int]:
    """Units sold minus units returned, by store and SKU; repeated baskets count once.

    `file` is read from its first byte and closed.
    """
    cells: dict[Cell, int] = {}
    with ExitStack() as opened:
        # All lines of a basket are in one bucket, and one bucket at a time fits into memory.
        buckets = [opened.enter_context(tempfile.TemporaryFile("w+")) for _ in range(BUCKETS)]
        for basket, line in _lines(file, options):
            print(json.dumps((basket, line)), file=buckets[crc32(repr(basket).encode()) % BUCKETS])
        for bucket in buckets:
            bucket.seek(0)
            baskets: dict[tuple[str, str, str], list[SoldLine]] = {}
            for (store, number, day), fields in map(json.loads, bucket):
                baskets.setdefault((store, number, day), []).append(SoldLine(*fields))
            for (store, _, _), lines in baskets.items():
                for line in _without_repeats(lines):
                    cells[store, line.sku] = cells.get((store, line.sku), 0) + line.quantity
    return cells


def _lines(file: IO[bytes], options: PlainSumOptions) -> Iterator[tuple[tuple[str, str, str], SoldLine]]:
    """Every line, with the store, number and day of its basket."""
    columns = options.columns
    last: dict[str, tuple[str, str, int]] = {}
    for number, fields in enumerate(_sales(file, options)):
        store = options.store or _joined(fields, columns.store)
        basket, sold_at = _joined(fields, columns.basket), _joined(fields, columns.sold_at)
        day = _day(sold_at, options.time_format)
        if last.get(store, ())[:2] != (basket, day):
            last[store] = (basket, day, number)
        quantity = _units(fields, options)
        money = columns.constants.get(columns.money) or _joined(fields, columns.amount)
        rest = f"{sold_at} {_number(money or '0', options.rules.decimal_mark).normalize()}"
        yield (store, basket, day), SoldLine(last[store][2], _joined(fields, columns.sku), quantity, rest)


def _sales(file: IO[bytes], options: PlainSumOptions) -> Iterator[dict[str, Any]]:
    """The rows that all conditions let through."""
    for fields in _rows(file, options):
        if all((_joined(fields, (it.column,)) in it.values) == it.is_equal for it in options.rules.where):
            yield fields


def _units(fields: dict[str, Any], options: PlainSumOptions) -> int:
    columns, rules = options.columns, options.rules
    written = columns.constants.get("quantity") or _joined(fields, columns.quantity)
    name = _joined(fields, columns.unit or columns.sku)
    units = int(_number(written, rules.decimal_mark) * rules.scales.by_name.get(name, rules.scales.all))
    came_back = any((_joined(fields, (it.column,)) in it.values) == it.is_equal for it in rules.returns)
    return -abs(units) if came_back else units


def _without_repeats(lines: list[SoldLine]) -> list[SoldLine]:
    """The lines of a basket without stretches that together repeat all of it."""
    stretches = [list(stretch) for _, stretch in groupby(lines, key=attrgetter("stretch"))]
    kept = stretches.pop(0)
    while stretches:
        taken = 0
        following: list[SoldLine] = []
        while taken < len(stretches) and len(following) < len(kept):
            following += stretches[taken]
            taken += 1
        if sorted(line[1:] for line in following) == sorted(line[1:] for line in kept):
            del stretches[:taken]
        else:
            kept += stretches.pop(0)
    return kept


def _rows(file: IO[bytes], options: PlainSumOptions) -> Iterator[dict[str, Any]]:
    """The rows of the file without the rejected ones."""
    magic = file.read(2)
    file.seek(0)
    unpacked: Any = file
    if magic == b"\x1f\x8b":
        unpacked = gzip.open(file)  # noqa: SIM115  (ends with the file)
    elif magic == b"\xfd7":
        unpacked = lzma.open(file)  # noqa: SIM115  (ends with the file)
    magic = unpacked.read(2)
    unpacked.seek(0)
    if magic == b"PK":
        cells = (it for it in sheet_rows("the workbook", unpacked) if any(it.values))
        names = options.header or [name.strip() for name in next(cells).values]
        kept = (it.values for it in cells if it.line not in options.rejected_lines)
        yield from (dict(zip(names, row, strict=False)) for row in kept)
        return
    with io.TextIOWrapper(unpacked, options.encoding, "surrogateescape", "") as text:
        kept_lines = (line for number, line in enumerate(text, start=1) if number not in options.rejected_lines)
        yield from _text_rows(kept_lines, options)


def _text_rows(lines: Iterator[str], options: PlainSumOptions) -> Iterator[dict[str, Any]]:
    columns = options.columns
    first = next(line for line in lines if line.strip("\ufeff \t\r\n\x1a,;|")).lstrip("\ufeff")
    if first.lstrip().startswith("{"):
        return (json.loads(line) for line in itertools.chain([first], lines) if line.strip(" \t\r\n\x1a"))
    if first.lower().lstrip('"').startswith("sep="):
        first = next(line for line in lines if line.strip())
    while first.count('"') % 2:
        first += next(lines)
    used = {*columns.store, *columns.basket, *columns.sku, *columns.quantity, *columns.sold_at}
    for delimiter in DELIMITERS:
        found = [name.strip() for name in next(csv.reader(first.splitlines(keepends=True), delimiter=delimiter))]
        if used <= set(found) if not options.header else len(found) >= len(options.header) > 1:
            break
    names = options.header or found
    rows = csv.reader(itertools.chain([first] if options.header else [], lines), delimiter=delimiter)
    return (dict(zip(names, row, strict=False)) for row in rows if any(it.strip(" \t\x1a") for it in row))


def _joined(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    return " ".join("" if fields.get(name) is None else str(fields[name]).strip() for name in names)


def _number(text: str, decimal_mark: str) -> Decimal:
    """A number: the last of two kinds of marks is that of decimals, and a mark that occurs twice is not."""
    text = "".join(it for it in text if not it.isspace() and it not in "'\u2019")
    marks = [it for it in text if it in ",."]
    decimals = decimal_mark or (marks[-1] if len(set(marks)) == 2 or len(marks) == 1 else "")
    whole, _, fraction = text.rpartition(decimals) if decimals and decimals in text else (text, "", "")
    number = Decimal(whole.replace(",", "").replace(".", "") + ("." + fraction if fraction else ""))
    return number if number == int(number) else Decimal(f"{number:.15g}")


def _day(sold_at: str, time_format: str | None) -> str:
    if time_format:
        return str(datetime.strptime(sold_at, time_format).date())
    if sold_at.isdecimal() and len(sold_at) in (10, 13):
        return str(datetime.fromtimestamp(int(sold_at[:10]), UTC).date())
    return str(datetime.fromisoformat(sold_at).date())
