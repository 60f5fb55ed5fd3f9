"""A log in memory: topics of partitions, one clock, and owners that the log itself tells apart by their epoch."""

from typing import NamedTuple
from zlib import crc32

from streams.errors import Fenced

NOON_MS = 1_800_014_400_000  # 2027-01-15 12:00 UTC, a Friday
TOPICS = (
    "stock",
    "inventory-levels",
    "inventory-events",
    "orders",
    "order-state",
    "order-events",
    "notices",
    "notice-state",
    "notice-events",
    "payments",
    "payment-state",
    "payment-events",
    "payment-calls",
    "stores",
)


class Kept(NamedTuple):
    """One record as a worker reads it; ``place`` counts all records of the log in the order of their appending."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    place: int


class Log:
    """Every append takes a millisecond, so that no two records share their moment."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.now_ms = NOON_MS
        self.appended = 0
        self.topics: dict[str, list[list[Kept]]] = {
            name: [[] for _ in range(partitions)] for name in (*TOPICS, "payments")
        }
        self.topics["dead-letters"] = [[]]
        self.offsets: dict[tuple[str, int], int] = {}
        self._epochs: dict[str, int] = {}

    def home(self, topic: str, key: bytes) -> int:
        """The partition of a key; the same number in every topic that is partitioned alike."""
        return crc32(key) % len(self.topics[topic])

    def append(
        self, topic: str, partition: int, entry: tuple[bytes, bytes | None], headers: tuple[tuple[str, bytes], ...] = ()
    ) -> int:
        """Keep one record; its offset."""
        records = self.topics[topic][partition]
        self.now_ms += 1
        self.appended += 1
        records.append(Kept(len(records), self.now_ms, *entry, headers, self.appended))
        return len(records) - 1

    def put(self, topic: str, key: bytes, value: bytes) -> None:
        """Keep one record in the partition of its key."""
        self.append(topic, self.home(topic, key), (key, value))

    def take_over(self, identity: str) -> int:
        """The next epoch of an owner: whoever writes with an earlier one is refused from now on."""
        self._epochs[identity] = self._epochs.get(identity, -1) + 1
        return self._epochs[identity]

    def check(self, identity: str, epoch: int) -> None:
        """Raises `Fenced` for an owner that another one has followed."""
        if self._epochs[identity] != epoch:
            raise Fenced(topic=identity, partition=0, epoch=epoch)
