"""Reading an export by a mapping file: the baskets of the store agent's reader, staged for a replay."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import msgspec

from bopis.domain.inventory.messages import Condition
from bopis.domain.inventory.outcomes import Outcome, outcome_of, remember
from bopis.services.replay.baskets import StagedLine
from bopis.services.replay.columns import Columns
from bopis.services.replay.errors import NoGoodRow
from bopis.services.replay.intake import IntakeResult, OnRead, RejectedRows
from bopis.services.replay.plain_sum import Cell
from bopis.services.replay.staging import Staging
from bopis.services.sorter import Sorter
from bopis.services.till_files.baskets import ReadBasket
from bopis.services.till_files.facts import NotStock, Rejected
from bopis.services.till_files.mapping import Mapping
from bopis.services.till_files.reader import read_till_file
from bopis.tables.rows import TableRow
from bopis.tables.source import TableFile

FACTS_PER_REPORT = 1_000


class _Read(NamedTuple):
    """A basket as it was read, and its outcome within the file."""

    basket: ReadBasket
    outcome: Outcome


def read_mapped(
    export: TableFile, mapping: Mapping, staging: Staging, rejects: RejectedRows, on_read: OnRead
) -> IntakeResult:
    """Read an export to its end and stage its baskets, each once.

    Goods that came back in another condition than sellable move nothing on the shelf and are left out. A basket that is
    in the file twice is rejected the second time if it has another meaning. Raises the errors of the reader, or
    `NoGoodRow` if every row is rejected.
    """
    rows = left_out = 0
    with Sorter() as baskets:
        for number, fact in enumerate(read_till_file(Path(export.path), mapping)):
            match fact:
                case ReadBasket():
                    baskets.add((fact.key, number, msgspec.msgpack.encode(fact)))
                case Rejected():
                    rejects.add(TableRow(_line(fact.line), {}, "", fact.text), fact.cause)
                case NotStock():
                    left_out += 1
            rows += 1
            if rows % FACTS_PER_REPORT == 0:
                on_read(0)
        for basket, outcome in _outcomes(baskets):
            if outcome is Outcome.NEW:
                left_out += _stage(basket, staging)
            elif outcome is Outcome.DUPLICATE:
                staging.totals.duplicates += 1
            elif outcome is not Outcome.EMPTY:
                row = TableRow(_line(basket.first_line), {}, "", basket.key)
                rejects.add(row, f"basket {basket.basket} is in the file before, with other content")
    for _ in export.blocks():
        pass  # the digest of the content names the messages of a replay
    on_read(export.size_bytes)
    if rejects.first and not staging.totals.lines:
        number, cause = rejects.first
        raise NoGoodRow(name=export.name, rows=rows, line=number, cause=cause, columns=f"by the mapping {mapping.name}")
    nothing = Columns(store=(), basket=(), sku=(), quantity=(), sold_at=())
    return IntakeResult(nothing, staging.sort_baskets(), rejects.rows, rejects.lines, left_out, ())


def mapped_sum(export: TableFile, mapping: Mapping) -> dict[Cell, int]:
    """Units that left the shelf by store and SKU, each basket once: the sum over a further reading of the file."""
    cells: dict[Cell, int] = {}
    with Sorter() as baskets:
        for number, fact in enumerate(read_till_file(Path(export.path), mapping)):
            if isinstance(fact, ReadBasket):
                baskets.add((fact.key, number, msgspec.msgpack.encode(fact)))
        for basket, outcome in _outcomes(baskets):
            for it in basket.net if outcome is Outcome.NEW else ():
                if it.condition is Condition.SELLABLE:
                    cells[basket.store, it.sku] = cells.get((basket.store, it.sku), 0) + it.units
            for line in basket.lines if outcome is Outcome.NEW else ():
                # A cell that nothing moved is compared as well.
                if line.condition in (None, Condition.SELLABLE):
                    cells.setdefault((basket.store, line.sku), 0)
    return cells


def _outcomes(baskets: Sorter) -> Iterator[_Read]:
    """Every basket with its outcome, by key and then in the order of the file."""
    decoder = msgspec.msgpack.Decoder(ReadBasket)
    for _, group in groupby(baskets, key=lambda row: row[0]):
        remembered = None
        for _, _, encoded in group:
            basket = decoder.decode(encoded)
            outcome = outcome_of(basket, remembered)
            if outcome is Outcome.NEW:
                remembered = remember(basket)
            yield _Read(basket, outcome)


def _stage(basket: ReadBasket, staging: Staging) -> int:
    """Stage the lines of a basket that move the shelf; returns the number of the others."""
    lines = [it for it in basket.lines if it.condition in (None, Condition.SELLABLE)]
    number = " ".join(msgspec.json.decode(basket.key, type=list[str])[1:])
    if lines:
        first = _line(basket.first_line)
        staging.keep(basket.store, number, [StagedLine(first, 0, basket.at_ms, it.sku, it.units, 0) for it in lines])
    return len(basket.lines) - len(lines)


def _line(label: str) -> int:
    """The number in a place of a file: of a line, or of the transaction of a line."""
    return int(label.partition("#")[0].partition(".")[0])
