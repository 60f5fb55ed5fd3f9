"""Text in messages: names that identify are refused with a character that text may not contain (`characters`).

Free text of a message in the log loses such a character instead: a report is a fact, and a line break in its note is no
reason to park it.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from bopis.domain.payments.card_numbers import has_card_number
from bopis.wire.characters import cleaned, unclean
from bopis.wire.errors import CardNumberFound, Undecodable

# Fields that people write for people. Every other text in a message identifies something.
FREE_TEXT = frozenset(
    "actor asked_by cause location note picker provider_id reason spot name street city state postal_code".split()  # noqa: SIM905
)
# Fields in which a card number could be written: free text, and the tokens that stand for cards. Numbers of goods,
# parcels, orders and receipts are not looked at, as one in ten of them looks like a card number.
CARD_FIELDS = (FREE_TEXT - {"provider_id"}) | {"hint", "methods", "token"}

T = TypeVar("T")

BACKSLASH, DELETE = 0x5C, 0x7F  # JSON in ASCII without either of them needs no closer look
# The same characters in JSON: escaped, or as the bytes of UTF-8. Raw ones below 0x20 and surrogates are not JSON.
_unclean_json = re.compile(
    rb"\\[bfnrt]|\\u(?:00[01]|007[fF]|00[89]|20(?:2[89a-eA-E]|6[6-9])|[dD][89a-fA-F])"
    rb"|\x7f|\xc2[\x80-\x9f]|\xe2(?:\x80[\xa8-\xae]|\x81[\xa6-\xa9])"
).search

# As many digits as a card number has, however grouped. Most messages have none, and need no closer look.
_many_digits = re.compile(rb"[0-9](?:[ -]{0,2}[0-9]){14}").search

# Causes as msgspec and this module write them.
_limit = re.compile(
    r"Expected `(?P<kind>\w+)` (?:of length )?(?P<order>[<>]=) (?P<number>-?\d+) - at `\$(?:\.data)?(?P<place>.*)`"
).search
_unclean_at = re.compile(r"Text with (?P<text>.+) - at `\$(?:\.data)?(?P<place>.*)`").search
_at = r"(?: - at `\$(?:\.data)?(?P<place>.*)`)?"
_missing = re.compile(rf"Object missing required field `(?P<field>\w+)`{_at}").search
_kind = re.compile(rf"Expected `(?P<kind>int|str|bool|object|array)`(?:, got `(?P<found>\w+)`)?{_at}$").search
_invalid = re.compile(rf"Invalid enum value (?P<value>'[^']*'|\d+){_at}").search
_moment = re.compile(rf"(?:Invalid RFC3339 encoded datetime|Expected `datetime` with a timezone component){_at}").search
_technical = re.compile(
    r"(?:Expected `|Object missing|Invalid |Text with |'utf-8' codec).*?(?: - at `(?P<path>\$.*)`)?$", re.DOTALL
).search
KINDS = {
    "int": "a whole number",
    "float": "a number with decimals",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "empty",
}
_step = re.compile(r"\.?(\w+)(?:\[(\d+)\])?").findall


class CleanText(NamedTuple):
    """A value in built-in types after its free text was cleaned, and whether that changed it."""

    value: Any
    changed: bool


def in_words(cause: str) -> str:
    """The cause of an `Undecodable` in words about the field: ``sku of line 3 has more than 64 characters``. A cause of
    another form stays as it is."""
    if (limit := _limit(cause)) is not None:
        return _limit_text(limit)
    if (text := _unclean_at(cause)) is not None:
        return f"{_where(text['place'])} contains {text['text']}"
    if (missing := _missing(cause)) is not None:
        inside = f" of {_where(missing['place'])}" if (missing["place"] or "") else ""
        return f"{missing['field'].replace('_', ' ')}{inside} is missing"
    if (kind := _kind(cause)) is not None:
        found = KINDS.get(kind["found"], "of another kind")
        return f"{_where(kind['place'])} is {found}; it must be {KINDS[kind['kind']]}"
    if (invalid := _invalid(cause)) is not None:
        return f"{_where(invalid['place'])} is {invalid['value']}, which is not known here"
    if (moment := _moment(cause)) is not None:
        return f"{_where(moment['place'])} is no time with an offset, for example 2026-11-22T09:30:00-06:00"
    return "the text is not UTF-8" if "codec can't decode" in cause else cause


def explained(cause: str) -> str:
    """A recorded cause with its technical part in words, and the path of the field behind them."""
    technical = _technical(cause)
    if technical is None:
        return cause
    words, path = in_words(technical.group()), technical["path"]
    return cause[: technical.start()] + words + (f" ({path})" if path and words != technical.group() else "")


def _limit_text(found: re.Match[str]) -> str:
    where, few, number = _where(found["place"]), found["order"] == ">=", int(found["number"])
    match found["kind"]:
        case "str" if few and number == 1:
            return f"{where} is empty"
        case "str":
            return f"{where} has {'fewer' if few else 'more'} than {number} characters"
        case "array" if few and number == 1:
            return f"{where} has no entry"
        case "array":
            return f"{where} has {'fewer' if few else 'more'} than {number} entries"
        case _:
            return f"{where} is {'below' if few else 'above'} {number}"


def _where(place: str | None) -> str:
    names = [_element(name, number) for name, number in _step(place or "")]
    return " of ".join(reversed(names)) or "the message"


def _element(name: str, number: str) -> str:
    return f"{name.removesuffix('s')} {int(number) + 1}" if number else name.replace("_", " ")


def has_unclean_text(value: bytes) -> bool:
    """Whether JSON contains a character that text may not contain, in any text or name."""
    return _unclean_json(value) is not None


def clean_message(message: Any) -> CleanText:
    """The fields of a message in built-in types, with its free text cleaned.

    Raises `Undecodable` for another text with such a character, with its place.
    """
    return _clean(message, "$", "")


def decode_clean(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    """A value in JSON with its free text cleaned.

    Raises `msgspec.MsgspecError` or `UnicodeDecodeError` as the decoder does, and `Undecodable` for another text that
    is not clean.
    """
    read = decoder.decode(value)
    if not has_unclean_text(value):
        return read
    clean = clean_message(msgspec.to_builtins(read))
    return msgspec.convert(clean.value, type(read)) if clean.changed else read


def refuse_unclean(message: Any) -> None:
    """Raise `Undecodable` for the first text of a message, free or not, with such a character."""
    _refuse(msgspec.to_builtins(message), "$")


def refuse_card_numbers(message: Any, value: bytes) -> None:
    """Raise `CardNumberFound` for the first free text of a message with a card number; `value` are its bytes.

    The error names the field and never the digits: it is shown and logged.
    """
    if _many_digits(value) is not None or not value.isascii():
        _refuse_card_numbers(msgspec.to_builtins(message), "$", "")


def _refuse_card_numbers(value: Any, place: str, field: str) -> None:
    if isinstance(value, str):
        if field in CARD_FIELDS and has_card_number(value):
            raise CardNumberFound(_where(place.removeprefix("$.data").removeprefix("$")))
    elif isinstance(value, Mapping):
        for name, part in value.items():
            _refuse_card_numbers(part, f"{place}.{name}", name)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            _refuse_card_numbers(part, f"{place}[{number}]", field)


def _refuse(value: Any, place: str) -> None:
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, part in parts:
        _refuse(part, f"{place}[{name}]" if isinstance(name, int) else f"{place}.{name}")
    if isinstance(value, str) and (found := unclean(value)):
        raise Undecodable(f"Text with {found} - at `{place}`")


def _clean(value: Any, place: str, field: str) -> CleanText:
    if isinstance(value, str):
        if field in FREE_TEXT:
            text = cleaned(value)
            return CleanText(text, text != value)
        if found := unclean(value):
            raise Undecodable(f"Text with {found} - at `{place}`")
        return CleanText(value, False)
    if isinstance(value, Mapping):
        parts = {name: _clean(it, f"{place}.{name}", name) for name, it in value.items()}
        return CleanText({name: it.value for name, it in parts.items()}, any(it.changed for it in parts.values()))
    if isinstance(value, list | tuple):
        items = [_clean(it, f"{place}[{number}]", field) for number, it in enumerate(value)]
        return CleanText([it.value for it in items], any(it.changed for it in items))
    return CleanText(value, False)
