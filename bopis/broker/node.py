"""The parts of a running log, put together once and handed to whoever answers requests."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from pathlib import Path

from bopis.broker.append import Appender
from bopis.broker.catalog import Catalog
from bopis.broker.checkpoint import Checkpointer
from bopis.broker.coordinator import Coordinator
from bopis.broker.database import open_writer
from bopis.broker.housekeeping import House, Housekeeper
from bopis.broker.identities import ProducerIds
from bopis.broker.limits import BrokerLimits
from bopis.broker.offsets import CommittedOffsets
from bopis.broker.partition import TailCache
from bopis.broker.reading import LogReader
from bopis.broker.writer import Writer

NODE_ID = 1


class Node:
    """One log: its file, its topics, its groups."""

    def __init__(self, path: Path, limits: BrokerLimits) -> None:
        self.path = path
        self.limits = limits
        self.host = ""
        self.port = 0
        connection = open_writer(path, limits)
        self.cluster_id = _cluster_id(connection)
        self.writer = Writer(connection, path, limits)
        self.cache = TailCache(limits.fetch_cache_bytes)
        self.catalog = Catalog(self.writer, self.cache, limits)
        self.appender = Appender(self.cache, limits)
        self.writer.follow(self.appender)
        self.reader = LogReader(path, limits)
        self.producer_ids = ProducerIds(self.writer, limits)
        self.offsets = CommittedOffsets(self.writer, self.reader, limits)
        self.groups = Coordinator(limits)
        self.egress_room = limits.egress_bytes_max
        self._background: list[Housekeeper | Checkpointer] = []
        self.housekeeping_due = asyncio.Event()
        self.catalog.load(connection)
        self.offsets.load(connection)

    def start_housekeeping(self) -> None:
        """Begin what goes on in the background."""
        house = House(self.path, self.limits, self.writer, self.catalog, self.cache, self.appender)
        self._background = [
            Housekeeper(house, self.housekeeping_due),
            Checkpointer(self.path, self.writer, self.limits),
        ]

    async def close(self) -> None:
        """Answer nothing more, finish what was begun, and let go of the file."""
        self.groups.close()
        for keeper in self._background:
            await keeper.stop()
        await self.reader.close()
        await self.writer.close()


def _cluster_id(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT value FROM meta WHERE name = 'cluster_id'").fetchone()
    if row is not None:
        return str(row[0])
    identity = uuid.uuid4().hex[:22]
    connection.execute("INSERT INTO meta VALUES ('cluster_id', ?)", (identity,))
    connection.execute("INSERT INTO meta VALUES ('created_ms', ?)", (time.time_ns() // 1_000_000,))
    return identity
