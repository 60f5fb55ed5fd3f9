"""What a move asks of the outside, and what it hands over."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import msgspec

from bopis.ports import Headers, Log
from bopis.topics.known import Topic
from bopis.topics.plans import TopicPlan, TopicState

Advance = Callable[[int], None]
# Words and the number of steps to a progress bar.
Show = Callable[[str, int], AbstractContextManager[Advance]]
Where = tuple[int, int]  # partition, offset


class Copy(NamedTuple):
    """One record as it will stand in a new partition."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


class Keeper(Protocol):
    """Topics by their full name."""

    def states(self, names: Iterable[str]) -> dict[str, TopicState]: ...
    def create(self, plans: Iterable[TopicPlan], other: Mapping[str, str] | None = None) -> None: ...
    def alter(self, name: str, settings: Mapping[str, str]) -> None: ...
    def delete(self, names: Iterable[str]) -> None: ...


class Copier(Protocol):
    """Puts records at known offsets of known partitions."""

    def append(self, topic: str, offset: int, copy: Copy) -> None:
        """Hand a record over that must get this offset. Raises when an earlier one got another."""
        ...

    def flush(self) -> None:
        """Wait until everything handed over stands where it must; raises when it does not."""
        ...


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """The ways to the world. ``place`` is where a key goes among so many partitions, ``working`` names the groups of
    both prefixes that somebody is in."""

    old: Log
    new: Log
    keeper: Keeper
    copier: Copier
    place: Callable[[bytes, int], int]
    working: Callable[[], list[str]]
    show: Show


class Moving(msgspec.Struct, frozen=True, kw_only=True):
    """One topic that is moved, and how it must be in the end."""

    topic: Topic
    old_name: str
    plan: TopicPlan


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Where the partitions of the old topics begin and end; what comes later is not part of the move."""

    starts: dict[tuple[str, int], int]
    ends: dict[tuple[str, int], int]

    def partitions(self, topic: str) -> list[int]:
        return sorted(partition for name, partition in self.ends if name == topic)

    def records(self, topic: str) -> int:
        """Records at most; of a compacted topic some are gone."""
        return sum(end - self.starts.get(it, 0) for it, end in self.ends.items() if it[0] == topic)
