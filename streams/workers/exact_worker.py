"""A worker that runs a processor with the exact step, as a member of a group through Faust."""

import asyncio
from collections.abc import Sequence

from bopis.topics.plans import TopicPlan
from streams.engine.connection import LogConnection
from streams.engine.faust_app import StreamApp, build_app
from streams.engine.ownership import OwnedPartitions
from streams.engine.partition_status import PartitionStatus
from streams.engine.processor import Processor
from streams.engine.ticks import Feed, Pulse
from streams.engine.topics import topic_plans
from streams.engine.worker_context import WorkerContext
from streams.limits import StreamLimits
from streams.workers.live_tables import LiveTables
from streams.workers.worker import ReadyCallback, Worker


class ExactWorker(Worker):
    """Claims, recovers and decides the partitions that the group gives to it."""

    def __init__(
        self,
        processor: Processor,
        connection: LogConnection,
        limits: StreamLimits = StreamLimits(),  # frozen, so a shared default is safe
        ready: ReadyCallback | None = None,
        feed: Feed | None = None,
    ) -> None:
        super().__init__(processor.name, connection, limits, ready)
        pulse = Pulse(limits.tick_check_ms / 1000)
        context = WorkerContext(processor, connection, limits, self.client, self.fail, feed, pulse)
        self._feed = feed
        self._tables = None if feed is None else LiveTables(connection, limits, feed.topics, feed.take)
        self._processor = processor
        self._partitions = OwnedPartitions(context, self.report_ready)
        self._app: StreamApp | None = None

    def topic_plans(self) -> Sequence[TopicPlan]:
        fed = () if self._feed is None else self._feed.topics
        return topic_plans(self._processor, self.connection, self.limits, fed)

    async def open(self) -> None:
        """Read the topics that the partitions are fed from, up to their ends."""
        if self._tables is not None:
            await self._tables.load(self.client)

    async def serve(self) -> None:
        """Run Faust's services, and follow the topics. If one of them falls, the worker falls."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_app())
            if self._tables is not None:
                tasks.create_task(self._follow(self._tables))

    async def _follow(self, tables: LiveTables) -> None:
        while True:
            await tables.fold()

    async def _run_app(self) -> None:
        loop = asyncio.get_running_loop()
        app = self._app = build_app(self._processor, self.connection, self.limits, self._partitions)
        # Called from the consumer's thread, too.
        app.failed = lambda cause: loop.call_soon_threadsafe(self.fail, cause)
        await app.start()
        await app.wait_until_stopped()
        raise app.crash_reason or RuntimeError("Faust stopped by itself")

    async def drain(self, cause: BaseException | None) -> None:
        if cause is not None:
            # A drain may need the part that failed, so nothing is committed; the successor decides these records again.
            self._partitions.abandon()
            return
        await self._partitions.close()
        # The group's offsets are for tools that show its lag: leaving waits for them no longer than for anything.
        if self._app is not None and self._app.consumer is not None:
            await self.attempt("group_offsets.failed", self._app.consumer.commit())

    async def leave(self) -> None:
        if self._app is not None:
            await self._app.stop()
        if self._tables is not None:
            await self._tables.stop()

    def statuses(self) -> Sequence[PartitionStatus]:
        return self._partitions.statuses()

    def is_member(self) -> bool | None:
        return None if self._app is None else self._app.is_member()
