"""Producer ids and epochs: the identity of a writer, and the fence against the one before it.

A writer with a transactional id gets the same producer id with a higher epoch each time; the response follows when the
epoch is on the disk, so no epoch is given twice.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.writer import Writer

# Apache Kafka's limit, one below the largest 16-bit number. After it the name gets a new id.
EPOCH_MAX = 32_766
_FIRST_ID = 1_000


class ProducerIdentity(NamedTuple):
    """The fields that identify a producer in each of its batches."""

    producer_id: int
    epoch: int


class ProducerIds:
    """Allocates identities. Both methods raise a `BrokerError` when the commit fails."""

    def __init__(self, writer: Writer, limits: BrokerLimits) -> None:
        self._writer = writer
        self._block = limits.producer_id_block
        self._next = 0
        self._reserved_to = 0

    async def fresh(self) -> ProducerIdentity:
        """A new id with epoch 0. Ids are reserved in blocks, so that most of them need no commit."""
        if self._next >= self._reserved_to:
            first = await self._writer.change(lambda connection: _take_block(connection, self._block))
            # Two callers may have reserved a block each: the later one is used, the other is lost.
            self._next, self._reserved_to = first, first + self._block
        self._next += 1
        return ProducerIdentity(self._next - 1, 0)

    async def named(self, name: str) -> ProducerIdentity:
        """The id of a transactional id, with an epoch above all earlier ones."""

        def stage(connection: sqlite3.Connection) -> ProducerIdentity:
            select = "SELECT producer_id, epoch FROM transactional WHERE name = ?"
            row = connection.execute(select, (name,)).fetchone()
            if row is None or row[1] >= EPOCH_MAX:
                identity = ProducerIdentity(_take_block(connection, 1), 0)
            else:
                identity = ProducerIdentity(row[0], row[1] + 1)
            connection.execute("INSERT OR REPLACE INTO transactional VALUES (?, ?, ?)", (name, *identity))
            return identity

        return await self._writer.change(stage)


def _take_block(connection: sqlite3.Connection, count: int) -> int:
    row = connection.execute("SELECT value FROM meta WHERE name = 'next_producer_id'").fetchone()
    first = _FIRST_ID if row is None else int(row[0])
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('next_producer_id', ?)", (first + count,))
    return first
