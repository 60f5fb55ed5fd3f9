"""The clocks of the demonstration: the one that its log goes by, and the day that passes on it."""

import mmap
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

_OFFSET_MS = struct.Struct("=q")


class OffsetClock:
    """This machine's clock plus an offset that every process of the demonstration reads from one small file.

    The file holds the offset in milliseconds as a signed 64-bit integer and is mapped into memory, so a change in one
    process is seen by the others at once. Aligned eight bytes are read and written whole.
    """

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _OFFSET_MS.size)

    @classmethod
    def create(cls, file: Path) -> "OffsetClock":
        """A new clock with an offset of zero; replaces what the file held."""
        file.write_bytes(_OFFSET_MS.pack(0))
        return cls(file)

    @property
    def offset_ms(self) -> int:
        """Milliseconds ahead of this machine's clock; negative when behind."""
        return int(_OFFSET_MS.unpack_from(self._shared)[0])

    def now_ms(self) -> int:
        """Milliseconds since 1970 by this clock."""
        return _system_ms() + self.offset_ms

    def set_to(self, at_ms: int) -> None:
        """Make `at_ms` the present; from there the clock runs at the pace of real time."""
        self._shared[:] = _OFFSET_MS.pack(at_ms - _system_ms())

    def reset(self) -> None:
        """Return to this machine's time."""
        self._shared[:] = _OFFSET_MS.pack(0)


class DayClock(Struct, frozen=True, kw_only=True):
    """A day from `opens_ms` to `closes_ms` that passes in `seconds` of real time, begun at a monotonic instant."""

    opens_ms: int
    closes_ms: int
    seconds: float
    began: float

    def share(self, monotonic: float) -> float:
        """The part of the day that has passed, 0 to 1."""
        return min(1.0, max(0.0, (monotonic - self.began) / self.seconds))

    def at_ms(self, monotonic: float) -> int:
        """The time of the day at a monotonic instant."""
        return self.moment_ms(self.share(monotonic))

    def seconds_until(self, at_ms: int, monotonic: float) -> float:
        """Real seconds until a time of the day; negative when it has passed."""
        share = (at_ms - self.opens_ms) / (self.closes_ms - self.opens_ms)
        return self.began + share * self.seconds - monotonic

    def moment_ms(self, share: float) -> int:
        """The time of the day when this part of it has passed."""
        return self.opens_ms + round(share * (self.closes_ms - self.opens_ms))

    @property
    def times_real(self) -> float:
        """How many times faster than real time the day runs."""
        return (self.closes_ms - self.opens_ms) / 1000 / self.seconds


def instant(at_ms: int) -> datetime:
    """An instant of the day as messages carry it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _system_ms() -> int:
    return time.time_ns() // 1_000_000
