"""Producer ids and epochs: what a writer is known by, and what fences the one before it.

A named writer (`transactional_id`) always gets the same id with a higher epoch; the answer is given only after the
epoch is on the disk, so an epoch is never given twice.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bopis.broker.limits import BrokerLimits
from bopis.broker.writer import Writer

EPOCH_MAX = 32_766


class Identity(NamedTuple):
    """What a producer puts into each of its batches."""

    producer_id: int
    epoch: int


class ProducerIds:
    """Gives out identities."""

    def __init__(self, writer: Writer, limits: BrokerLimits) -> None:
        self._writer = writer
        self._block = limits.producer_id_block
        self._next = 0
        self._reserved_to = 0

    async def fresh(self) -> Identity:
        """A new id; ids are reserved in blocks, so that most of them cost no commit."""
        if self._next >= self._reserved_to:
            first = await self._writer.change(lambda connection: _take_block(connection, self._block))
            # Two callers may both have reserved: the later block is used, the other is given up.
            self._next, self._reserved_to = first, first + self._block
        self._next += 1
        return Identity(self._next - 1, 0)

    async def named(self, name: str) -> Identity:
        """The id of this name with an epoch that nobody had before."""

        def stage(connection: sqlite3.Connection) -> Identity:
            select = "SELECT producer_id, epoch FROM transactional WHERE name = ?"
            row = connection.execute(select, (name,)).fetchone()
            if row is None or row[1] >= EPOCH_MAX:
                identity = Identity(_take_block(connection, 1), 0)
            else:
                identity = Identity(row[0], row[1] + 1)
            connection.execute("INSERT OR REPLACE INTO transactional VALUES (?, ?, ?)", (name, *identity))
            return identity

        return await self._writer.change(stage)


def _take_block(connection: sqlite3.Connection, count: int) -> int:
    row = connection.execute("SELECT value FROM meta WHERE name = 'next_producer_id'").fetchone()
    first = 1_000 if row is None else int(row[0])
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('next_producer_id', ?)", (first + count,))
    return first
