"""Baskets of till files: keys and fingerprints that are equal in every file of a source, and their messages. Pure."""

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from bopis.domain.inventory.messages import Condition, Report, SaleLine
from bopis.domain.inventory.outcomes import SALE, NetUnits, returns_apart, sales, summed
from bopis.services.till_files.facts import Head, Line

FINGERPRINT_BYTES = 16


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
    fingerprint: bytes
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

    @property
    def is_empty(self) -> bool:
        """Whether it has no goods."""
        return not self.lines

    @property
    def kind(self) -> str:
        """The type of its messages: goods that came back are sold below zero."""
        return SALE

    @property
    def bodies(self) -> tuple[Report, ...]:
        """Its messages."""
        return reports(self)


def net_units(lines: Iterable[BasketLine]) -> tuple[NetUnits, ...]:
    """Net units by SKU and condition, sorted; without zeros."""
    return summed(NetUnits(sku=it.sku, condition=it.condition or Condition.SELLABLE, units=it.units) for it in lines)


def fingerprint(net: Iterable[NetUnits]) -> bytes:
    """A digest of a basket's meaning."""
    return hashlib.sha256(msgspec.json.encode(list(net))).digest()[:FINGERPRINT_BYTES]


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


def reports(basket: ReadBasket) -> tuple[Report, ...]:
    """The messages of a basket: its sale, in parts of 1,000 lines, and the return of goods that are not sellable.

    Each is booked at the basket's time; there is none if the basket has no lines.
    """
    sold = [SaleLine(it.sku, it.units) for it in basket.lines if it.condition in (None, Condition.SELLABLE)]
    apart = [it for it in basket.net if it.condition is not Condition.SELLABLE]
    # Goods of another condition that a correction takes back again are sold.
    taken_back = [SaleLine(it.sku, it.units) for it in apart if it.units > 0]
    name = basket.basket
    return (*sales(name, sold), *returns_apart(name, apart), *sales(name, taken_back))
