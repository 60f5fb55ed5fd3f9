"""Topics and partitions in memory: where each starts and ends, its newest batches, and the fetches that wait."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Protocol

from bopis.broker.storage.topic_settings import TopicPolicy

# The cost of a cached batch beside its bytes: the object, its list slots, and the allocator's rounding.
CACHED_BATCH_OVERHEAD_BYTES = 256
_HEAD_SLACK = 64


class FetchWaiter(Protocol):
    """A fetch that waits for bytes."""

    def arrived(self, size: int) -> None:
        """A watched partition grew by `size` bytes, or changed altogether (negative)."""


class LogTopic:
    """A topic: its settings as given, the policy that they make, and its partitions in order."""

    __slots__ = ("id", "name", "partitions", "policy", "settings")

    def __init__(self, identity: int, name: str, settings: dict[str, str], policy: TopicPolicy) -> None:
        self.id = identity
        self.name = name
        self.settings = settings
        self.policy = policy
        self.partitions: list[LogPartition] = []


class LogPartition:
    """One ordered log, from the offset `log_start` to before the offset `end`; both are committed."""

    __slots__ = (
        "bytes_added",
        "clean_bytes",
        "cleaned_to",
        "deleted",
        "end",
        "id",
        "log_start",
        "number",
        "purged_to",
        "size_base",
        "tail",
        "top_timestamp",
        "topic",
        "waiters",
    )

    def __init__(self, identity: int, topic: LogTopic, number: int) -> None:
        self.id = identity
        self.topic = topic
        self.number = number
        self.log_start = 0
        self.end = 0
        self.cleaned_to = 0
        self.top_timestamp = -1
        self.deleted = False
        # For housekeeping: bytes appended less bytes removed since the start, and the bytes counted in the file.
        self.bytes_added = 0
        self.size_base: int | None = None
        self.clean_bytes: int | None = None
        self.purged_to = 0
        self.tail = Tail()
        self.waiters: set[FetchWaiter] = set()

    def wake(self, size: int) -> None:
        """Notify every waiting fetch of new bytes, or of another change (negative)."""
        for waiter in tuple(self.waiters):
            waiter.arrived(size)


class CachedBatch:
    """A committed batch in memory."""

    __slots__ = ("base", "last", "live", "records", "tail")

    def __init__(self, base: int, last: int, records: bytes) -> None:
        self.base = base
        self.last = last
        self.records = records
        self.live = True
        self.tail: Tail | None = None


class Tail:
    """The newest batches of a partition without a gap, up to its end."""

    __slots__ = ("_bases", "_batches", "_head")

    def __init__(self) -> None:
        self._bases: list[int] = []
        self._batches: list[CachedBatch] = []
        self._head = 0

    def append(self, batch: CachedBatch) -> None:
        batch.tail = self
        self._bases.append(batch.base)
        self._batches.append(batch)

    def drop_oldest(self) -> None:
        # The lists are cut only when half of them is dead: deleting at the front each time would copy the rest.
        self._head += 1
        if self._head > _HEAD_SLACK and self._head * 2 > len(self._bases):
            del self._bases[: self._head]
            del self._batches[: self._head]
            self._head = 0
        else:
            self._batches[self._head - 1] = _DROPPED

    def clear(self) -> list[CachedBatch]:
        """Remove and return all batches."""
        removed = self._batches[self._head :]
        self._bases, self._batches, self._head = [], [], 0
        return removed

    def read(self, offset: int, bytes_max: int, whole_first: bool) -> list[bytes] | None:
        """Batches from the one that contains `offset`, up to `bytes_max`; None when the offset is not in memory.

        With `whole_first` the first batch is returned whatever its size, as Fetch demands.
        """
        index = bisect_right(self._bases, offset, self._head) - 1
        if index < self._head:
            return None
        if self._batches[index].last < offset:
            index += 1
        found: list[bytes] = []
        size = 0
        for at in range(index, len(self._batches)):
            records = self._batches[at].records
            size += len(records)
            if size > bytes_max and (found or not whole_first):
                break
            found.append(records)
        return found


_DROPPED = CachedBatch(-1, -1, b"")


class TailCache:
    """Limits the memory of all tails together: the oldest batch of all is dropped first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._size = 0
        self._order: deque[CachedBatch] = deque()

    def add(self, partition: LogPartition, batch: CachedBatch) -> None:
        """Append a batch to the partition's tail, and drop old batches above the limit."""
        partition.tail.append(batch)
        self._order.append(batch)
        self._size += len(batch.records) + CACHED_BATCH_OVERHEAD_BYTES
        while self._size > self._bytes_max and self._order:
            oldest = self._order.popleft()
            self._size -= len(oldest.records) + CACHED_BATCH_OVERHEAD_BYTES
            if oldest.live and oldest.tail is not None:
                oldest.tail.drop_oldest()
            oldest.tail = None

    def forget(self, partition: LogPartition) -> None:
        """Clear a partition's tail, because its batches changed on disk or it was deleted."""
        for batch in partition.tail.clear():
            # It stays in the queue, whose order it must not disturb; from here on it costs only its overhead.
            batch.live = False
            self._size -= len(batch.records)
            batch.records = b""
