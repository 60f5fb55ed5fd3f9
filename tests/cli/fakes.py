"""The log in memory, behind the same ports as the real one."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bopis.adapters.errors import TopicMissing
from bopis.ports import Headers, Offsets, OnDelivery, Record, RecordMetadata
from bopis.wire.placement import partition_of

PARTITIONS = 2
START_MS = 1_795_000_000_000


class FakeDelivery(NamedTuple):
    placed: RecordMetadata

    def wait(self, timeout_seconds: float | None = None) -> RecordMetadata:
        return self.placed


class FakeLog:
    """Publisher and reader at once. Each record is learned a second after the one before."""

    def __init__(self, *topics: str) -> None:
        self.records: dict[tuple[str, int], list[Record]] = {
            (topic, partition): [] for topic in topics for partition in range(PARTITIONS)
        }
        self.now_ms = START_MS

    def publish(
        self,
        topic: str,
        key: str | bytes,
        value: bytes | None,
        *,
        headers: Headers = (),
        on_delivery: OnDelivery | None = None,
    ) -> FakeDelivery:
        raw = key.encode() if isinstance(key, str) else key
        where = (topic, partition_of(raw, PARTITIONS))
        if where not in self.records:
            raise TopicMissing(topic=topic)
        self.now_ms += 1_000
        offset = len(self.records[where])
        self.records[where].append(Record(*where, offset, self.now_ms, raw, value, tuple(headers)))
        placed = RecordMetadata(*where, offset, self.now_ms)
        if on_delivery is not None:
            on_delivery(placed)
        return FakeDelivery(placed)

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Everything is there at once."""

    def close(self) -> None:
        """Nothing is open."""

    def start_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        return {where: 0 for where in self.records if where[0] in set(topics)}

    def end_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        return {where: len(records) for where, records in self.records.items() if where[0] in set(topics)}

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[tuple[str, int], int]:
        return {
            where: sum(it.timestamp_ms < at_ms for it in records)
            for where, records in self.records.items()
            if where[0] in set(topics)
        }

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        for where, offset in first.items():
            yield from self.records[where][offset : end.get(where, 0)]

    def tail(self, topics: Iterable[str], first: Offsets | None = None) -> "FakeTail":
        return FakeTail(self, tuple(topics), first or {})

    def __enter__(self) -> "FakeLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FakeTail:
    """Records that reach the topics from now on, or from given offsets on. With nothing new it waits a moment, as a log
    does."""

    def __init__(self, log: FakeLog, topics: tuple[str, ...], first: Offsets) -> None:
        self._log = log
        self._next = log.end_offsets(topics) | dict(first)

    @property
    def next(self) -> Offsets:
        return self._next

    def poll(self, seconds: float) -> list[Record]:
        ends = {where: len(self._log.records[where]) for where in self._next}
        found = list(self._log.read(self._next, ends))
        self._next = ends
        if not found:
            time.sleep(min(seconds, 0.005))
        return found

    def has_reached(self, ends: Offsets) -> bool:
        return all(self._next.get(where, 0) >= end for where, end in ends.items())
