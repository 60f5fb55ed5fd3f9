"""Lines as baskets: keys and fingerprints that are equal in every file of a source, outcomes, and messages. Pure."""

import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
from msgspec import Struct

from bopis.domain.inventory.messages import Condition, PosReturn, PosSale, ReturnLine, SaleLine
from bopis.domain.values import LINES_MAX, QUANTITY_MAX
from bopis.services.till_files.facts import Head, Line

FINGERPRINT_CHARACTERS = 32

Report = PosSale | PosReturn


class NetUnits(Struct, frozen=True, kw_only=True, gc=False):
    """Units of one SKU that left the shop with a basket, below zero those that came back; with their condition."""

    sku: str
    condition: Condition
    units: int


class BasketLine(Struct, frozen=True, kw_only=True, gc=False):
    """One line of a basket: its place in the file, SKU, units, and the condition of returned goods."""

    line: str
    sku: str
    units: int
    condition: Condition | None = None


class ReadBasket(Struct, frozen=True, kw_only=True):
    """A basket of a till file.

    `key` names it across all files of a source, `fingerprint` is its meaning: net units by SKU and condition, whatever
    their order. `rejected` counts its lines that were rejected: they are not booked. A basket without
    lines is one that the file calls no sale: it matters where the same basket was booked before.
    """

    store: str
    basket: str
    key: str
    fingerprint: str
    at_ms: int
    lines: tuple[BasketLine, ...]
    first_line: str
    rejected: int = 0
    device: str = ""
    sequence: int = 0
    end: int = 0

    @property
    def net(self) -> tuple[NetUnits, ...]:
        """Its meaning, by SKU and condition; without zeros."""
        return net_units(self.lines)


def net_units(lines: Iterable[BasketLine]) -> tuple[NetUnits, ...]:
    """Net units by SKU and condition, sorted; without zeros."""
    sums: dict[tuple[str, Condition], int] = {}
    for it in lines:
        cell = (it.sku, it.condition or Condition.SELLABLE)
        sums[cell] = sums.get(cell, 0) + it.units
    return tuple(
        NetUnits(sku=sku, condition=condition, units=units) for (sku, condition), units in sorted(sums.items()) if units
    )


def fingerprint(net: Iterable[NetUnits]) -> str:
    """A digest of a basket's meaning."""
    return hashlib.sha256(msgspec.json.encode(list(net))).hexdigest()[:FINGERPRINT_CHARACTERS]


def assembled(
    head: Head, lines: Iterable[BasketLine], *, first_line: str, rejected: int = 0, end: int = 0
) -> ReadBasket:
    """A basket of lines that have one key."""
    kept = tuple(lines)
    return ReadBasket(
        store=head.store,
        basket=head.basket,
        key=head.key,
        fingerprint=fingerprint(net_units(kept)),
        at_ms=head.at_ms,
        lines=kept,
        first_line=first_line,
        rejected=rejected,
        device=head.device,
        sequence=head.sequence,
        end=end,
    )


def basket_line(line: Line) -> BasketLine:
    """A line within its basket."""
    return BasketLine(line=line.line, sku=line.sku, units=line.units, condition=line.condition)


class Outcome(StrEnum):
    """Outcome of a basket: `new` is booked, `duplicate` and `empty` change nothing, `changed` is parked until a person
    accepts it, and `waiting` is a change that is parked already."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CHANGED = "changed"
    WAITING = "waiting"
    EMPTY = "empty"


class Remembered(Struct, frozen=True, kw_only=True):
    """A basket of a source as it is booked, and the fingerprint of a change that waits for acceptance."""

    key: str
    fingerprint: str
    net: tuple[NetUnits, ...]
    waiting: str = ""


def outcome_of(basket: ReadBasket, remembered: Remembered | None) -> Outcome:
    """The outcome of a basket, from what the source's journal remembers under its key."""
    if remembered is None:
        return Outcome.NEW if basket.lines else Outcome.EMPTY
    if basket.fingerprint == remembered.fingerprint:
        return Outcome.DUPLICATE
    return Outcome.WAITING if basket.fingerprint == remembered.waiting else Outcome.CHANGED


def remember(basket: ReadBasket) -> Remembered:
    """The basket as it is remembered once it is booked, or once its change is accepted."""
    return Remembered(key=basket.key, fingerprint=basket.fingerprint, net=basket.net)


def reports(basket: ReadBasket) -> tuple[Report, ...]:
    """The messages of a basket: its sale, in parts of 1,000 lines, and the return of goods that are not sellable.

    Each is booked at the basket's time; there is none if the basket has no lines.
    """
    sold = [SaleLine(it.sku, it.units) for it in basket.lines if it.condition in (None, Condition.SELLABLE)]
    return (*_sales(basket.basket, sold), *_returns(basket.basket, basket.net))


def difference(before: Iterable[NetUnits], now: ReadBasket) -> tuple[Report, ...]:
    """The messages that book a changed basket once it is accepted: its units less those that were booked before."""
    sums = {(it.sku, it.condition): -it.units for it in before}
    for it in now.net:
        sums[it.sku, it.condition] = sums.get((it.sku, it.condition), 0) + it.units
    changed = [
        NetUnits(sku=sku, condition=condition, units=units) for (sku, condition), units in sorted(sums.items()) if units
    ]
    sold = [SaleLine(it.sku, it.units) for it in changed if it.condition is Condition.SELLABLE]
    return (*_sales(now.basket, sold), *_returns(now.basket, changed))


def _sales(basket: str, lines: Iterable[SaleLine]) -> Iterator[PosSale]:
    bounded = [SaleLine(it.sku, part) for it in lines for part in _parts(it.quantity)]
    for first in range(0, len(bounded), LINES_MAX):
        yield PosSale(basket=basket, lines=tuple(bounded[first : first + LINES_MAX]))


def _returns(basket: str, net: Iterable[NetUnits]) -> Iterator[Report]:
    """Goods that came back in another condition; those that a correction takes back again are sold."""
    others = [it for it in net if it.condition is not Condition.SELLABLE]
    lines = [
        ReturnLine(sku=it.sku, quantity=part, condition=it.condition)
        for it in others
        if it.units < 0
        for part in _parts(-it.units)
    ]
    for first in range(0, len(lines), LINES_MAX):
        yield PosReturn(basket=basket, lines=tuple(lines[first : first + LINES_MAX]))
    yield from _sales(basket, [SaleLine(it.sku, it.units) for it in others if it.units > 0])


def _parts(units: int) -> Iterator[int]:
    """Units in parts that a line can have."""
    while abs(units) > QUANTITY_MAX:
        part = QUANTITY_MAX if units > 0 else -QUANTITY_MAX
        yield part
        units -= part
    yield units
