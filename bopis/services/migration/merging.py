"""The partitions of an old topic as one sequence: each in its own order, the older record first."""

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heapreplace

from bopis.ports import Log, Record
from bopis.services.migration.world import Span

RECORDS_AHEAD_MAX = 40_000
RECORDS_AHEAD_MIN = 500


class Feed:
    """One partition, read ahead a little."""

    def __init__(self, log: Log, where: tuple[str, int], span: Span, ahead: int) -> None:
        self._log = log
        self._where = where
        self._next = span.starts.get(where, 0)
        self._end = span.ends[where]
        self._ahead = ahead
        self._records: deque[Record] = deque()

    def pop(self) -> Record | None:
        """The next record, None at the end. Of a compacted topic offsets are missing, so a step may bring nothing."""
        while not self._records and self._next < self._end:
            until = min(self._next + self._ahead, self._end)
            self._records.extend(self._log.read({self._where: self._next}, {self._where: until}))
            self._next = until
        return self._records.popleft() if self._records else None


def merged(log: Log, topic: str, span: Span) -> Iterator[Record]:
    """Every record of a topic. The order depends on nothing but the records: of two with the same time, the one of
    the lower partition is first, and a clock that went back inside a partition does not reorder it."""
    partitions = span.partitions(topic)
    ahead = max(RECORDS_AHEAD_MIN, RECORDS_AHEAD_MAX // max(1, len(partitions)))
    feeds = {it: Feed(log, (topic, it), span, ahead) for it in partitions}
    firsts = {it: feed.pop() for it, feed in feeds.items()}
    heads = [(record.timestamp_ms, it, record) for it, record in firsts.items() if record is not None]
    heapify(heads)
    while heads:
        _, partition, record = heads[0]
        yield record
        following = feeds[partition].pop()
        if following is None:
            heappop(heads)
        else:
            heapreplace(heads, (following.timestamp_ms, partition, following))
