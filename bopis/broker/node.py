"""The parts of a running log, composed once and passed to the handlers of requests."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from pathlib import Path

from bopis.broker.clock import RecordClock, system_ms
from bopis.broker.groups.coordinator import GroupCoordinator
from bopis.broker.groups.offsets import CommittedOffsets
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.append import Appender
from bopis.broker.storage.catalog import TopicCatalog
from bopis.broker.storage.checkpoint import Checkpointer
from bopis.broker.storage.cold_reads import ColdReader
from bopis.broker.storage.database import open_writer
from bopis.broker.storage.housekeeping import Housekeeper, Storage
from bopis.broker.storage.partition import TailCache
from bopis.broker.storage.producer_ids import ProducerIds
from bopis.broker.storage.writer import Writer

# The only broker of the cluster, as clients see it.
NODE_ID = 1
_CLUSTER_ID_LENGTH = 22


class BrokerNode:
    """One log: its file, its topics, its groups. Raises as `open_writer` does."""

    def __init__(self, path: Path, limits: BrokerLimits, now_ms: RecordClock = system_ms) -> None:
        self.path = path
        self.limits = limits
        self.now_ms = now_ms
        self.host = ""
        self.port = 0
        connection = open_writer(path, limits)
        self.cluster_id = _cluster_id(connection)
        self.writer = Writer(connection, path, limits)
        self.cache = TailCache(limits.fetch_cache_bytes)
        self.catalog = TopicCatalog(self.writer, self.cache, limits)
        self.appender = Appender(self.cache, limits, now_ms)
        self.writer.follow(self.appender)
        self.reader = ColdReader(path, limits)
        self.producer_ids = ProducerIds(self.writer, limits)
        self.offsets = CommittedOffsets(self.writer, self.reader, limits)
        self.groups = GroupCoordinator(limits)
        # Bytes that responses may still put into the buffers of clients that do not read.
        self.egress_room = limits.egress_bytes_max
        self._background: list[Housekeeper | Checkpointer] = []
        self.housekeeping_due = asyncio.Event()
        self.catalog.load(connection)
        self.offsets.load(connection)

    def start_housekeeping(self) -> None:
        """Start retention, compaction and checkpoints in the background."""
        storage = Storage(self.path, self.limits, self.writer, self.catalog, self.cache, self.appender, self.now_ms)
        self._background = [
            Housekeeper(storage, self.housekeeping_due),
            Checkpointer(self.path, self.writer, self.limits),
        ]

    async def close(self) -> None:
        """Refuse waiting group members, finish the work under way, and close the file."""
        self.groups.close()
        for worker in self._background:
            await worker.stop()
        await self.reader.close()
        await self.writer.close()


def _cluster_id(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT value FROM meta WHERE name = 'cluster_id'").fetchone()
    if row is not None:
        return str(row[0])
    identity = uuid.uuid4().hex[:_CLUSTER_ID_LENGTH]
    connection.execute("INSERT INTO meta VALUES ('cluster_id', ?)", (identity,))
    connection.execute("INSERT INTO meta VALUES ('created_ms', ?)", (system_ms(),))
    return identity
