"""What a scanner read off a package, by biip: GTINs in all their lengths, and GS1 codes that hold one."""

import re

from biip.gs1_messages import GS1Message
from biip.gtin import Gtin

_SYMBOLOGY = re.compile(r"^\][A-Za-z][0-9A-Za-z]")
_ELEMENT_STRING = re.compile(r"^(\(01\)|01)[0-9]{14}")


def gtin14(text: str) -> str | None:
    """The GTIN in what was scanned or typed, as 14 digits; None when there is none, or its check digit is wrong."""
    from biip import ParseError

    code = _SYMBOLOGY.sub("", text.strip()).replace(" ", "").replace("-", "")
    try:
        if code.isascii() and code.isdigit() and len(code) in (8, 12, 13, 14):
            return Gtin.parse(code).as_gtin_14()
        if _ELEMENT_STRING.match(code):
            message = GS1Message.parse_hri(code) if code[0] == "(" else GS1Message.parse(code)
            found = message.element_strings.get(ai="01")
            return found.gtin.as_gtin_14() if found is not None and found.gtin is not None else None
    except ParseError:
        return None
    return None
