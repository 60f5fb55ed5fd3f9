"""Times as tills write them: ISO 8601, seconds or milliseconds since 1970, or a named format; local or not."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bopis.domain.values import EPOCH_MS_MAX, EPOCH_MS_MIN
from bopis.services.replay.errors import BadRow, OptionBroken

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_SECONDS_DIGITS = 10
_MILLISECONDS_DIGITS = 13


class When(NamedTuple):
    """An instant, and the day that stood beside it in the file."""

    at_ms: int
    day: int


class TimeReader:
    """Reads the times of an export.

    A time without a zone is local: of ``zone`` if given, else of the row's own store, else UTC. Of a local
    hour that a change of clocks repeats, the first is meant.
    """

    def __init__(self, time_format: str | None, zone: tzinfo | None, store_zones: Mapping[str, tzinfo]) -> None:
        self.format = time_format
        self._zone = zone
        self._store_zones = store_zones

    def read(self, store: str, text: str) -> When:
        """The instant a text means. Raises `BadRow`."""
        instant = self._parse(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=self._zone_of(store))
        at_ms = (instant - EPOCH) // _MS
        if not EPOCH_MS_MIN <= at_ms <= EPOCH_MS_MAX:
            raise BadRow(f"time {text!r} lies outside 2000 to 2100")
        return When(at_ms, instant.toordinal())

    def _parse(self, text: str) -> datetime:
        try:
            if self.format is not None:
                return datetime.strptime(text, self.format)
            if text.isdecimal() and len(text) == _SECONDS_DIGITS:
                return EPOCH + timedelta(seconds=int(text))
            if text.isdecimal() and len(text) == _MILLISECONDS_DIGITS:
                return EPOCH + timedelta(milliseconds=int(text))
            return datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            wanted = f"like {self.format}" if self.format else "ISO 8601; name its form with --time-format"
            raise BadRow(f"time {text!r} is not {wanted}") from None

    def _zone_of(self, store: str) -> tzinfo:
        if self._zone is not None:
            return self._zone
        return self._store_zones.get(store, UTC)


def zone_named(name: str, option: str) -> ZoneInfo:
    """The time zone with a name of the IANA database."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise OptionBroken(option=option, value=name, cause="no such time zone, e.g. Europe/Berlin") from None
