"""Rules of baskets that come more than once: new, duplicate, changed; and the difference that a change books. Pure."""

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import Protocol, TypeVar

from msgspec import Struct

from bopis.domain.inventory.messages import (
    AdjustmentReason,
    Condition,
    PosReturn,
    PosSale,
    Report,
    ReturnLine,
    SaleLine,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from bopis.domain.values import LINES_MAX, QUANTITY_MAX, TEXT_LENGTH_MAX, ChangeLine

T = TypeVar("T")

OUTSIDE_BOOKS = frozenset({AdjustmentReason.QUARANTINE_RELEASED, AdjustmentReason.QUARANTINE_SCRAPPED})
SALE, RETURN, COUNT = PosSale.__name__, PosReturn.__name__, StockCounted.__name__
OF_TILLS = frozenset({SALE, RETURN})


class Outcome(StrEnum):
    """Outcome of a record of a source.

    `new` is booked, `duplicate` and `empty` change nothing, `changed` is parked until a person accepts it, `waiting` is
    a change that is parked already, and `rejected` can never be booked.
    """

    NEW = "new"
    DUPLICATE = "duplicate"
    CHANGED = "changed"
    WAITING = "waiting"
    EMPTY = "empty"
    REJECTED = "rejected"


class NetUnits(Struct, frozen=True, kw_only=True, gc=False):
    """Units of one SKU that left the shop with a basket, below zero those that came in; with their condition."""

    sku: str
    condition: Condition
    units: int


class Version(Protocol):
    """One version of a basket, as it was found.

    `fingerprint` is equal for equal content, `basket` is its number at the till, `bodies` are its messages, `kind` is
    the name of their type and `net` their meaning: None where the messages alone do not tell it.
    """

    @property
    def fingerprint(self) -> bytes: ...
    @property
    def is_empty(self) -> bool: ...
    @property
    def kind(self) -> str: ...
    @property
    def net(self) -> tuple[NetUnits, ...] | None: ...
    @property
    def basket(self) -> str: ...
    @property
    def bodies(self) -> tuple[Report, ...]: ...


class Remembered(Struct, frozen=True, kw_only=True):
    """The version of a basket that is booked; its fields are those of `Version`."""

    fingerprint: bytes
    kind: str
    net: tuple[NetUnits, ...] | None


def outcome_of(version: Version, booked: Remembered | None, waiting: Collection[bytes] = ()) -> Outcome:
    """The outcome of a basket, from the version that is booked and the fingerprints of changes that are parked."""
    if booked is None:
        return Outcome.EMPTY if version.is_empty else Outcome.NEW
    if version.fingerprint == booked.fingerprint:
        return Outcome.DUPLICATE
    return Outcome.WAITING if version.fingerprint in waiting else Outcome.CHANGED


def remember(version: Version) -> Remembered:
    """What is remembered of a basket once it is booked, or once its change is accepted."""
    return Remembered(fingerprint=version.fingerprint, kind=version.kind, net=version.net)


def difference(booked: Remembered, now: Version) -> tuple[Report, ...] | None:
    """The messages that turn the booked version of a basket into this one; empty when both move the same units.

    A changed sale or return is booked as a sale of the difference, and the return of goods that are not sellable; other
    types as a correction. A count is booked as it is: it is absolute, at its own time. None when the difference cannot
    be known, or when no message books it: goods that came back damaged or for quarantine stay apart.
    """
    if now.kind == booked.kind == COUNT:
        return now.bodies
    if now.net is None or booked.net is None:
        return None
    taken_back = (NetUnits(sku=it.sku, condition=it.condition, units=-it.units) for it in booked.net)
    changes = summed((*taken_back, *now.net))
    apart = [it for it in changes if it.condition is not Condition.SELLABLE]
    if any(it.units > 0 for it in apart):
        return None
    if {now.kind, booked.kind} <= OF_TILLS:
        sold = [SaleLine(it.sku, it.units) for it in changes if it.condition is Condition.SELLABLE]
        return (*sales(now.basket, sold), *returns_apart(now.basket, apart))
    if apart:
        return None
    lines = [ChangeLine(sku=it.sku, change=-part) for it in changes for part in _bounded(it.units)]
    note = f"changed basket {now.basket}"[:TEXT_LENGTH_MAX]
    return tuple(StockAdjusted(reason=AdjustmentReason.CORRECTION, lines=part, note=note) for part in _parts(lines))


def summed(units: Iterable[NetUnits]) -> tuple[NetUnits, ...]:
    """One sum for each SKU and condition, sorted; without zeros."""
    sums: dict[tuple[str, Condition], int] = {}
    for it in units:
        cell = (it.sku, it.condition)
        sums[cell] = sums.get(cell, 0) + it.units
    return tuple(
        NetUnits(sku=sku, condition=condition, units=count) for (sku, condition), count in sorted(sums.items()) if count
    )


def kind_of(bodies: Iterable[Report]) -> str:
    """The type of a basket's messages: their only one, or that of a sale."""
    kinds = {type(it).__name__ for it in bodies}
    return kinds.pop() if len(kinds) == 1 else SALE


def net_of(bodies: Iterable[Report]) -> tuple[NetUnits, ...] | None:
    """The units that messages alone move; None where other messages decide it too (counts, transfers), or units leave
    quarantine."""
    moved: list[NetUnits] = []
    for body in bodies:
        match body:
            case PosSale():
                cells = [(line.sku, Condition.SELLABLE, line.quantity) for line in body.lines]
            case PosReturn():
                cells = [(line.sku, line.condition, -line.quantity) for line in body.lines]
            case StockReceived():
                cells = [(line.sku, Condition.SELLABLE, -line.quantity) for line in body.lines]
            case StockAdjusted() if body.reason not in OUTSIDE_BOOKS:
                cells = [(line.sku, Condition.SELLABLE, -line.change) for line in body.lines]
            case _:
                return None
        moved += (NetUnits(sku=sku, condition=condition, units=units) for sku, condition, units in cells)
    return summed(moved)


def sales(basket: str, lines: Iterable[SaleLine]) -> Iterator[PosSale]:
    """Sales of a basket, in messages and lines of a size that can be booked."""
    bounded = [SaleLine(it.sku, part) for it in lines for part in _bounded(it.quantity)]
    return (PosSale(basket=basket, lines=part) for part in _parts(bounded))


def returns_apart(basket: str, units: Iterable[NetUnits]) -> Iterator[PosReturn]:
    """Goods of a basket that came back and do not return to the shelf."""
    lines = [
        ReturnLine(sku=it.sku, quantity=part, condition=it.condition)
        for it in units
        if it.condition is not Condition.SELLABLE and it.units < 0
        for part in _bounded(-it.units)
    ]
    return (PosReturn(basket=basket, lines=part) for part in _parts(lines))


def _parts(lines: list[T]) -> Iterator[tuple[T, ...]]:
    for first in range(0, len(lines), LINES_MAX):
        yield tuple(lines[first : first + LINES_MAX])


def _bounded(units: int) -> Iterator[int]:
    """Units in parts that a line can have."""
    while abs(units) > QUANTITY_MAX:
        part = QUANTITY_MAX if units > 0 else -QUANTITY_MAX
        yield part
        units -= part
    yield units
