"""Numbers as spreadsheets and tills write them, read without binary floats and without guessing."""

import re
from decimal import Context, Decimal

_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_GROUP_SPACES = re.compile(r"(?<=[0-9])[ \u00a0\u2009\u202f'’](?=[0-9]{3}(?![0-9]))")
# A group of three digits behind one comma is ambiguous, so it counts only beside a decimal point or a second group.
_COMMA_GROUPS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+\.[0-9]*|(?:,[0-9]{3}){2,})")
_POINT_GROUPS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+,[0-9]*|(?:\.[0-9]{3}){2,})")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,(?:[0-9]{1,2}|[0-9]{4,})|[+-]?0,[0-9]{3}")
COMMA, POINT = ",", "."
DIGITS = 15
FRACTION_DIGITS_MAX = 30
_SPREADSHEET = Context(prec=DIGITS)


def decimal_of(text: str, decimal_mark: str = "") -> Decimal | None:
    """The number in a text, None if it is not one or could mean two.

    Without `decimal_mark`, ``1,000.5``, ``1.000,5``, ``1 000`` and ``2,55`` are read, and ``1,000`` is ambiguous; with
    one, the other mark separates thousands.
    """
    plain = _GROUP_SPACES.sub("", text.strip())
    if decimal_mark == COMMA:
        plain = _ungrouped(plain, POINT).replace(COMMA, POINT)
    elif decimal_mark == POINT:
        plain = _ungrouped(plain, COMMA)
    elif _COMMA_GROUPS.fullmatch(plain):
        plain = plain.replace(COMMA, "")
    elif _POINT_GROUPS.fullmatch(plain):
        plain = plain.replace(POINT, "").replace(COMMA, POINT)
    elif _DECIMAL_COMMA.fullmatch(plain):
        plain = plain.replace(COMMA, POINT)
    if not _PLAIN.fullmatch(plain):
        return None
    value = Decimal(plain)
    # Spreadsheets calculate with 15 digits and write binary fractions with more: 0.35499999999999998 is 0.355.
    is_fraction = value != 0 and -FRACTION_DIGITS_MAX < value.adjusted() < DIGITS and value % 1 != 0
    return _SPREADSHEET.create_decimal(value) if is_fraction else value


def _ungrouped(text: str, mark: str) -> str:
    """The text without separators of thousands, if each is before three digits; else as it is."""
    grouped = re.fullmatch(rf"[+-]?[1-9][0-9]{{0,2}}(\{mark}[0-9]{{3}})+([^0-9{mark}][0-9]*)?", text)
    return text.replace(mark, "") if grouped else text
