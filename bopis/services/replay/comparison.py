"""Comparison of the books with the plain sum, cell by cell (store and SKU), in current levels and in the history."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct

from bopis.services.catalogue import Catalogue, GtinParser
from bopis.services.replay.plain_sum import Cell


class BookedCell(NamedTuple):
    """One cell in the read side, in units: on hand, the change of on hand by all movements in the history, and the
    movements of the file's own messages; and the number of other movements."""

    on_hand: int
    applied: int
    by_file: int
    others: int


class Books(Protocol):
    """The questions of a replay to the read side."""

    def marks(self, prefix: str) -> Mapping[str, int]:
        """By store the last sequence up to which the sources with this prefix are complete in the books."""
        ...

    def booked(self, prefix: str) -> Mapping[Cell, BookedCell]:
        """Every cell with a row or a movement; `by_file` counts movements of sources with this prefix."""
        ...

    def gaps(self, prefix: str) -> int:
        """The number of missing messages of these sources."""
        ...


class CellMismatch(Struct, frozen=True, kw_only=True):
    """A cell that differs from the file. Sold units left the books, so `expected` is minus the plain sum."""

    store: str
    sku: str
    expected: int
    moved: int
    on_hand: int
    applied: int
    others: int


def by_article(plain: Mapping[Cell, int], catalogue: Catalogue, gtin: GtinParser) -> dict[Cell, int]:
    """The plain sum under the SKUs that the catalogue knows for the file's codes, and of kits under their components.

    The inventory resolves each message by the catalogue before it in the log; here it is the newest one.
    """
    found: dict[Cell, int] = {}
    for (store, code), units in plain.items():
        for part in catalogue.parts(catalogue.resolve(code, gtin) or code):
            cell = (store, part.sku)
            found[cell] = found.get(cell, 0) + units * part.quantity
    return found


def mismatches(plain: Mapping[Cell, int], booked: Mapping[Cell, BookedCell]) -> Iterator[CellMismatch]:
    """Cells where the read side differs from the plain sum over the file.

    Three conditions must hold. The movements of the file's messages equal the plain sum, whatever else moved the same
    cell. On hand equals the change of all movements in the history. And if only the file moved the cell, on hand equals
    the plain sum.
    """
    nothing = BookedCell(0, 0, 0, 0)
    for cell in sorted(plain.keys() | {cell for cell, it in booked.items() if it.by_file}):
        found = booked.get(cell, nothing)
        expected = -plain.get(cell, 0)
        alone_wrong = found.others == 0 and found.on_hand != expected
        if found.by_file != expected or found.on_hand != found.applied or alone_wrong:
            yield CellMismatch(
                store=cell[0],
                sku=cell[1],
                expected=expected,
                moved=found.by_file,
                on_hand=found.on_hand,
                applied=found.applied,
                others=found.others,
            )
