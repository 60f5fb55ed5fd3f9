"""Cells of files that people keep: empty ones leave a value as it is, ``-`` clears it."""

import re
from collections.abc import Mapping

CLEARED = "-"
ROUNDED = "was rounded by a spreadsheet and its last digits are gone; format the column as text"
_ROUNDED = re.compile(r"[0-9][.,][0-9]+[eE]\+[0-9]+")


def given_cells(cells: Mapping[str, str]) -> dict[str, str]:
    """The cells that say something: those that are not empty, without blanks around them."""
    stripped = {name: cell.strip() for name, cell in cells.items()}
    return {name: cell for name, cell in stripped.items() if cell}


def one_line(cell: str) -> str:
    """A cell with every run of blanks and line ends as one blank."""
    return " ".join(cell.split())


def is_rounded(code: str) -> bool:
    """Whether a code is a number that a spreadsheet rounded: ``4.00638E+12``."""
    return _ROUNDED.fullmatch(code) is not None
