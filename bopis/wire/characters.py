"""Characters that no text from outside may contain: one rule for messages, files, options and output.

These are the control characters (a NUL, which PostgreSQL cannot store; an escape, which printers and terminals obey; a
line break, which breaks tables and slips), the separators of lines and paragraphs, the overrides and isolates of the
writing direction, and surrogates without their half.
"""

import re
from collections.abc import Iterable

REPLACEMENT = "?"

_CLASSES = "\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_unclean = re.compile(f"[{_CLASSES}]").search
_replace_unclean = re.compile(f"[{_CLASSES}]").sub
_replace_unclean_in_lines = re.compile(f"(?!\n)[{_CLASSES}]").sub
_blank = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+").sub

_NAMES = {
    "\x00": "a NUL",
    "\x1b": "an escape character",
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a line break",
    "\u2028": "a line separator",
    "\u2029": "a paragraph separator",
}


def unclean(text: str) -> str:
    """The first character of a text that may not be in it, in words: ``an escape character (U+001B)``; empty if there
    is none."""
    found = _unclean(text)
    if found is None:
        return ""
    character = found.group()
    direction = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    surrogate = "\ud800" <= character <= "\udfff"
    other = "a change of the writing direction" if direction else "half a character" if surrogate else ""
    return f"{_NAMES.get(character) or other or 'a control character'} (U+{ord(character):04X})"


def text_problems(values: Iterable[tuple[str, str]]) -> list[str]:
    """An error for each named text that contains a character that it may not contain."""
    return [f"{name} contains {found}; remove it" for name, text in values if (found := unclean(text))]


def cleaned(text: str) -> str:
    """Free text without the characters that it may not contain; line breaks and tabs become spaces."""
    if _unclean(text) is None:
        return text
    return _replace_unclean("", _blank(" ", text)).strip()


def printable(text: str, lines: bool = False) -> str:
    """Text for a printer or terminal: each character that may not be in it is a question mark. With `lines`, line
    breaks stay: then the text is several lines on purpose."""
    if _unclean(text) is None:
        return text
    return (_replace_unclean_in_lines if lines else _replace_unclean)(REPLACEMENT, text)


def escaped_json(text: str) -> str:
    """JSON with an escape for each such character: a terminal that shows the document must not obey it."""
    if _unclean(text) is None:
        return text
    return _replace_unclean_in_lines(lambda found: f"\\u{ord(found.group()):04x}", text)
