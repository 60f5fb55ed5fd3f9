"""Times in till files: in stated forms and zones. Nothing is guessed: neither the order of day and month nor a zone."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bopis.domain.values import EPOCH_MS_MAX, EPOCH_MS_MIN
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.mapping import Times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_DAY_MS = 86_400_000
ISO, UNIX, UNIX_MS, EXCEL_1900, EXCEL_1904 = "iso", "unix", "unix-ms", "excel-1900", "excel-1904"
NAMED_FORMS = (ISO, UNIX, UNIX_MS, EXCEL_1900, EXCEL_1904)
# Day 60 of Excel's first calendar is 29 February 1900, which was none: days behind it are counted from here.
_EXCEL_EPOCHS = {EXCEL_1900: datetime(1899, 12, 30), EXCEL_1904: datetime(1904, 1, 1)}
EXCEL_DAYS_MIN, EXCEL_DAYS_MAX = 30_000, 80_000
_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(?::?\d\d)?")
_WITH_HOUR = re.compile(r"%[HIcX]")


def read_form(text: str, form: str) -> datetime:
    """The time in a text of one form: a strptime form or one of `NAMED_FORMS`. Raises `ValueError`."""
    match form:
        case "iso":
            return datetime.fromisoformat(text)
        case "unix" | "unix-ms":
            if not _SECONDS.fullmatch(text):
                raise ValueError(text)
            return EPOCH + timedelta(milliseconds=int(Decimal(text) * (1000 if form == UNIX else 1)))
        case "excel-1900" | "excel-1904":
            try:
                days = Decimal(text)
            except InvalidOperation:
                raise ValueError(text) from None
            if not EXCEL_DAYS_MIN <= days <= EXCEL_DAYS_MAX:
                raise ValueError(text)
            # Days are binary fractions in the sheet, so they are rounded, where other times are cut.
            return _EXCEL_EPOCHS[form] + timedelta(milliseconds=int((days * _DAY_MS).to_integral_value()))
        case _:
            return datetime.strptime(text, form)


def zone_of(name: str) -> tzinfo:
    """A zone of the IANA database, or a fixed offset such as ``+02:00``. Raises `ValueError`."""
    if found := _OFFSET.fullmatch(name):
        sign = -1 if found[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(found[2]), minutes=int(found[3])))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone, e.g. Europe/Berlin or +02:00") from None


def has_hours(form: str) -> bool:
    """Whether times of a form have an hour."""
    return form in NAMED_FORMS or _WITH_HOUR.search(form) is not None


class When(NamedTuple):
    """An instant in ms since 1970, and its date as written in the file, as an ordinal."""

    at_ms: int
    day: int


class ClockReader:
    """Reads the times of a file as its mapping states.

    Of a local hour that occurs twice the first is meant; a local time that does not exist has the offset before the
    change. Digits beyond the millisecond are cut.
    """

    def __init__(self, stated: Times) -> None:
        self._forms: Sequence[str] = stated.formats
        self._zone = zone_of(stated.zone) if stated.zone else None
        self._zones = {word: zone_of(name) for word, name in stated.zones.items()}
        self._store_zones = {store: zone_of(name) for store, name in stated.store_zones.items()}
        self._time_of_day = time.fromisoformat(stated.time_of_day) if stated.time_of_day else None
        self._words = stated.words
        self._last: tuple[str, datetime] = ("", EPOCH)

    def read(self, text: str, zone_word: str | None, store: str) -> When:
        """The instant of a text; `zone_word` is None where no column names a zone. Raises `BadRow`."""
        if not text:
            raise BadRow("no time")
        # Lines of a basket have the same time, and parsing is the dearest part of a row.
        if text != self._last[0]:
            self._last = (text, self._parsed(text))
        local = self._last[1]
        zone = self._zone_of(zone_word, store)
        if local.tzinfo is None:
            if zone is None:
                raise BadRow(f"time {text!r} has no zone; state time.zone in the mapping")
            local = local.replace(tzinfo=zone)
        try:
            at_ms = (local - EPOCH) // _MS
        except OverflowError:
            at_ms = 0
        if not EPOCH_MS_MIN <= at_ms <= EPOCH_MS_MAX:
            raise BadRow(f"time {text!r} lies outside 2000 to 2100")
        return When(at_ms, local.toordinal())

    def _zone_of(self, word: str | None, store: str) -> tzinfo | None:
        if word is not None:
            if word not in self._zones:
                raise BadRow(f"time zone {word!r} is not known; add it to time.zones in the mapping")
            return self._zones[word]
        return self._store_zones.get(store, self._zone)

    def _parsed(self, text: str) -> datetime:
        bare = text
        for word, instead in self._words.items():
            bare = bare.replace(word, instead)
        for form in self._forms:
            try:
                found = read_form(bare, form)
            except (ValueError, OverflowError):
                continue
            if self._time_of_day is not None and not has_hours(form):
                return datetime.combine(found.date(), self._time_of_day, found.tzinfo)
            return found
        raise BadRow(f"time {text!r} is not of the form {' or '.join(self._forms)}, or there is no such day or hour")
