"""A worker that is a plain consumer of one group, on the loop of the worker itself.

It keeps no exact table, so it needs nothing of a stream processor but its share of the partitions and records in order:
no Faust, no second loop, no message per partition and fetch (decision 9).
"""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Collection, Coroutine, Mapping, Sequence
from typing import Any

import structlog
from aiokafka.structs import TopicPartition

from bopis.topics.plans import TopicPlan
from streams.engine.connection import LogConnection
from streams.engine.consumers import GroupConsumer
from streams.engine.partition_status import OPENING, OWNER, READY, PartitionStatus
from streams.limits import StreamLimits
from streams.workers.worker import ReadyCallback, Worker

log = structlog.get_logger("streams.workers.consumer_worker")


class ConsumerWorker(Worker):
    """Loads what it needs, joins its group, works, and commits the offsets of what is done."""

    # The topics that the group shares out, and all others that the worker reads or writes; without prefix.
    sources: tuple[str, ...]
    other_topics: tuple[str, ...] = ()
    # Options of the group's consumer beyond those that all workers have.
    consumer_options: Mapping[str, Any] = {}

    def __init__(
        self, name: str, connection: LogConnection, limits: StreamLimits, ready: ReadyCallback | None = None
    ) -> None:
        super().__init__(name, connection, limits, ready)
        self.group = GroupConsumer(connection.group(name), connection, limits, **self.consumer_options)
        self.owned: list[TopicPartition] = []
        # Of each partition, the first offset that is not done.
        self.next_offsets: dict[TopicPartition, int] = {}
        self._committed: Mapping[TopicPartition, int] = {}

    # Methods that each kind of consumer implements.

    async def load(self) -> None:
        """Load what has to be there before the first record is read."""

    @abstractmethod
    def routines(self) -> Sequence[Coroutine[Any, Any, None]]:
        """The coroutines that work side by side until cancelled; an exception of one ends the worker."""

    def resources(self) -> Sequence[Awaitable[None]]:
        """Everything that is closed after the group was left."""
        return ()

    def recovered(self) -> int:
        """How far `load` has come: a number that grows while it makes progress."""
        return 0

    # The life that all consumers share.

    def topic_plans(self) -> Sequence[TopicPlan]:
        """The plans of the connection: these topics are made by others, too, and must be the same for all."""
        plans = {plan.name: plan for plan in self.connection.plans}
        return [plans[self.connection.topic(name)] for name in (*self.sources, *self.other_topics)]

    async def serve(self) -> None:
        await self.load()
        await self.group.join(self.client, map(self.connection.topic, self.sources), self)
        async with asyncio.TaskGroup() as tasks:
            for routine in self.routines():
                tasks.create_task(routine)

    async def drain(self, cause: BaseException | None) -> None:  # noqa: ARG002  (for the kinds that depend on it)
        await self.stop_work()

    async def leave(self) -> None:
        await self.group.leave()
        await asyncio.gather(*self.resources(), return_exceptions=True)

    async def revoked(self) -> None:
        """A rebalance begins, so every partition is given up."""
        self.owned = []
        self._committed = {}

    def assigned(self, tps: Collection[TopicPartition]) -> None:
        """A rebalance ended: these partitions are owned from now on."""
        self.owned = sorted(tps)
        log.info("partitions.assigned", processor=self.name, partitions=[tp.partition for tp in self.owned])

    def is_member(self) -> bool | None:
        return self.group.is_member()

    def statuses(self) -> Sequence[PartitionStatus]:
        """The status of each partition; one of which no record was done here has no position yet."""
        return [
            PartitionStatus(
                topic=tp.topic,
                partition=tp.partition,
                role=OWNER,
                state=READY if self.is_ready else OPENING,
                position=self.next_offsets[tp] - 1 if tp in self.next_offsets else None,
                recovered=self.recovered(),
            )
            for tp in self.owned
        ]

    def done_offsets(self) -> Mapping[TopicPartition, int]:
        """The offsets to commit: of each partition the first one that is not done."""
        return self.next_offsets

    async def commit_forever(self) -> None:
        """Commit at intervals, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.group_offsets_s)
            await self.commit()

    async def commit(self) -> None:
        """Commit the offsets of what is done. A failure is logged only: the same records are then met again."""
        # A commit fails as a whole when it names a partition that was given up.
        owned = self.group.assignment()
        offsets = {tp: offset for tp, offset in self.done_offsets().items() if tp in owned}
        if not offsets or offsets == self._committed:
            return
        try:
            await asyncio.wait_for(self.group.commit(offsets), self.limits.stop_s_max)
            self._committed = offsets
        except Exception as error:
            log.debug("group_offsets.failed", error=repr(error))
