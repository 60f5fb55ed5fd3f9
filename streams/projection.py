"""The projection worker: the log into SQL tables, as a consumer group of its own.

Rows and position are written in one transaction, so the database itself says where to read on: nothing is claimed,
nothing is fenced. Should two workers believe that they own a partition, the one that writes second finds its
records consumed. All that has to be done here is to bring chunks to the database in order, without blocking the
loop and without reading ahead too far.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from bopis.readside.errors import SchemaAbsent
from bopis.topics.plans import TopicPlan
from streams.client import LogClient
from streams.connection import Connection
from streams.limits import StreamLimits
from streams.loops import loop_factory
from streams.projection_database import Database
from streams.projection_group import GroupReader
from streams.projection_reading import (
    LEVELS,
    NOTICE_STATE,
    ORDER_EVENTS,
    ORDER_STATE,
    ORDERS,
    STOCK,
    STORES,
    Feeds,
    Reading,
)
from streams.topics import COMPACT, KEEP, planned
from streams.worker import EXIT_CLEAN, Ready, Worker, prepare_process

log = structlog.get_logger("streams.projection")

NAME = "projection"
FEEDS = (STOCK, LEVELS, STORES, ORDERS, ORDER_STATE, ORDER_EVENTS, NOTICE_STATE)
EXIT_UNFIT = 78


class Feed:
    """What the worker's frame asks of a processor: a name, and the topic that it is read from first."""

    name = NAME
    source = STOCK


def run(
    connection: Connection,
    limits: StreamLimits,
    database_url: str,
    ready: Callable[[Ready], None] | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; the exit code of the process is the answer."""
    from bopis.readside.engine import connect

    prepare_process(limits)
    engine = connect(database_url)
    database = Database(engine, connection.prefix, limits)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(ProjectionWorker(connection, limits, database, ready).run())
    finally:
        database.close()
        engine.dispose()


def plans(connection: Connection, limits: StreamLimits) -> tuple[TopicPlan, ...]:
    """Every topic that the projection reads, as its writers declare it."""
    shapes = (
        (STOCK, KEEP, limits.source_bytes_max, True),
        (LEVELS, COMPACT, limits.commit_bytes_max, True),
        (STORES, COMPACT, limits.record_bytes_max, False),
        (ORDERS, KEEP, limits.source_bytes_max, True),
        (ORDER_STATE, COMPACT, limits.commit_bytes_max, True),
        (ORDER_EVENTS, KEEP, limits.source_bytes_max, False),
        (NOTICE_STATE, COMPACT, limits.commit_bytes_max, True),
    )
    return planned(connection, shapes)


class ProjectionWorker(Worker):
    """The frame of every worker around the projection: start, serve, end, and the exit code."""

    def __init__(
        self,
        connection: Connection,
        limits: StreamLimits,
        database: Database,
        ready: Callable[[Ready], None] | None,
    ) -> None:
        feed: Any = Feed
        super().__init__(feed, connection, limits, ready)
        self._database = database
        self._is_ready = False

    async def _own(self, client: LogClient) -> int:
        self._database.troubles = client.troubles
        starting = asyncio.ensure_future(self._open(client))
        waits: list[asyncio.Future[Any]] = [starting, self._end]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return EXIT_CLEAN
        try:
            starting.result()
        except SchemaAbsent as error:
            log.error("worker.fell", processor=NAME, error=str(error))
            return EXIT_UNFIT
        feeds = Feeds(self._connection, self._limits, client)
        reading = Reading(feeds, self._database, self._tell_once, self._finish)
        group = GroupReader(self._connection.group(NAME), self._connection, self._limits, reading)
        vigil = self.vigil(client)
        vigil.begin(reading.standings, self._finish)
        running = asyncio.ensure_future(self._read(group))
        cause = await self._end
        if cause is None:
            await reading.close()
            await group.commit()
        await asyncio.gather(vigil.end(cause), self._leave_group(group, running))
        log.info("worker.stopped", processor=NAME, clean=cause is None)
        return EXIT_CLEAN if cause is None else self._fell(cause)

    async def _open(self, client: LogClient) -> None:
        await self._prepare(client, plans(self._connection, self._limits))
        await self._database.open()

    async def _read(self, group: GroupReader) -> None:
        """Read until cancelled. If reading falls, the worker falls: a supervisor starts it anew."""
        try:
            await group.start([self._connection.topic(name) for name in FEEDS])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(group.read())
                tasks.create_task(group.tell_lag())
        except* Exception as errors:
            self._finish(errors.exceptions[0])

    async def _leave_group(self, group: GroupReader, running: "asyncio.Future[None]") -> None:
        running.cancel()
        try:
            await asyncio.wait_for(group.stop(), self._limits.stop_s_max)
        except Exception as error:
            log.warning("worker.stop_incomplete", error=repr(error))

    def _tell_once(self, rows: dict[int, int]) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._tell_ready(rows)
