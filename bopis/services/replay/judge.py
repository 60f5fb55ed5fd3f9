"""The books against the plain sum: cell by cell, in the present and in the history."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct

Cell = tuple[str, str]
SHOWN_MAX = 20


class Booked(NamedTuple):
    """What the read side says of one cell.

    On hand; what all movements in the history changed in the books; what those of the file's own messages moved;
    how many movements others made.
    """

    on_hand: int
    applied: int
    by_file: int
    others: int


class Books(Protocol):
    """The read side, as far as a replay needs it."""

    def marks(self, prefix: str) -> Mapping[str, int]:
        """Per store up to which sequence the sources with this prefix are in the books without a hole."""
        ...

    def booked(self, prefix: str) -> Mapping[Cell, Booked]:
        """Every cell that has a row or a movement; ``by_file`` counts movements of sources with this prefix."""
        ...

    def gaps(self, prefix: str) -> int:
        """How many messages of these sources are missing."""
        ...


class Mismatch(Struct, frozen=True, kw_only=True):
    """A cell that is not what the file says; what was sold left the books, so expected is minus the plain sum."""

    store: str
    sku: str
    expected: int
    moved: int
    on_hand: int
    applied: int
    others: int


def mismatches(plain: Mapping[Cell, int], booked: Mapping[Cell, Booked]) -> Iterator[Mismatch]:
    """Cells where the read side differs from the plain sum over the file.

    Three things must hold. What the file's messages moved in the history is what the plain sum says, whoever
    else moved the same cell. On hand is what all movements in the history applied. And where nobody else moved
    the cell, on hand itself is the plain sum.
    """
    nothing = Booked(0, 0, 0, 0)
    for cell in sorted(plain.keys() | {cell for cell, it in booked.items() if it.by_file}):
        found = booked.get(cell, nothing)
        expected = -plain.get(cell, 0)
        alone_wrong = found.others == 0 and found.on_hand != expected
        if found.by_file != expected or found.on_hand != found.applied or alone_wrong:
            yield Mismatch(
                store=cell[0],
                sku=cell[1],
                expected=expected,
                moved=found.by_file,
                on_hand=found.on_hand,
                applied=found.applied,
                others=found.others,
            )
