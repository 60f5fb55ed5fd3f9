"""Codes of articles as tills, scanners and people send them: GTINs in every form, UPC-E, other case, blanks. Pure.

Sources of the forms: GS1 General Specifications, sections 2.1 (GTIN-8, -12, -13, -14), 5.2 (zero-suppressed UPC-E),
7.9 (check digit), 7.8 (element strings), and GS1 Digital Link (``/01/`` followed by the GTIN).
"""

import re

GTIN_LENGTH = 14
GTIN_LENGTHS = (8, 12, 13, 14)
# Spreadsheets drop leading zeros, and check digits do not depend on them.
SHORTENED_LENGTH_MIN = 8
UPC_E_LENGTH = 8

# Blanks, hyphens and dashes between the digits, as they are printed below a bar code.
_SEPARATORS = re.compile(r"[\s\u2010-\u2015-]+")
_SYMBOLOGY = re.compile(r"^\][A-Za-z][0-9A-Za-z]")
_IN_ELEMENT_STRING = re.compile(r"^(?:\(01\)|01)([0-9]{14})|/01/([0-9]{8,14})(?:[/?]|$)")


def gtins_in(code: str) -> tuple[str, ...]:
    """GTINs that a code can mean, 14 digits each, the likeliest first; empty when none has a valid check digit.

    Eight digits can be a GTIN-8 and a UPC-E; the catalogue knows which of them exists. A GTIN-8 that begins with 0 is
    for use within a shop, so such digits are likelier those of a UPC-E. Those that begin with 1 are GTIN-8 of articles,
    and UPC-E of that number system are rare.
    """
    text = without_separators(code)
    if not (text.isascii() and text.isdigit() and len(text) <= GTIN_LENGTH):
        found = _IN_ELEMENT_STRING.search(text)
        text = (found[1] or found[2]) if found is not None else ""
    candidates = []
    if SHORTENED_LENGTH_MIN <= len(text) <= GTIN_LENGTH:
        candidates.append(text.zfill(GTIN_LENGTH))
    if UPC_E_LENGTH - 1 <= len(text) <= UPC_E_LENGTH:
        upc_a = _upc_a(text.zfill(UPC_E_LENGTH)).zfill(GTIN_LENGTH)
        candidates.insert(0 if text.startswith("0") else len(candidates), upc_a)
    return tuple(dict.fromkeys(it for it in candidates if has_valid_check_digit(it)))


def without_separators(code: str) -> str:
    """A code without blanks, hyphens and dashes, and without the AIM symbology identifier in front of it."""
    return _SEPARATORS.sub("", _SYMBOLOGY.sub("", code.strip()))


def has_valid_check_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of the others; of zeros alone it says nothing."""
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return weighted % 10 == 0 and int(digits) > 0


def folded(code: str) -> str:
    """A code without the blanks around it and without case."""
    return code.strip().casefold()


def has_case(code: str) -> bool:
    """Whether upper and lower case of a code differ."""
    return code.casefold() != code or code.upper() != code


def _upc_a(upc_e: str) -> str:
    """UPC-A of eight UPC-E digits: number system, six digits, check digit; "" for a number system above 1."""
    system, digits, check = upc_e[0], upc_e[1:7], upc_e[7]
    if system not in "01":
        return ""
    last = digits[5]
    if last in "012":
        body = f"{digits[:2]}{last}0000{digits[2:5]}"
    elif last == "3":
        body = f"{digits[:3]}00000{digits[3:5]}"
    elif last == "4":
        body = f"{digits[:4]}00000{digits[4]}"
    else:
        body = f"{digits[:5]}0000{last}"
    return system + body + check
