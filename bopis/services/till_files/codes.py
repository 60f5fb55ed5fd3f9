"""Codes in till files: stores, receipts, SKUs and GTINs, refused where they cannot be right."""

import re
from collections.abc import Callable, Mapping

from bopis.domain.article_codes import GTIN_LENGTH, GTIN_LENGTHS, SHORTENED_LENGTH_MIN, has_valid_check_digit
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.mapping import Gtins
from bopis.tables.cells import ROUNDED, is_rounded

# The spelling of a GTIN (14 digits) in the catalogue; empty if it has none.
Spelling = Callable[[str], str]


class Shapes:
    """Patterns by field; a code that does not have its shape is refused."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._patterns = {field: re.compile(pattern) for field, pattern in patterns.items()}

    def check(self, field: str, text: str) -> str:
        """The text. Raises `BadRow` when it has another shape."""
        pattern = self._patterns.get(field)
        if text and pattern is not None and not pattern.fullmatch(text):
            lost = ": digits were lost" if re.fullmatch(r"[0-9.,]+[eE]\+?[0-9]+", text) else ""
            raise BadRow(f"{field} {text!r} has not the shape {pattern.pattern}{lost}; correct it, or patterns.{field}")
        return text


def code(field: str, text: str, length_max: int) -> str:
    """A code that can be stored. Raises `BadRow`."""
    if not text:
        raise BadRow(f"no {field}")
    if len(text) > length_max:
        raise BadRow(f"{field} is longer than {length_max} characters")
    if not text.isprintable():
        raise BadRow(f"{field} {text!r} has characters that cannot be printed; check --encoding")
    return text


def store_code(text: str) -> str:
    """The id of a store. Raises `BadRow`."""
    store = code("store", text, STORE_LENGTH_MAX)
    # As in `store_directory`: these characters have a meaning in row keys.
    if "|" in store or store[0] == "@":
        raise BadRow(f"store {store!r} may not contain '|' nor start with '@'")
    return store


def unrounded(field: str, text: str) -> str:
    """A code whose digits are all there. Raises `BadRow`."""
    if is_rounded(text):
        raise BadRow(f"{field} {text} {ROUNDED}")
    return text


def gtin_reader(stated: Gtins, spelling: Spelling | None) -> Callable[[str], str]:
    """A function that returns a GTIN as the catalogue spells it, else in its shortest form. It raises `BadRow`."""
    spellings: Mapping[str, str] = {it.zfill(GTIN_LENGTH): it for it in stated.catalogue}

    def read(text: str) -> str:
        if not text:
            return ""
        unrounded("GTIN", text)
        if not (text.isascii() and text.isdigit() and SHORTENED_LENGTH_MIN <= len(text) <= GTIN_LENGTH):
            if stated.others == "as_written":
                return text
            raise BadRow(f'{text} is no GTIN; state gtin.others = "as_written" if the column has other codes, too')
        if not has_valid_check_digit(text):
            raise BadRow(f"{text} has a wrong check digit")
        digits = text.zfill(GTIN_LENGTH)
        return spellings.get(digits) or (spelling(digits) if spelling else "") or shortest(digits)

    return read


def shortest(digits: str) -> str:
    """The shortest standard form of a GTIN-14."""
    return next(digits[-length:] for length in GTIN_LENGTHS if not digits[:-length].strip("0"))
