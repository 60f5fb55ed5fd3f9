"""The projection worker: the log into SQL tables, as a consumer group of its own.

Rows and position are written in one transaction, so reading continues at the database's own positions: nothing is
claimed, nothing is fenced. Should two workers believe that they own a partition, the one that writes second finds its
records consumed. What is left is to bring chunks to the database in order, without blocking the loop and without
reading ahead too far.
"""

from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.structs import TopicPartition

from bopis.names import READ_SIDE_TOPICS
from bopis.readside.errors import SchemaAbsent
from streams.engine.connection import LogConnection
from streams.engine.partition_status import PartitionStatus
from streams.errors import ReadSideUnsound
from streams.limits import StreamLimits
from streams.workers.consumer_worker import ConsumerWorker
from streams.workers.projection_database import ProjectionDatabase
from streams.workers.projection_input import ProjectionInput, SourceTopics
from streams.workers.worker import ReadyCallback

NAME = "projection"


class ProjectionWorker(ConsumerWorker):
    """Reads from the database's positions on, and writes chunk after chunk."""

    sources = READ_SIDE_TOPICS
    consumer_options: Mapping[str, Any] = {
        # Stock and levels have the same partitions: the worker that folds a store also writes its levels.
        "partition_assignment_strategy": (RangePartitionAssignor,),
        # A reader that waits for its database is not idle; the database's own patience ends first.
        "max_poll_interval_ms": 3_600_000,
        # Fetches wait at the log, which replies at the first byte, so a long wait costs nothing.
        "fetch_max_wait_ms": 1_000,
    }

    def __init__(
        self,
        connection: LogConnection,
        limits: StreamLimits,
        database: ProjectionDatabase,
        ready: ReadyCallback | None = None,
    ) -> None:
        super().__init__(NAME, connection, limits, ready)
        self._database = database
        topics = SourceTopics(connection, limits, self.client)
        self._input = ProjectionInput(topics, database, self.group, self.report_ready, self.fail)

    async def open(self) -> None:
        """Check the database's tables. Raises `ReadSideUnsound`."""
        try:
            await self._database.open(self.client.issues)
        except SchemaAbsent as error:
            raise ReadSideUnsound(cause=str(error)) from error

    def routines(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (self._read(), self.commit_forever())

    async def _read(self) -> None:
        while True:
            for chunk in (await self.group.chunks(self._input.wanted)).values():
                await self._input.take(chunk)

    async def drain(self, cause: BaseException | None) -> None:
        await super().drain(cause)
        # After an error nothing is written: the database may be the cause, and the log has every record.
        if cause is None:
            await self._input.close()
            await self.commit()

    async def revoked(self) -> None:
        """Write everything that was read: another worker reads on from there."""
        await super().revoked()
        await self._input.revoked()

    def assigned(self, tps: Collection[TopicPartition]) -> None:
        super().assigned(tps)
        # Nothing is fetched until the database's positions are known.
        self.group.pause(tps)
        self._input.assigned(tps)

    def done_offsets(self) -> Mapping[TopicPartition, int]:
        return self._input.durable_offsets()

    def statuses(self) -> Sequence[PartitionStatus]:
        return self._input.statuses()
