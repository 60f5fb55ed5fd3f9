"""The committed offsets of groups, stored in the log's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kafka.structs import TopicPartition

from bopis.broker.clock import system_ms
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.cold_reads import ColdReader
from bopis.broker.storage.writer import Writer

_REPLACE = "INSERT OR REPLACE INTO group_offset VALUES (?, ?, ?, ?, ?, ?, ?)"
_SELECT = (
    "SELECT topic, partition, committed, leader_epoch, metadata FROM group_offset WHERE group_id = ?"
    " ORDER BY topic, partition"
)
_DELETE = "DELETE FROM group_offset WHERE group_id = ? AND topic = ? AND partition = ?"
_DELETE_GROUP = "DELETE FROM group_offset WHERE group_id = ?"


class CommittedOffset(NamedTuple):
    """The offset of the next record that a group wants from a partition."""

    offset: int
    leader_epoch: int
    metadata: str


class CommittedOffsets:
    """Reads and writes committed offsets. In memory are only the names of the groups that have any."""

    def __init__(self, writer: Writer, reader: ColdReader, limits: BrokerLimits) -> None:
        self._writer = writer
        self._reader = reader
        self._limits = limits
        self.groups: set[str] = set()

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the names of the groups with committed offsets."""
        self.groups = {name for (name,) in connection.execute("SELECT DISTINCT group_id FROM group_offset")}

    async def commit(self, group: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Store offsets; returns when they are on the disk."""
        now_ms = system_ms()
        rows = [(group, *place, *committed, now_ms) for place, committed in offsets.items()]
        await self._writer.change(lambda connection: connection.executemany(_REPLACE, rows) and None)
        self.groups.add(group)

    async def fetch(self, group: str) -> dict[TopicPartition, CommittedOffset]:
        """All committed offsets of a group, by topic and partition."""
        if group not in self.groups:
            return {}
        rows = await self._reader.run(lambda connection: connection.execute(_SELECT, (group,)).fetchall())
        return {TopicPartition(topic, number): CommittedOffset(*rest) for topic, number, *rest in rows}

    async def delete(self, group: str, partitions: Iterable[TopicPartition]) -> None:
        """Delete the committed offsets of some partitions."""
        rows = [(group, *place) for place in partitions]
        await self._writer.change(lambda connection: connection.executemany(_DELETE, rows) and None)
        if not await self.fetch(group):
            self.groups.discard(group)

    async def delete_group(self, group: str) -> None:
        """Delete all committed offsets of a group."""
        await self._writer.change(lambda connection: connection.execute(_DELETE_GROUP, (group,)) and None)
        self.groups.discard(group)
