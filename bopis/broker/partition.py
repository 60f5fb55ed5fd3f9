"""A partition as it stands in memory: where it starts and ends, its newest batches, and who waits for more."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Protocol

from bopis.broker.topics import TopicPolicy

# What one cached batch costs beside its bytes: the object, its list slots, and the allocator's rounding.
CACHED_BATCH_OVERHEAD_BYTES = 256
_HEAD_SLACK = 64


class Waiter(Protocol):
    """A fetch that waits for bytes."""

    def arrived(self, size: int) -> None:
        """A partition it watches has grown by so many bytes, or has changed altogether (size < 0)."""


class Topic:
    """A topic: its settings as given, the policy they make, and its partitions in order."""

    __slots__ = ("id", "name", "partitions", "policy", "settings")

    def __init__(self, identity: int, name: str, settings: dict[str, str], policy: TopicPolicy) -> None:
        self.id = identity
        self.name = name
        self.settings = settings
        self.policy = policy
        self.partitions: list[Partition] = []


class Partition:
    """One ordered log. `end` is the offset after the last committed record."""

    __slots__ = (
        "clean_bytes",
        "cleaned_to",
        "end",
        "gone",
        "grown",
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

    def __init__(self, identity: int, topic: Topic, number: int) -> None:
        self.id = identity
        self.topic = topic
        self.number = number
        self.log_start = 0
        self.end = 0
        self.cleaned_to = 0
        self.top_timestamp = -1
        self.gone = False
        # For housekeeping: bytes appended less bytes removed since the start, and what was counted in the file.
        self.grown = 0
        self.size_base: int | None = None
        self.clean_bytes: int | None = None
        self.purged_to = 0
        self.tail = Tail()
        self.waiters: set[Waiter] = set()

    def wake(self, size: int) -> None:
        """Tell every waiting fetch that there is more."""
        for waiter in tuple(self.waiters):
            waiter.arrived(size)


class TailBatch:
    """A committed batch that is still in memory."""

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
        self._batches: list[TailBatch] = []
        self._head = 0

    def append(self, batch: TailBatch) -> None:
        batch.tail = self
        self._bases.append(batch.base)
        self._batches.append(batch)

    def drop_oldest(self) -> None:
        self._head += 1
        if self._head > _HEAD_SLACK and self._head * 2 > len(self._bases):
            del self._bases[: self._head]
            del self._batches[: self._head]
            self._head = 0
        else:
            self._batches[self._head - 1] = _DROPPED

    def clear(self) -> list[TailBatch]:
        """Forget everything; returns what was forgotten."""
        forgotten = self._batches[self._head :]
        self._bases, self._batches, self._head = [], [], 0
        return forgotten

    def read(self, offset: int, bytes_max: int, whole_first: bool) -> list[bytes] | None:
        """Batches from the one that holds `offset`, or None when it is not in memory."""
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


_DROPPED = TailBatch(-1, -1, b"")


class TailCache:
    """Bounds the memory of all tails together: the oldest batch of all goes first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._size = 0
        self._order: deque[TailBatch] = deque()

    def add(self, partition: Partition, batch: TailBatch) -> None:
        partition.tail.append(batch)
        self._order.append(batch)
        self._size += len(batch.records) + CACHED_BATCH_OVERHEAD_BYTES
        while self._size > self._bytes_max and self._order:
            oldest = self._order.popleft()
            self._size -= len(oldest.records) + CACHED_BATCH_OVERHEAD_BYTES
            if oldest.live and oldest.tail is not None:
                oldest.tail.drop_oldest()
            oldest.tail = None

    def forget(self, partition: Partition) -> None:
        """Drop a partition's tail: its batches changed on disk, or it is gone."""
        for batch in partition.tail.clear():
            batch.live = False
            self._size -= len(batch.records)
            batch.records = b""
