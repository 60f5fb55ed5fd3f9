"""Trace of a message: its effect on the books line by line, for the history."""

from enum import StrEnum
from typing import Protocol


class MovementKind(StrEnum):
    """Kind of movement in the books."""

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
    """Called once per line with its change, its effect on the books, and on hand after it.

    ``change`` is the physical movement at its own time, or the units counted. ``applied`` is the change of on hand: 0
    when a newer count already included the movement.
    """

    def __call__(self, sku: str, kind: MovementKind, change: int, applied: int, on_hand: int) -> None: ...
