"""Card numbers in free text: they may not enter, because whoever stores one answers for it (PCI DSS).

A number of 15 or 16 digits counts as a card's when it begins as issuers' numbers do and its check digit is right. The
check digit alone proves nothing: one in ten barcodes has a right one by chance, and every IMEI has. So fields that
identify something (GTIN, SSCC, IMEI, SKU, order number) are not looked at, and numbers of other lengths pass.
"""

import re
from collections.abc import Iterator

# What people write between the groups of a card number: spaces and dashes, of any width.
_GAP = "[ \u00a0\u2007\u202f\u2009\\-\u2010-\u2015]"
_numbers = re.compile(rf"\d+(?:{_GAP}{{1,2}}\d+)*").finditer
_groups = re.compile(r"\d+").findall
DIGITS_MIN = 15
DIGITS_MAX = 16
# A longer number is a card's with something behind or before it only where it is written in groups as cards show it.
GROUP_DIGITS_MAX = 6
AMERICAN_EXPRESS = ("34", "37")


def has_card_number(text: str) -> bool:
    """Whether a text contains a number that can be a card's."""
    return any(is_card_number(digits) for digits in _candidates(text))


def is_card_number(digits: str) -> bool:
    """Whether digits are a card's: the length and the beginning of an issuer's numbers, and a right check digit."""
    if len(digits) == DIGITS_MIN:
        return digits.startswith(AMERICAN_EXPRESS) and _is_checked(digits)
    return len(digits) == DIGITS_MAX and _is_issued(digits) and _is_checked(digits)


def _is_issued(digits: str) -> bool:
    """Whether 16 digits begin as those of Visa, Mastercard, Discover or JCB do."""
    if digits.startswith(("4", "6011", "65", "35")):
        return True
    return 51 <= int(digits[:2]) <= 55 or 2221 <= int(digits[:4]) <= 2720


def _is_checked(digits: str) -> bool:
    """Whether the last digit is right by Luhn's rule (ISO/IEC 7812-1, annex B)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _candidates(text: str) -> Iterator[str]:
    for number in _numbers(text):
        groups = [_ascii(group) for group in _groups(number.group())]
        whole = "".join(groups)
        if DIGITS_MIN <= len(whole) <= DIGITS_MAX:
            yield whole
            continue
        for first in range(len(groups)):
            joined = ""
            for group in groups[first:]:
                joined += group
                if len(group) > GROUP_DIGITS_MAX or len(joined) > DIGITS_MAX:
                    break
                if len(joined) >= DIGITS_MIN:
                    yield joined
        # A whole card number among other numbers.
        yield from (group for group in groups if len(group) in (DIGITS_MIN, DIGITS_MAX))


def _ascii(group: str) -> str:
    """Digits of any script as those of ASCII."""
    return "".join(str(int(digit)) for digit in group)
