"""Times in till exports: ISO 8601, seconds or milliseconds since 1970, or a given format; with or without a zone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from bopis.domain.values import EPOCH_MS_MAX, EPOCH_MS_MIN
from bopis.services.replay.errors import OptionInvalid
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.times import EPOCH, ISO, UNIX, UNIX_MS, When, read_form

_MS = timedelta(milliseconds=1)
_SECONDS_DIGITS = 10
_MILLISECONDS_DIGITS = 13


class TimeReader:
    """Parses the times of an export.

    A time without a zone is local: in `zone` if given, else in the zone of the row's store, else in UTC. A local hour
    that a clock change repeats means the first one.
    """

    def __init__(self, time_format: str | None, zone: tzinfo | None, store_zones: Mapping[str, tzinfo]) -> None:
        self.format = time_format
        self._zone = zone
        self._store_zones = store_zones

    def in_zones(self, store_zones: Mapping[str, tzinfo]) -> "TimeReader":
        """This reader with other zones of stores."""
        return TimeReader(self.format, self._zone, store_zones)

    def read(self, store: str, text: str) -> When:
        """The instant of a text. Raises `BadRow`."""
        instant = self._parse(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=self._zone_of(store))
        at_ms = (instant - EPOCH) // _MS
        if not EPOCH_MS_MIN <= at_ms <= EPOCH_MS_MAX:
            raise BadRow(f"time {text!r} lies outside 2000 to 2100")
        return When(at_ms, instant.toordinal())

    def _parse(self, text: str) -> datetime:
        if not text:
            raise BadRow("no time")
        try:
            if self.format is not None:
                return datetime.strptime(text, self.format)
            # By length: seconds have ten digits from 2001 to 2286, milliseconds thirteen.
            by_length = {_SECONDS_DIGITS: UNIX, _MILLISECONDS_DIGITS: UNIX_MS} if text.isdecimal() else {}
            return read_form(text, by_length.get(len(text), ISO))
        except (ValueError, OverflowError):
            expected = f"like {self.format}" if self.format else "ISO 8601; give its form with --time-format"
            raise BadRow(f"time {text!r} is not {expected}") from None

    def _zone_of(self, store: str) -> tzinfo:
        if self._zone is not None:
            return self._zone
        return self._store_zones.get(store, UTC)


def zone_named(name: str, option: str) -> ZoneInfo:
    """The time zone with a name of the IANA database. Raises `OptionInvalid`."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise OptionInvalid(option=option, value=name, cause="no such time zone, e.g. Europe/Berlin") from None
