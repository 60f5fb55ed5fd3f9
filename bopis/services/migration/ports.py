"""Connections of a migration, and the values that its steps pass on."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import msgspec

from bopis.ports import Log, RecordCopy, TopicPartition
from bopis.topics.definitions import TopicDefinition
from bopis.topics.plans import TopicPlan, TopicState

# Reports that this many further steps are done.
Advance = Callable[[int], None]
# Opens a progress bar with a label and its number of steps.
ProgressBar = Callable[[str, int], AbstractContextManager[Advance]]


class RecordPlace(NamedTuple):
    """The place of a record within its topic."""

    partition: int
    offset: int


class Keeper(Protocol):
    """Describes and changes topics, which are named in full."""

    def states(self, names: Iterable[str]) -> dict[str, TopicState]: ...
    def create(self, plans: Iterable[TopicPlan], other: Mapping[str, str] | None = None) -> None: ...
    def alter(self, name: str, settings: Mapping[str, str]) -> None: ...
    def delete(self, names: Iterable[str]) -> None: ...


class Copier(Protocol):
    """Appends records at known offsets of known partitions."""

    def append(self, topic: str, offset: int, copy: RecordCopy) -> None:
        """Send a record that must get this offset. Raises when an earlier record got another one."""
        ...

    def flush(self) -> None:
        """Wait until every record that was sent is acknowledged. Raises when one got another offset."""
        ...


class MoveConnections(msgspec.Struct, frozen=True, kw_only=True):
    """The connections of a migration. `working` returns the consumer groups of both prefixes that have members."""

    old: Log
    new: Log
    keeper: Keeper
    copier: Copier
    working: Callable[[], list[str]]
    show: ProgressBar


class MovedTopic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic to migrate, and the plan of its copy."""

    topic: TopicDefinition
    old_name: str
    plan: TopicPlan


class OffsetRanges(msgspec.Struct, frozen=True, kw_only=True):
    """First and end offsets of the old partitions. Records that are appended later are not migrated."""

    starts: dict[TopicPartition, int]
    ends: dict[TopicPartition, int]

    def partitions(self, topic: str) -> list[int]:
        return sorted(partition for name, partition in self.ends if name == topic)

    def records(self, topic: str) -> int:
        """The number of offsets; after compaction there are fewer records."""
        return sum(end - self.starts.get(it, 0) for it, end in self.ends.items() if it[0] == topic)
