"""Fields of forms and filters as browsers send them: choices, instants and whole numbers."""

from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import TypeVar

from bopis.domain.values import epoch_ms
from bopis.web.problems import Problem

DIGITS_MAX = 12
Choice = TypeVar("Choice", bound=StrEnum)


def choice(kind: type[Choice], text: str, default: Choice) -> Choice:
    """A value of an enumeration; the default for an empty field. Raises `Problem` for a text that is none."""
    if not text:
        return default
    try:
        return kind(text)
    except ValueError:
        raise Problem(400, "parameter-invalid", f"{text!r} is no choice of this page.") from None


def instant_of(text: str, zone: tzinfo = UTC) -> datetime | None:
    """An instant or a day in UTC; a text without an offset is on the clock of the zone. None for an empty field.

    Raises `Problem` for another text, and for an instant that UTC has not.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = (found.replace(tzinfo=zone) if found.tzinfo is None else found).astimezone(UTC)
        epoch_ms(found)
    except (ValueError, OverflowError):
        raise Problem(400, "parameter-invalid", "Write the instant as YYYY-MM-DDTHH:MM.") from None
    return found


def whole_number(text: str, most: int) -> int | None:
    """A number from 0 to `most` as typed; None for a text that is none."""
    text = text.strip()
    # Other digits than these are numbers to Python, too, and thousands of them are a fault to `int`.
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS_MAX:
        return None
    return int(text) if int(text) <= most else None
