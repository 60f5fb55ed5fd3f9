"""Quantiles that are values which occurred."""

from collections.abc import Sequence
from math import ceil
from typing import TypeVar

Number = TypeVar("Number", int, float)


def quantile(values: Sequence[Number], share: float) -> Number | None:
    """The smallest value that this share of the values does not exceed (nearest rank); None where there is none."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)] if values else None
