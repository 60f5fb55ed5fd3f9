"""A plain sum over an export, computed apart, to judge the books by.

It reads the file anew with the standard library and takes from the replay only what any reader must be told:
which columns, which lines were rejected, and the options. It knows nothing of messages, sequences, parts or the
order in time.
"""

import csv
import gzip
import io
import itertools
import json
import lzma
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import IO, Any
from zlib import crc32

from msgspec import Struct

from bopis.services.replay.columns import Columns

Cell = tuple[str, str]
Line = tuple[str, str, str, int, str, int, str]
DELIMITERS = (",", ";", "\t", "|")
HEAPS = 64


class Told(Struct, frozen=True, kw_only=True):
    """What a reader of the export must be told."""

    columns: Columns
    encoding: str
    store: str | None = None
    time_format: str | None = None
    rejected_lines: frozenset[int] = frozenset()


def plain_sum(file: IO[bytes], told: Told) -> dict[Cell, int]:
    """Units sold, less units returned, of every SKU in every store; repeated baskets are taken once.

    ``file`` is read from its beginning and closed.
    """
    cells: dict[Cell, int] = {}
    with ExitStack() as opened:
        # All lines of a basket fall on one heap, and one heap at a time fits into memory.
        heaps = [opened.enter_context(tempfile.TemporaryFile("w+")) for _ in range(HEAPS)]
        for line in _lines(file, told):
            print(json.dumps(line), file=heaps[crc32(repr(line[:3]).encode()) % HEAPS])
        for heap in heaps:
            heap.seek(0)
            baskets: dict[tuple[str, str, str], list[tuple[int, str, int, str]]] = {}
            for store, basket, day, *line in map(json.loads, heap):
                baskets.setdefault((store, basket, day), []).append(tuple(line))
            for (store, _, _), lines in baskets.items():
                for sku, quantity in _once(lines):
                    cells[store, sku] = cells.get((store, sku), 0) + quantity
    return cells


def _lines(file: IO[bytes], told: Told) -> Iterator[Line]:
    columns = told.columns
    last: dict[str, tuple[str, str, int]] = {}
    for number, fields in enumerate(_rows(_text(file, told), columns)):
        store = told.store or _joined(fields, columns.store)
        basket, sold_at = _joined(fields, columns.basket), _joined(fields, columns.sold_at)
        day = _day(sold_at, told.time_format)
        if last.get(store, ())[:2] != (basket, day):
            last[store] = (basket, day, number)
        quantity = int(_number(_joined(fields, columns.quantity)))
        rest = f"{sold_at} {_number(_joined(fields, columns.amount) or '0').normalize()}"
        yield store, basket, day, last[store][2], _joined(fields, columns.sku), quantity, rest


def _once(lines: list[tuple[int, str, int, str]]) -> list[tuple[str, int]]:
    """The lines of a basket without stretches that together say all of it again."""
    stretches = [[line[1:] for line in stretch] for _, stretch in groupby(lines, key=itemgetter(0))]
    kept = stretches.pop(0)
    while stretches:
        taken = 0
        again: list[tuple[str, int, str]] = []
        while taken < len(stretches) and len(again) < len(kept):
            again += stretches[taken]
            taken += 1
        if sorted(again) == sorted(kept):
            del stretches[:taken]
        else:
            kept += stretches.pop(0)
    return [(sku, quantity) for sku, quantity, _ in kept]


def _text(file: IO[bytes], told: Told) -> Iterator[str]:
    """The lines of the file without those that were rejected."""
    magic = file.read(2)
    file.seek(0)
    unpacked: Any = file
    if magic == b"\x1f\x8b":
        unpacked = gzip.open(file)  # noqa: SIM115  (ends with the file)
    elif magic == b"\xfd7":
        unpacked = lzma.open(file)  # noqa: SIM115  (ends with the file)
    with io.TextIOWrapper(unpacked, told.encoding, "surrogateescape", "") as text:
        yield from (line for number, line in enumerate(text, start=1) if number not in told.rejected_lines)


def _rows(lines: Iterable[str], columns: Columns) -> Iterator[dict[str, Any]]:
    lines = iter(lines)
    first = next(line for line in lines if line.strip("\ufeff \t\r\n")).lstrip("\ufeff")
    if first.lstrip().startswith("{"):
        return (json.loads(line) for line in itertools.chain([first], lines) if line.strip())
    for delimiter in DELIMITERS:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
        if {*columns.store, *columns.basket, *columns.sku, *columns.quantity} <= set(names):
            break
    return (dict(zip(names, row, strict=True)) for row in csv.reader(lines, delimiter=delimiter) if any(row))


def _joined(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    return " ".join("" if fields.get(name) is None else str(fields[name]).strip() for name in names)


def _number(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


def _day(sold_at: str, time_format: str | None) -> str:
    if time_format:
        return str(datetime.strptime(sold_at, time_format).date())
    if sold_at.isdecimal() and len(sold_at) in (10, 13):
        return str(datetime.fromtimestamp(int(sold_at[:10]), UTC).date())
    return str(datetime.fromisoformat(sold_at).date())
