"""The clock of the demonstrated day: it runs at many times real time, and a day in the past looks like today."""

from datetime import UTC, datetime

from msgspec import Struct


class DayClock(Struct, frozen=True, kw_only=True):
    """A day from `opens_ms` to `closes_ms` that passes in so many real seconds, begun at a monotonic instant."""

    opens_ms: int
    closes_ms: int
    seconds: float
    began: float

    def share(self, monotonic: float) -> float:
        """How much of the day has passed, 0 to 1."""
        return min(1.0, max(0.0, (monotonic - self.began) / self.seconds))

    def at_ms(self, monotonic: float) -> int:
        """What time it is in the day."""
        return self.opens_ms + round(self.share(monotonic) * (self.closes_ms - self.opens_ms))

    def seconds_until(self, at_ms: int, monotonic: float) -> float:
        """Real seconds until a time of the day; below zero when it has passed."""
        share = (at_ms - self.opens_ms) / (self.closes_ms - self.opens_ms)
        return self.began + share * self.seconds - monotonic

    def moment_ms(self, share: float) -> int:
        """The time of the day when so much of it has passed."""
        return self.opens_ms + round(share * (self.closes_ms - self.opens_ms))

    @property
    def times_real(self) -> float:
        """How many times faster than real time it runs."""
        return (self.closes_ms - self.opens_ms) / 1000 / self.seconds


def instant(at_ms: int) -> datetime:
    """An instant of the day as messages carry it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
