"""Barcodes: GTINs of every length, UPC-E, and GS1 element strings that contain one, parsed by biip."""

import re

from biip.gs1_messages import GS1Message

from bopis.domain.article_codes import GTIN_LENGTHS, gtins_in, without_separators

_ELEMENT_STRING = re.compile(r"^(\(01\)|01)[0-9]{14}")


def gtin14(text: str) -> str | None:
    """The GTIN in a scanned or typed text as 14 digits; None if there is none or its check digit is wrong.

    Accepts GTIN-8, -12, -13 and -14, UPC-E with its check digit, blanks and hyphens between the digits, and GS1 element
    strings that begin with (01), as in the GS1 General Specifications; an AIM symbology identifier in front of the data
    (``]C1``) is skipped.
    """
    from biip import ParseError

    code = without_separators(text)
    try:
        if code.isascii() and code.isdigit() and len(code) in GTIN_LENGTHS:
            return next(iter(gtins_in(code)), None)
        if _ELEMENT_STRING.match(code):
            message = GS1Message.parse_hri(code) if code[0] == "(" else GS1Message.parse(code)
            found = message.element_strings.get(ai="01")
            return found.gtin.as_gtin_14() if found is not None and found.gtin is not None else None
    except ParseError:
        return None
    return None
