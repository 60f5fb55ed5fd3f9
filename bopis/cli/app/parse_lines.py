"""Lines of a message as people type them: ``SKU=NUMBER``, or ``SKU NUMBER``; weighed goods also as ``BAN=0.5kg``."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from bopis.cli.app.errors import LineUnreadable, QuantityUnreadable, Usage
from bopis.domain.quantities import EACH, Unreadable, quantity_text, read_quantity, unreadable_text
from bopis.domain.values import LINES_MAX, QUANTITY_MAX, SKU_LENGTH_MAX

# The unit of a typed code.
UnitOf = Callable[[str], str]


class TypedLine(NamedTuple):
    """One SKU and a quantity in its smallest unit."""

    sku: str
    units: int
    unit: str = EACH


def _each(code: str) -> str:  # noqa: ARG001  (a `UnitOf`)
    return EACH


def read_lines(
    words: Iterable[str], least: int, unit_of: UnitOf = _each, most: int | None = LINES_MAX
) -> list[TypedLine]:
    """The lines in ``SKU=NUMBER`` or ``SKU NUMBER`` words: at most `most` (None: the caller has a limit of its own),
    each number at least `least`. Raises `LineUnreadable`, `QuantityUnreadable` or `Usage`."""
    lines = []
    for word, sku, number in _pairs(words):
        if not sku:
            raise LineUnreadable(text=word)
        unit = unit_of(sku)
        units = read_quantity(number, unit)
        if units is Unreadable.NO_NUMBER:
            raise LineUnreadable(text=word)
        if isinstance(units, Unreadable):
            raise QuantityUnreadable(sku=sku, problem=unreadable_text(units, number, unit))
        if len(sku) > SKU_LENGTH_MAX:
            raise Usage(problem=f"SKU {sku[:20]!r}… is longer than {SKU_LENGTH_MAX} characters.")
        if units < least or abs(units) > QUANTITY_MAX:
            raise Usage(problem=f"{word}: the number must be between {least} and {QUANTITY_MAX}.")
        lines.append(TypedLine(sku, units, unit))
    if most is not None and len(lines) > most:
        raise Usage(problem=f"{len(lines)} lines are too many; give at most {most} at a time.")
    return lines


def line_text(lines: Iterable[TypedLine]) -> str:
    """Lines as they are repeated to people: ``4011 x 24, BAN 500 g``."""
    return ", ".join(
        f"{line.sku} x {line.units}" if line.unit == EACH else f"{line.sku} {quantity_text(line.units, line.unit)}"
        for line in lines
    )


def _pairs(words: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Each line as it was typed, its SKU and its number."""
    remaining = iter(words)
    for word in remaining:
        sku, equals, number = word.rpartition("=")
        if equals:
            yield word, sku, number
        else:
            following = next(remaining, "")
            yield f"{word} {following}".strip(), word, following
