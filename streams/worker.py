"""Runs one processor in this process until it is told to stop."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from streams.access import named
from streams.app import build_app
from streams.client import LogClient
from streams.connection import Connection
from streams.errors import Fenced, Overslept, StreamError
from streams.limits import StreamLimits
from streams.loops import loop_factory
from streams.ownership import Ownership
from streams.partition import Reach
from streams.processor import Processor
from streams.topics import ensure_topics, topic_plans
from streams.vigil import Vigil

log = structlog.get_logger("streams.worker")

LIBRARIES = ("aiokafka", "faust", "mode", "kafka")
GC_THRESHOLD = 50_000
EXIT_CLEAN = 0
EXIT_BROKEN = 70


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Told once, when all partitions that this worker owns are recovered."""

    processor: str
    rows: dict[int, int]
    seconds: float


def run(
    processor: Processor,
    connection: Connection,
    limits: StreamLimits = StreamLimits(),  # frozen, so a shared default is safe
    ready: Callable[[Ready], None] | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; the exit code of the process is the answer.

    0 after a clean stop, 75 when another worker took the partitions over or may have, 78 when topics or logs do not fit
    together, 80 when a watchdog saw it stand still, 81 when the log refused, 70 for everything else.
    """
    prepare_process(limits)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(Worker(processor, connection, limits, ready).run())


def prepare_process(limits: StreamLimits) -> None:
    """What every worker's process wants of its interpreter: quiet libraries, rare sweeps, quick thread switches."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(limits.library_log_level)
    # A table is a few very large dicts: looking through them for circles again and again finds nothing.
    gc.set_threshold(GC_THRESHOLD, 50, 100)
    sys.setswitchinterval(limits.thread_switch_s)


class Worker:
    """One processor, from its topics to its leave of the group."""

    def __init__(
        self,
        processor: Processor,
        connection: Connection,
        limits: StreamLimits,
        ready: Callable[[Ready], None] | None,
    ) -> None:
        self._processor = processor
        self._connection = connection
        self._limits = limits
        self._ready = ready
        self._began = time.monotonic()
        self._end: asyncio.Future[BaseException | None]

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish, None)
        client = LogClient(self._connection, self._limits)
        try:
            return await self._own(client)
        except StreamError as error:
            self._tell_fall(error)
            return error.exit_code
        finally:
            await self._try("worker.stop_incomplete", client.stop())

    async def _own(self, client: LogClient) -> int:
        plans = topic_plans(self._processor, self._connection, self._limits)
        starting = asyncio.ensure_future(self._prepare(client, plans))
        waits: list[asyncio.Future[Any]] = [starting, self._end]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return EXIT_CLEAN
        starting.result()
        reach = Reach(self._processor, self._connection, self._limits, client, self._finish)
        ownership = Ownership(reach, self._tell_ready)
        app = build_app(self._processor, self._connection, self._limits, ownership)
        vigil = self.vigil(client)
        vigil.begin(ownership.standings, self._finish)
        running = asyncio.ensure_future(self._serve(app))
        cause = await self._end
        if cause is not None:
            ownership.abandon()
        else:
            await ownership.close()
            await self._tell_group(app)
        await asyncio.gather(vigil.end(cause), self._leave(app, running))
        log.info("worker.stopped", processor=self._processor.name, clean=cause is None)
        return EXIT_CLEAN if cause is None else self._fell(cause)

    async def _prepare(self, client: LogClient, plans: Any) -> None:
        await client.start()
        await ensure_topics(plans, client, self._connection, self._limits)
        await client.watch(tuple(plan.name for plan in plans))
        await client.may_join(self._connection.group(self._processor.name))

    async def _serve(self, app: Any) -> None:
        """Faust's services. If one of them falls, the worker falls: a supervisor starts it anew."""
        try:
            await app.start()
            await app.wait_until_stopped()
            self._finish(app.crash_reason or RuntimeError("Faust stopped by itself"))
        except Exception as error:
            self._finish(error)

    def vigil(self, client: LogClient) -> Vigil:
        """Who watches over this worker."""
        return Vigil(self._processor.name, self._connection, self._limits, client)

    async def _tell_group(self, app: Any) -> None:
        """The group's offsets are for whoever watches its lag: nothing waits for them longer than for anything."""
        if app.consumer is not None:
            await self._try("group_offsets.failed", app.consumer.commit())

    async def _leave(self, app: Any, running: "asyncio.Future[None]") -> None:
        """Leave the group at once, so that others need not wait for the session to time out."""
        await self._try("worker.stop_incomplete", app.stop())
        running.cancel()

    async def _try(self, event: str, farewell: Awaitable[object]) -> None:
        """A word of farewell that may fail: everything decided is in the log already. A library whose own thread or
        connection ends meanwhile says so with a cancellation, too, which is none of this task's."""
        try:
            await asyncio.wait_for(farewell, self._limits.stop_s_max)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            log.warning(event, error=repr(error))

    def _finish(self, cause: BaseException | None) -> None:
        if not self._end.done():
            cause = named(cause)
            self._end.set_result(cause)
            if cause is not None:
                # Said at once: leaving may have to be forced.
                self._tell_fall(cause)
            self._leave_by_force(cause)

    def _leave_by_force(self, cause: BaseException | None) -> None:
        """Leaving must not hang in a library: what is acknowledged is in the log, and the rest is decided again."""
        limits = self._limits
        patience_s = limits.stop_s_max if cause is not None else limits.drain_s_max + 2 * limits.stop_s_max
        code = cause.exit_code if isinstance(cause, StreamError) else EXIT_BROKEN
        force = threading.Timer(patience_s, os._exit, (code,))
        force.daemon = True
        force.start()

    def _tell_ready(self, rows: dict[int, int]) -> None:
        # What recovery made lives as long as the process.
        gc.freeze()
        told = Ready(processor=self._processor.name, rows=rows, seconds=round(time.monotonic() - self._began, 3))
        log.info("worker.ready", **msgspec.structs.asdict(told))
        if self._ready is not None:
            self._ready(told)

    def _tell_fall(self, cause: BaseException) -> None:
        if isinstance(cause, Fenced):
            log.warning("worker.fenced", processor=self._processor.name, **cause.facts)
        elif isinstance(cause, Overslept):
            log.warning("worker.overslept", processor=self._processor.name, **cause.facts)
        else:
            log.error("worker.fell", processor=self._processor.name, error=str(cause), exc_info=cause)

    def _fell(self, cause: BaseException) -> int:
        """The exit code of a worker that fell."""
        return cause.exit_code if isinstance(cause, StreamError) else EXIT_BROKEN
