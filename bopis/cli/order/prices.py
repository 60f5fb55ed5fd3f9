"""Prices and slots as they are typed with an order: ``4011=2@4.99``, ``2026-12-05T10:00/12:00``."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from bopis.cli.app.errors import Usage
from bopis.cli.app.parse_lines import UnitOf, read_lines
from bopis.cli.app.parse_time import read_time
from bopis.contacts import is_currency
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX
from bopis.domain.payments.money import exponent
from bopis.domain.sourcing.request import Slot
from bopis.services.catalogue import RequestedLine

PRICE_DIGITS_MAX = 9
# The price of one unit behind the quantity; an at sign in a SKU has no such number before it.
_PRICED = re.compile(r"(.+[= ]\d+(?:[.,]\d+)?\s*[^\W\d_]{0,15})@([0-9]+(?:[.,][0-9]+)?)")
_DATE_LENGTH = len("2026-12-05")


class _Typed(NamedTuple):
    """A word of a line without its price, and the price in minor units."""

    line: str
    unit_cents: int


def read_wanted(words: Iterable[str], currency: str, unit_of: UnitOf) -> tuple[RequestedLine, ...]:
    """The lines of an order, ``SKU=NUMBER`` or ``SKU=NUMBER@PRICE`` with the price of one of the SKU's smallest unit.

    Raises `LineUnreadable`, `QuantityUnreadable`, or `Usage` for a price that the currency does not have and for too
    many lines.
    """
    typed = [_without_price(word, currency) for word in words]
    is_plain = not any(it.unit_cents for it in typed)
    lines = []
    if is_plain:
        # Only unpriced words may be SKU NUMBER pairs.
        plain = read_lines((it.line for it in typed), least=1, unit_of=unit_of)
        lines = [RequestedLine(code=it.sku, quantity=it.units) for it in plain]
    else:
        for it in typed:
            (line,) = read_lines([it.line], least=1, unit_of=unit_of)
            lines.append(RequestedLine(code=line.sku, quantity=line.units, unit_cents=it.unit_cents))
    if len(lines) > ORDER_LINES_MAX:
        raise Usage(
            problem=f"An order has at most {ORDER_LINES_MAX} lines, and these are {len(lines)}. Place the others as "
            "a second order."
        )
    return tuple(lines)


def read_currency(text: str) -> str:
    """The code of a currency by ISO 4217, empty for none. Raises `Usage` for a code that does not exist."""
    code = text.strip().upper()
    if code and not is_currency(code):
        raise Usage(problem=f"No currency {text!r}. Write its code by ISO 4217, for example USD, EUR or GBP.")
    return code


def read_slot(text: str, zone: tzinfo) -> Slot:
    """A slot, ``FROM/TO`` in the store's time zone; a time without a day is on the day of the begin. Raises `Usage`."""
    begin, slash, end = text.partition("/")
    if not slash:
        raise Usage(problem=f"{text!r} is no slot. Write FROM/TO, for example 2026-12-05T10:00/12:00.")
    opens = read_time(begin, zone).at
    same_day = re.fullmatch(r"\d{1,2}:\d{2}", end.strip()) is not None
    closes = read_time(f"{opens.isoformat()[:_DATE_LENGTH]}T{end.strip().zfill(5)}" if same_day else end, zone).at
    if opens >= closes:
        raise Usage(problem=f"The slot {text} ends before it begins.")
    if closes <= datetime.now(UTC):
        raise Usage(problem=f"The slot {text} has passed. Choose a later one.")
    return Slot(from_ms=int(opens.timestamp() * 1000), to_ms=int(closes.timestamp() * 1000))


def minor_units(text: str, currency: str) -> int:
    """An amount as it is typed, in minor units: ``4.99`` USD is 499. Raises `Usage` for more digits than it has."""
    whole, _, fraction = text.replace(",", ".").partition(".")
    digits = exponent(currency)
    if len(fraction) > digits:
        has = f"{digits} digits" if digits else "no digits"
        raise Usage(problem=f"{text} {currency}: this currency has {has} after the point.")
    if len(whole) > PRICE_DIGITS_MAX:
        raise Usage(problem=f"{text} {currency}: a price has at most {PRICE_DIGITS_MAX} digits before the point.")
    return int(whole + fraction.ljust(digits, "0"))


def _without_price(word: str, currency: str) -> _Typed:
    found = _PRICED.fullmatch(word)
    if found is None:
        return _Typed(word, 0)
    if not currency:
        raise Usage(problem=f"{word} has a price. Give its currency too, for example --currency USD.")
    return _Typed(found[1], minor_units(found[2], currency))
