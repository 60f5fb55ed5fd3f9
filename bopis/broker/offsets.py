"""Where each group has read to: in the file, committed with everything else."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from bopis.broker.limits import BrokerLimits
from bopis.broker.reading import LogReader
from bopis.broker.writer import Writer

_REPLACE = "INSERT OR REPLACE INTO group_offset VALUES (?, ?, ?, ?, ?, ?, ?)"


class Committed(NamedTuple):
    """A position of a group in a partition."""

    offset: int
    leader_epoch: int
    metadata: str


class CommittedOffsets:
    """Reads and writes positions; remembers only which groups have any."""

    def __init__(self, writer: Writer, reader: LogReader, limits: BrokerLimits) -> None:
        self._writer = writer
        self._reader = reader
        self._limits = limits
        self.groups: set[str] = set()

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the names of the groups that have positions."""
        self.groups = {name for (name,) in connection.execute("SELECT DISTINCT group_id FROM group_offset")}

    async def commit(self, group: str, positions: list[tuple[str, int, Committed]]) -> None:
        """Keep these positions."""
        now_ms = time.time_ns() // 1_000_000
        rows = [(group, topic, number, *committed, now_ms) for topic, number, committed in positions]
        await self._writer.change(lambda connection: connection.executemany(_REPLACE, rows) and None)
        self.groups.add(group)

    async def fetch(self, group: str) -> dict[tuple[str, int], Committed]:
        """All positions of a group."""
        if group not in self.groups:
            return {}
        select = (
            "SELECT topic, partition, committed, leader_epoch, metadata FROM group_offset WHERE group_id = ?"
            " ORDER BY topic, partition"
        )
        rows = await self._reader.run(lambda connection: connection.execute(select, (group,)).fetchall())
        return {(topic, number): Committed(*rest) for topic, number, *rest in rows}

    async def delete(self, group: str, partitions: list[tuple[str, int]]) -> None:
        """Forget some positions of a group."""
        rows = [(group, topic, number) for topic, number in partitions]
        delete = "DELETE FROM group_offset WHERE group_id = ? AND topic = ? AND partition = ?"
        await self._writer.change(lambda connection: connection.executemany(delete, rows) and None)
        if not await self.fetch(group):
            self.groups.discard(group)

    async def delete_group(self, group: str) -> None:
        """Forget all positions of a group."""
        delete = "DELETE FROM group_offset WHERE group_id = ?"
        await self._writer.change(lambda connection: connection.execute(delete, (group,)) and None)
        self.groups.discard(group)
