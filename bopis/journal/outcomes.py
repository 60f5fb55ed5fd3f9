"""Rules of baskets that come more than once: new, duplicate, changed; and the difference that a change books."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct

from bopis.domain.inventory.messages import (
    AdjustmentReason,
    ChangeLine,
    Condition,
    PosReturn,
    PosSale,
    Report,
    SaleLine,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from bopis.domain.values import LINES_MAX, TEXT_LENGTH_MAX
from bopis.journal.entries import Basket, Outcome

T = TypeVar("T")

OUTSIDE_BOOKS = frozenset({AdjustmentReason.QUARANTINE_RELEASED, AdjustmentReason.QUARANTINE_SCRAPPED})


class Remembered(Struct, frozen=True):
    """The version of a basket that is booked: its fingerprint, the name of its type, and the change of on hand by SKU;
    None where the change is not known from the message alone."""

    fingerprint: bytes
    kind: str
    units: Mapping[str, int] | None


def outcome(basket: Basket, remembered: Remembered | None) -> Outcome:
    """A basket that is not remembered is new, one with the same fingerprint a duplicate, any other one changed."""
    if remembered is None:
        return Outcome.NEW
    return Outcome.DUPLICATE if remembered.fingerprint == basket.fingerprint else Outcome.CHANGED


def remember(basket: Basket) -> Remembered:
    """What is remembered of a basket once it is booked."""
    return Remembered(basket.fingerprint, type(basket.body).__name__, units_of(basket.body))


def units_of(body: Report) -> dict[str, int] | None:
    """The change of on hand by SKU that a message makes alone; None where other messages decide it too (counts,
    transfers) or units go to shelves outside of the books."""
    match body:
        case PosSale():
            return _sums((line.sku, -line.quantity) for line in body.lines)
        case PosReturn():
            if any(line.condition is not Condition.SELLABLE for line in body.lines):
                return None
            return _sums((line.sku, line.quantity) for line in body.lines)
        case StockReceived():
            return _sums((line.sku, line.quantity) for line in body.lines)
        case StockAdjusted():
            return None if body.reason in OUTSIDE_BOOKS else _sums((line.sku, line.change) for line in body.lines)
        case _:
            return None


def difference(basket: Basket, booked: Remembered) -> tuple[Report, ...] | None:
    """The messages that turn the booked version of a basket into this one; empty when both change on hand equally.

    A sale that replaces a sale is booked as a sale of the difference, other types as a correction. A count is booked as
    it is: it is absolute, at its own time. None when the difference cannot be known.
    """
    body = basket.body
    if isinstance(body, StockCounted) and booked.kind == StockCounted.__name__:
        return (body,)
    now = units_of(body)
    if now is None or booked.units is None:
        return None
    changes = {sku: now.get(sku, 0) - booked.units.get(sku, 0) for sku in sorted({*now, *booked.units})}
    changes = {sku: change for sku, change in changes.items() if change}
    if isinstance(body, PosSale) and booked.kind == PosSale.__name__:
        sold = [SaleLine(sku, -change) for sku, change in changes.items()]
        return tuple(PosSale(basket=body.basket, lines=part) for part in _parts(sold))
    lines = [ChangeLine(sku=sku, change=change) for sku, change in changes.items()]
    note = f"changed basket {basket.key}"[:TEXT_LENGTH_MAX]
    return tuple(StockAdjusted(reason=AdjustmentReason.CORRECTION, lines=part, note=note) for part in _parts(lines))


def _sums(changes: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for sku, change in changes:
        sums[sku] = sums.get(sku, 0) + change
    return sums


def _parts(lines: list[T]) -> Iterator[tuple[T, ...]]:
    for first in range(0, len(lines), LINES_MAX):
        yield tuple(lines[first : first + LINES_MAX])
