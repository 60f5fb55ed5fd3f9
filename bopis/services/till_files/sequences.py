"""Numbers of devices that are missing between the first and the last one of a file."""

from collections.abc import Iterator
from itertools import pairwise

from bopis.services.till_files.facts import Missing

RANGES_MAX = 1_000  # a device whose numbers jump more often than this does not count
MISSING_NAMED_MAX = 1_000


class Numbers:
    """Numbers by device, kept as unbroken ranges: memory grows with the holes, not with the file."""

    def __init__(self, of_till: bool) -> None:
        self._of_till = of_till
        self._ranges: dict[str, dict[int, int]] = {}  # by its first number the last one of each range
        self._ends: dict[str, dict[int, int]] = {}  # by its last number the first one

    def add(self, device: str, number: int) -> None:
        """Count one number of a device."""
        ranges, ends = self._ranges.setdefault(device, {}), self._ends.setdefault(device, {})
        if number in ranges or number in ends or len(ranges) > RANGES_MAX:
            return
        if any(first <= number <= last for first, last in ranges.items()):
            return
        first, last = number, number
        if (before := ends.pop(number - 1, None)) is not None:
            first = before
            del ranges[before]
        if (after := ranges.pop(number + 1, None)) is not None:
            last = after
            del ends[after]
        ranges[first], ends[last] = last, first

    def missing(self) -> Iterator[Missing]:
        """The numbers that are missing, by device."""
        for device, ranges in sorted(self._ranges.items()):
            holes: list[int] = []
            ordered = sorted(ranges.items())
            for (_, last), (first, _) in pairwise(ordered):
                holes += range(last + 1, min(first, last + 1 + MISSING_NAMED_MAX - len(holes)))
            if holes:
                yield Missing(device, tuple(holes), self._of_till)
