"""What a message did to the books, line by line, for whoever keeps the history."""

from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What moved the books."""

    SALE = "sale"
    RETURN = "return"
    RECEIPT = "receipt"
    COUNT = "count"
    ADJUSTMENT = "adjustment"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    COLLECTED = "collected"
    STAGED = "staged"


class Trace(Protocol):
    """Called once per line: what was said, what it changed in the books, and on hand after it.

    ``change`` is the physical movement at its own time (for a count: what was counted), ``applied`` what the
    books changed by now: 0 when a newer count had already seen the movement.
    """

    def __call__(self, sku: str, kind: Kind, change: int, applied: int, on_hand: int) -> None: ...
