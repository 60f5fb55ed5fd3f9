"""Filling the partitions of a new topic, continuing where an earlier attempt stopped."""

import struct
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from bopis.ports import Headers, RecordCopy
from bopis.services.migration.errors import TargetInUse
from bopis.services.migration.ports import Advance, Copier

DIGEST_BYTES = 16
_ABSENT = -1


class PartitionContent:
    """Number of records of a partition, and a digest of all of them, with timestamps and headers."""

    def __init__(self) -> None:
        self.records = 0
        self.newest_ms = 0
        self._digest = blake2b(digest_size=DIGEST_BYTES)

    def add(self, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> None:
        """Add the next record."""
        self.records += 1
        self.newest_ms = max(self.newest_ms, timestamp_ms)
        parts = [key, value]
        for name, header in headers:
            parts += [name.encode(), header]
        # Lengths before contents: otherwise "ab" + "c" and "a" + "bc" would have equal digests.
        lengths = [_ABSENT if it is None else len(it) for it in parts]
        self._digest.update(struct.pack(f">q{len(lengths)}i", timestamp_ms, *lengths))
        for part in parts:
            if part:
                self._digest.update(part)

    @property
    def digest(self) -> bytes:
        return self._digest.digest()

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, PartitionContent) and (self.records, self.digest) == (other.records, other.digest)

    __hash__ = None  # type: ignore[assignment]  # it changes


class TopicFilling:
    """One new topic. `found` is the number of records that each partition has already. Without a `copier` the topic
    must be complete."""

    def __init__(self, name: str, topic: str, found: dict[int, int], copier: Copier | None) -> None:
        self._name = name
        self._topic = topic
        self._found = found
        self._copier = copier
        self.contents = {number: PartitionContent() for number in found}
        self.appended = 0

    def fill(self, copies: Iterable[RecordCopy], advance: Advance) -> None:
        """Append the records that are missing. Raises `TargetInUse` if the topic has more than these."""
        for copy in copies:
            content = self.contents[copy.partition]
            if content.records >= self._found[copy.partition]:
                self._append(copy, content.records)
            content.add(copy.key, copy.value, copy.headers, copy.timestamp_ms)
            advance(1)
        if self._copier is not None:
            self._copier.flush()
        for partition, content in self.contents.items():
            if self._found[partition] > content.records:
                raise self._in_use(partition)

    def _append(self, copy: RecordCopy, offset: int) -> None:
        if self._copier is None:
            raise self._in_use(copy.partition)
        self._copier.append(self._topic, offset, copy)
        self.appended += 1

    def _in_use(self, partition: int) -> TargetInUse:
        expected = self.contents[partition].records
        return TargetInUse(topic=self._name, partition=partition, found=self._found[partition], expected=expected)
