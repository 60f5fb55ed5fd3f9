"""The share of some sources in the books, for example of the messages of one replayed file.

A source is named by the prefix of its name: `replay/DIGEST/` is every store of a file.
"""

from typing import NamedTuple

from sqlalchemy import case, func, select

from bopis.readside.engine import Source, reading
from bopis.readside.schema import devices, levels, movements


class CellBooks(NamedTuple):
    """One SKU in one store: on hand, and what its movements in the history come to.

    `applied` is the sum of all movements in the books, `by_sources` the change by messages of the sources, `others`
    the number of movements by other sources.
    """

    on_hand: int
    applied: int
    by_sources: int
    others: int


def source_marks(source: Source, prefix: str) -> dict[str, int]:
    """By store, the sequence up to which every message of the sources is in the books."""
    query = select(devices.c.store, devices.c.mark).where(devices.c.source.startswith(prefix, autoescape=True))
    with reading(source) as connection:
        return {row.store: row.mark for row in connection.execute(query)}


def books_by_sources(source: Source, prefix: str) -> dict[tuple[str, str], CellBooks]:
    """Every cell with a level or a movement, by (store, SKU)."""
    of_sources = movements.c.source.startswith(prefix, autoescape=True)
    moved = select(
        movements.c.store,
        movements.c.sku,
        func.sum(movements.c.applied),
        func.sum(case((of_sources, movements.c.change), else_=0)),
        func.sum(case((of_sources, 0), else_=1)),
    ).group_by(movements.c.store, movements.c.sku)
    present = select(levels.c.store, levels.c.sku, levels.c.on_hand)
    with reading(source) as connection:
        on_hand = {(store, sku): units for store, sku, units in connection.execute(present)}
        found = {
            (store, sku): CellBooks(on_hand.get((store, sku), 0), int(applied), int(by_sources), int(others))
            for store, sku, applied, by_sources, others in connection.execute(moved)
        }
    return {cell: CellBooks(units, 0, 0, 0) for cell, units in on_hand.items()} | found
