"""Compares current stock (the rows of the inventory worker) with the history (a second fold of the stock log).

Two programs that fold the same log with the same function must end with the same rows. A difference means that one of
them lost, repeated or reordered a record, or that the function is not deterministic.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select

from bopis.domain.inventory.rows import HoldLineState, Level
from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.readside.changes import NO_POSITION
from bopis.readside.engine import Source, reading
from bopis.readside.history.holds import HELD, STAGED
from bopis.readside.schema import consumed, fold_rows, hold_history, hold_lines, holds, levels, movements

DIFFERENCES_MAX = 100
COMPARED = (
    "on_hand", "held", "staged", "in_doubt", "quarantined", "damaged", "counted_ms", "counted_by", "staged_counted",
    "doubted_ms", "sold_since_ms", "sold", "sold_before", "category",
)  # fmt: skip
ROWS_PER_FETCH = 5_000

_level = msgspec.msgpack.Decoder(Level).decode
Sums = dict[tuple[str, str], int]


class Difference(Struct, frozen=True, kw_only=True):
    """One figure with an unexpected value, and the row that it belongs to."""

    where: str
    figure: str
    found: str
    expected: str


class PartitionCompared(Struct, frozen=True, kw_only=True):
    """A partition of the stock log and how far it is in each of the two. They are compared at equal positions only."""

    partition: int
    levels_position: int
    history_position: int
    compared: bool
    cells: int


class Verified(Struct, frozen=True, kw_only=True):
    """The result: at most `DIFFERENCES_MAX` differences are listed, all are counted."""

    partitions: tuple[PartitionCompared, ...]
    differences: tuple[Difference, ...]
    differences_found: int

    @property
    def is_clean(self) -> bool:
        """Whether everything that was compared agrees."""
        return self.differences_found == 0


def verify(source: Source) -> Verified:
    """Compare levels with the history row by row at equal positions, and check the invariants of both."""
    listed: list[Difference] = []
    partitions: list[PartitionCompared] = []
    count = 0
    with reading(source) as connection:
        for partition, (levels_at, history_at) in _positions(connection).items():
            # At unequal positions the two are of different messages; the history alone can be checked.
            is_equal = levels_at == history_at
            cells, found = _compare(connection, partition, is_equal)
            partitions.append(
                PartitionCompared(
                    partition=partition,
                    levels_position=levels_at,
                    history_position=history_at,
                    compared=is_equal,
                    cells=cells,
                )
            )
            count += len(found)
            listed += found[: DIFFERENCES_MAX - len(listed)]
    return Verified(partitions=tuple(partitions), differences=tuple(listed), differences_found=count)


def _positions(connection: Connection) -> dict[int, tuple[int, int]]:
    found: dict[int, list[int]] = {}
    for row in connection.execute(select(consumed).order_by(consumed.c.partition)):
        if row.topic == LEVELS_TOPIC:
            found.setdefault(row.partition, [NO_POSITION, NO_POSITION])[0] = row.source_position
        elif row.topic == STOCK_TOPIC:
            found.setdefault(row.partition, [NO_POSITION, NO_POSITION])[1] = row.position
    return {partition: (pair[0], pair[1]) for partition, pair in found.items()}


def _compare(connection: Connection, partition: int, is_equal: bool) -> tuple[int, list[Difference]]:
    """The number of cells in the history of a partition, and every difference."""
    applied = _applied(connection, partition)
    held, staged = _hold_sums(connection, partition, HELD), _hold_sums(connection, partition, STAGED)
    current = _current(connection, partition) if is_equal else {}
    found: list[Difference] = []
    cells = 0
    for (store, sku), level in _folded(connection, partition):
        cells += 1
        where, cell = f"{store} {sku}", (store, sku)
        figures: dict[str, tuple[Any, Any]] = {
            "on hand in the history": (level.on_hand, applied.pop(cell, 0)),
            "held in the history": (level.held, held.pop(cell, 0)),
            "staged in the history": (level.staged, staged.pop(cell, 0)),
        }
        if is_equal:
            row = current.pop(cell, None)
            figures |= {name: (getattr(row, name, None), getattr(level, name)) for name in COMPARED}
        found += _differing(where, figures)
    # The rest has no row in the fold.
    left = {"on hand": applied, "held": held, "staged": staged}
    for figure, sums in left.items():
        found += [_difference(" ".join(cell), figure, "no row", units) for cell, units in sums.items() if units]
    found += [_difference(f"{store} {sku}", "row", "a level", "none in the history") for store, sku in current]
    if is_equal:
        found += _hold_differences(connection, partition)
    return cells, found


def _differing(where: str, figures: dict[str, tuple[Any, Any]]) -> Iterator[Difference]:
    for figure, (found, expected) in figures.items():
        if found != expected:
            yield _difference(where, figure, found, expected)


def _difference(where: str, figure: str, found: object, expected: object) -> Difference:
    return Difference(where=where, figure=figure, found=str(found), expected=str(expected))


def _folded(connection: Connection, partition: int) -> Iterator[tuple[tuple[str, str], Level]]:
    query = select(fold_rows.c.key, fold_rows.c.row).where(
        fold_rows.c.partition == partition, fold_rows.c.key.not_like("@%")
    )
    # In portions: a large installation has millions of rows.
    for key, row in connection.execution_options(yield_per=ROWS_PER_FETCH).execute(query):
        store, _, sku = key.partition("|")
        yield (store, sku), _level(row)


def _current(connection: Connection, partition: int) -> dict[tuple[str, str], Any]:
    query = select(levels).where(levels.c.partition == partition)
    return {(row.store, row.sku): row for row in connection.execute(query)}


def _applied(connection: Connection, partition: int) -> Sums:
    table = movements
    query = select(table.c.store, table.c.sku, func.sum(table.c.applied)).where(table.c.partition == partition)
    return _sums(connection, query.group_by(table.c.store, table.c.sku))


def _hold_sums(connection: Connection, partition: int, term: str) -> Sums:
    table = hold_history
    query = select(table.c.store, table.c.sku, func.sum(table.c.units)).where(
        table.c.partition == partition, table.c.term == term
    )
    return _sums(connection, query.group_by(table.c.store, table.c.sku))


def _hold_differences(connection: Connection, partition: int) -> Iterator[Difference]:
    """Units of active hold lines must add up to `held` of their levels."""
    lines = (
        select(hold_lines.c.store, hold_lines.c.sku, func.sum(hold_lines.c.quantity))
        .join(holds, (holds.c.store == hold_lines.c.store) & (holds.c.hold == hold_lines.c.hold))
        .where(holds.c.partition == partition, hold_lines.c.state == HoldLineState.HELD.value)
        .group_by(hold_lines.c.store, hold_lines.c.sku)
    )
    by_lines = _sums(connection, lines)
    query = select(levels.c.store, levels.c.sku, levels.c.held).where(levels.c.partition == partition)
    by_levels = _sums(connection, query.where(levels.c.held != 0))
    for cell in sorted(by_lines.keys() | by_levels.keys()):
        if by_lines.get(cell, 0) != by_levels.get(cell, 0):
            yield _difference(" ".join(cell), "held by holds", by_levels.get(cell, 0), by_lines.get(cell, 0))


def _sums(connection: Connection, query: Any) -> Sums:
    return {(store, sku): int(units) for store, sku, units in connection.execute(query)}
