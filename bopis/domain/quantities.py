"""Quantities as people write and read them: whole numbers in the article's smallest unit, which the catalogue names.

A unit is a word (``g``, ``ml``, ``each``), or a word and a number of parts: ``lb/100`` counts hundredths of a pound.
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta

EACH = "each"
Unit = Annotated[str, Meta(min_length=1, max_length=16)]

# Smallest unit -> larger units that people weigh and measure in.
LARGER: dict[str, dict[str, int]] = {
    "g": {"kg": 1_000},
    "mg": {"g": 1_000, "kg": 1_000_000},
    "ml": {"cl": 10, "dl": 100, "l": 1_000},
    "cl": {"l": 100},
    "mm": {"cm": 10, "m": 1_000},
    "cm": {"m": 100},
}
_TYPED = re.compile(r"([+-]?)([0-9]{1,9})(?:([.,])([0-9]{1,9}))?\s*([^\s0-9.,+-][^\s]{0,15})?")
_PARTS = re.compile(r"([^/]+)/(1(?:0+))")
_UNIT = re.compile(r"[^\W\d_][^\s0-9/.,+=@-]*(?:/10{1,4})?")
THOUSAND_DIGITS = 3


class Unreadable(StrEnum):
    """Why a typed quantity is none."""

    NO_NUMBER = "no_number"
    DECIMALS = "decimals"
    OTHER_UNIT = "other_unit"
    TOO_FINE = "too_fine"
    AMBIGUOUS = "ambiguous"


class _Scale(NamedTuple):
    """The unit that is shown, and how many smallest units it has."""

    unit: str
    parts: int


def quantity_text(quantity: int, unit: str = EACH) -> str:
    """A quantity with its unit: ``3``, ``300 g``, ``1.25 lb``."""
    scale = _scale(unit)
    if scale.parts == 1:
        return str(quantity) if unit == EACH else f"{quantity} {unit}"
    decimals = len(str(scale.parts)) - 1
    whole, rest = divmod(abs(quantity), scale.parts)
    shown = f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".")
    return f"{'-' if quantity < 0 else ''}{shown} {scale.unit}"


def goods_text(quantity: int, unit: str, name: str) -> str:
    """A quantity of an article: ``3 x Lemons``, ``300 g Bananas``."""
    return f"{quantity} x {name}" if unit == EACH else f"{quantity_text(quantity, unit)} {name}"


def total_text(quantities: list[tuple[str, int]]) -> str:
    """The units of several lines, a unit at a time: ``3 units, 300 g``; lines are (unit, quantity)."""
    totals: dict[str, int] = {}
    for unit, quantity in quantities:
        totals[unit] = totals.get(unit, 0) + quantity
    # Pieces first: most goods are counted.
    ordered = sorted(totals.items(), key=lambda it: it[0] != EACH)
    return ", ".join(
        f"{total} unit{'' if total == 1 else 's'}" if unit == EACH else quantity_text(total, unit)
        for unit, total in ordered
    )


def read_unit(text: str) -> str | None:
    """A unit as it is stated, in the spelling that is counted in: ``Each`` is ``each``; None for what is no unit."""
    if _UNIT.fullmatch(text) is None:
        return None
    folded = text.casefold()
    return folded if folded == EACH or folded in LARGER else text


def read_quantity(text: str, unit: str = EACH) -> int | Unreadable:
    """A typed quantity in the article's smallest unit: ``500``, ``500g``, ``0.5kg`` and ``0,5 kg`` are 500 of ``g``."""
    typed = _TYPED.fullmatch(text.strip())
    if typed is None:
        return Unreadable.NO_NUMBER
    sign, whole, mark, decimals, named = typed.groups()
    if named is None:
        return Unreadable.DECIMALS if decimals else int(sign + whole)
    factor = _factor(named, unit)
    if factor is None:
        return Unreadable.OTHER_UNIT
    # Half of the world writes thousands as the other half writes thousandths.
    if mark == "," and len(decimals) == THOUSAND_DIGITS and whole != "0":
        return Unreadable.AMBIGUOUS
    quantity = Decimal(f"{sign}{whole}.{decimals or 0}") * factor
    return int(quantity) if quantity == quantity.to_integral_value() else Unreadable.TOO_FINE


def unreadable_text(why: Unreadable, text: str, unit: str = EACH) -> str:
    """Why a typed quantity is none, and what to write instead."""
    scale = _scale(unit)
    larger = next(iter(LARGER.get(unit, {})), "" if scale.parts == 1 else scale.unit)
    example = f"500 or 0.5{larger}" if larger and scale.parts == 1 else f"125 or 1.25{larger}" if larger else "3"
    smallest = "pieces" if unit == EACH else {"g": "grams", "ml": "millilitres"}.get(unit, unit)
    match why:
        case Unreadable.NO_NUMBER:
            return f"{text!r} is no number; write for example {example}"
        case Unreadable.DECIMALS:
            return f"{text}: whole units only; count {smallest}, for example {example}"
        case Unreadable.OTHER_UNIT:
            return f"{text}: the article is counted in {smallest}; write for example {example}"
        case Unreadable.TOO_FINE:
            return f"{text} is finer than the article's unit; count whole {smallest}, for example {example}"
        case Unreadable.AMBIGUOUS:
            forms = text.replace(",", "."), text.replace(",", "")
            return f"{text} can mean thousands or thousandths; write {forms[0]} or {forms[1]}"


def _factor(named: str, unit: str) -> int | None:
    """How many smallest units one of a named unit has; None for a unit of another kind."""
    scale = _scale(unit)
    # Pounds are never litres, so case says nothing.
    factors = {unit.casefold(): 1, scale.unit.casefold(): scale.parts, **LARGER.get(unit, {})}
    return factors.get(named.casefold())


def _scale(unit: str) -> _Scale:
    found = _PARTS.fullmatch(unit)
    return _Scale(unit, 1) if found is None else _Scale(found[1], int(found[2]))
