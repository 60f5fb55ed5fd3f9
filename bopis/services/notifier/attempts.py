"""Attempts that a notifier has already met, so that an event that is in the log twice is acted on once."""

from cachetools import FIFOCache

ATTEMPTS_KEPT = 50_000


class AttemptMemory(FIFOCache[str, int]):
    """Attempts of one partition: ids of their events, with the time of each. It is complete from `since_ms` on.

    After a crash the notices processor may repeat its conclusions, with equal ids and times. An attempt that is older
    than the memory may be such a repeat, and cannot be recognised.
    """

    def __init__(self, since_ms: int = 0, kept: int = ATTEMPTS_KEPT) -> None:
        super().__init__(kept)
        self.since_ms = since_ms

    def is_new(self, event: str, at_ms: int) -> bool:
        """Whether an attempt is met for the first time. It is stored."""
        if event in self:
            return False
        self[event] = at_ms
        return True

    def covers(self, at_ms: int) -> bool:
        """Whether a repeat of an attempt of this time would be recognised."""
        return at_ms >= self.since_ms

    def popitem(self) -> tuple[str, int]:
        """Remove the oldest attempt: the memory begins after it."""
        event, at_ms = super().popitem()
        self.since_ms = max(self.since_ms, at_ms + 1)
        return event, at_ms
