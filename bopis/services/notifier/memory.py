"""Which attempts were met already, so that a conclusion that stands twice in the log is acted on once."""

from collections import OrderedDict

ATTEMPTS_KEPT = 50_000


class Memory:
    """Attempts of one partition by the id of their event. It is whole from `since_ms` on.

    The log's writer may repeat what it concluded after a crash, with the same ids and the same times: what is older
    than the memory may be such a repeat, and nobody can tell.
    """

    def __init__(self, since_ms: int = 0, kept: int = ATTEMPTS_KEPT) -> None:
        self.since_ms = since_ms
        self._kept = kept
        self._seen: OrderedDict[str, int] = OrderedDict()

    def is_new(self, event: str, at_ms: int) -> bool:
        """Whether an attempt is met for the first time; it is remembered."""
        if event in self._seen:
            return False
        self._seen[event] = at_ms
        while len(self._seen) > self._kept:
            _, gone_ms = self._seen.popitem(last=False)
            self.since_ms = max(self.since_ms, gone_ms + 1)
        return True

    def covers(self, at_ms: int) -> bool:
        """Whether a repeat of something that was concluded at an instant would be known."""
        return at_ms >= self.since_ms
