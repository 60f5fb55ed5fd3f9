"""Numbers in till files, read as the mapping states and without binary floats."""

import re
from collections.abc import Callable
from decimal import Decimal

from bopis.domain.values import AMOUNT_CENTS_MAX, QUANTITY_MAX
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.mapping import Numbers
from bopis.tables.numbers import COMMA, decimal_of

DECIMALS_MAX = 30
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# Forms of minus one that a mapping can state, as a pattern whose first group is the number without its sign.
NEGATIVE_FORMS = {
    "-1": re.compile(r"-\s*([^-]*)"),
    "1-": re.compile(r"([^-]*[0-9])\s*-"),
    "(1)": re.compile(r"\(\s*([^()]*)\s*\)"),
    "−1": re.compile(r"[−–]\s*([^−–]*)"),
    "1−": re.compile(r"([^−–]*[0-9])\s*[−–]"),
}


def decimal_in(text: str, field: str, decimal_mark: str) -> Decimal:
    """The number in a cell. Raises `BadRow`."""
    if not text:
        raise BadRow(f"no {field}")
    value = decimal_of(text, decimal_mark)
    if value is None:
        grouped = not decimal_mark and COMMA in text and decimal_of(text, COMMA) is not None
        either = f": {text} may be thousands or decimals; give --decimal" if grouped else ""
        raise BadRow(f"{field} {text!r} is not a number{either}")
    return value


def bounded(value: Decimal, text: str, field: str) -> Decimal:
    """A number of a size that can be booked. Raises `BadRow`."""
    if value and not -DECIMALS_MAX <= value.adjusted() <= len(str(AMOUNT_CENTS_MAX)):
        raise BadRow(f"{field} {text!r} is not a number that can be booked")
    return value


def number_parser(stated: Numbers) -> Callable[[str, str], Decimal]:
    """A function that reads the number in a text, named for its errors. It raises `BadRow`."""
    forms = [NEGATIVE_FORMS[form] for form in stated.negative if form != "-1"]
    words = {word.casefold(): Decimal(number) for word, number in stated.words.items()}
    groups = (
        re.compile(rf"(?<=[0-9]){re.escape(stated.thousands)}(?=[0-9]{{3}}(?![0-9]))") if stated.thousands else None
    )

    def parse(text: str, field: str) -> Decimal:
        if _INTEGER.fullmatch(text):
            return Decimal(text)
        if (word := words.get(text.casefold())) is not None:
            return word
        bare, is_negative = text, False
        for form in forms:
            if found := form.fullmatch(text):
                bare, is_negative = found[1].strip(), True
                break
        if groups is not None and stated.thousands not in ".,":
            bare = groups.sub("", bare)
        value = decimal_of(bare, stated.decimal)
        if value is None:
            raise BadRow(_not_a_number(text, field, stated))
        return bounded(-value if is_negative else value, text, field)

    return parse


def whole_units(value: Decimal, factor: Decimal, text: str) -> int:
    """A quantity times its factor, in the smallest unit. Raises `BadRow` when it is not whole."""
    units = value * factor
    if units != units.to_integral_value():
        scaled = f" times {factor}" if factor != 1 else " of an each"
        raise BadRow(f"quantity {text}{scaled} is not a whole number; state its unit in the mapping")
    if abs(units) > QUANTITY_MAX:
        raise BadRow(f"quantity {text} is beyond {QUANTITY_MAX}")
    return int(units)


def _not_a_number(text: str, field: str, stated: Numbers) -> str:
    if not stated.decimal and COMMA in text and decimal_of(text, COMMA) is not None:
        return f"{field} {text!r} may have thousands or decimals; state numbers.decimal in the mapping"
    for form, pattern in NEGATIVE_FORMS.items():
        if form not in stated.negative and form != "-1" and pattern.fullmatch(text):
            return f"{field} {text!r} is not a number; if it is below zero, state numbers.negative = [{form!r}]"
    return f"{field} {text!r} is not a number"
