"""Filling the partitions of one new topic, from wherever an earlier attempt has left off."""

import struct
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from bopis.ports import Headers
from bopis.services.migration.errors import TargetInUse
from bopis.services.migration.world import Advance, Copier, Copy

DIGEST_BYTES = 16
_ABSENT = -1


class Content:
    """What a partition holds, as a count and a digest over all of it."""

    def __init__(self) -> None:
        self.records = 0
        self.newest_ms = 0
        self._digest = blake2b(digest_size=DIGEST_BYTES)

    def take(self, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> None:
        self.records += 1
        self.newest_ms = max(self.newest_ms, timestamp_ms)
        parts = [key, value]
        for name, said in headers:
            parts += [name.encode(), said]
        lengths = [_ABSENT if it is None else len(it) for it in parts]
        self._digest.update(struct.pack(f">q{len(lengths)}i", timestamp_ms, *lengths))
        for part in parts:
            if part:
                self._digest.update(part)

    @property
    def digest(self) -> bytes:
        return self._digest.digest()

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Content) and (self.records, self.digest) == (other.records, other.digest)

    __hash__ = None  # type: ignore[assignment]  # it changes


class Filling:
    """One new topic. ``found`` is how many records of each partition stand there already; without a ``copier``
    nothing may be missing."""

    def __init__(self, name: str, topic: str, found: dict[int, int], copier: Copier | None) -> None:
        self._name = name
        self._topic = topic
        self._found = found
        self._copier = copier
        self.contents = {it: Content() for it in found}
        self.appended = 0

    def take(self, copies: Iterable[Copy], advance: Advance) -> None:
        """Append what is not there yet. Raises `TargetInUse` when there is more than there can be."""
        for copy in copies:
            content = self.contents[copy.partition]
            if content.records >= self._found[copy.partition]:
                self._append(copy, content.records)
            content.take(copy.key, copy.value, copy.headers, copy.timestamp_ms)
            advance(1)
        if self._copier is not None:
            self._copier.flush()
        for partition, content in self.contents.items():
            if self._found[partition] > content.records:
                raise self._in_use(partition)

    def _append(self, copy: Copy, offset: int) -> None:
        if self._copier is None:
            raise self._in_use(copy.partition)
        self._copier.append(self._topic, offset, copy)
        self.appended += 1

    def _in_use(self, partition: int) -> TargetInUse:
        expected = self.contents[partition].records
        return TargetInUse(topic=self._name, partition=partition, found=self._found[partition], expected=expected)
