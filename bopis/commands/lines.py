"""Lines of a message as people write them: ``SKU=NUMBER``, or ``SKU NUMBER``."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from bopis.commands.errors import LineUnreadable, Usage
from bopis.domain.values import LINES_MAX, QUANTITY_MAX, SKU_LENGTH_MAX

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


class Line(NamedTuple):
    """One SKU and a number of units."""

    sku: str
    units: int


def read_lines(words: Iterable[str], least: int) -> list[Line]:
    """The lines in ``SKU=NUMBER`` or ``SKU NUMBER`` words, each number at least `least`."""
    lines = []
    for word, sku, number in _pairs(words):
        if not sku or not _NUMBER.fullmatch(number):
            raise LineUnreadable(text=word)
        units = int(number)
        if len(sku) > SKU_LENGTH_MAX:
            raise Usage(problem=f"SKU {sku[:20]!r}… is longer than {SKU_LENGTH_MAX} characters.")
        if units < least or abs(units) > QUANTITY_MAX:
            raise Usage(problem=f"{word}: the number must be between {least} and {QUANTITY_MAX}.")
        lines.append(Line(sku, units))
    if len(lines) > LINES_MAX:
        raise Usage(problem=f"{len(lines)} lines are too many for one message; send at most {LINES_MAX} at a time.")
    return lines


def _pairs(words: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    remaining = iter(words)
    for word in remaining:
        sku, equals, number = word.rpartition("=")
        if equals:
            yield word, sku, number
        else:
            following = next(remaining, "")
            yield f"{word} {following}".strip(), word, following


def as_told(lines: Iterable[Any]) -> str:
    """Lines as they are read back to people."""
    return ", ".join(f"{line.sku} x {line.units}" for line in lines)
