"""Everything that watches over a worker and speaks for it: watchdog, loop guard, reports."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from bopis.services.workers import FELL, RUNNING, Trouble, WorkerReport
from streams.client import LogClient
from streams.connection import Connection
from streams.errors import LoopBlocked, StreamError
from streams.limits import StreamLimits
from streams.reporting import Reporter
from streams.standing import Standing
from streams.watchdog import LoopGuard, Watchdog

log = structlog.get_logger("streams.vigil")

EXIT_BROKEN = 70

Standings = Callable[[], Sequence[Standing]]
Failed = Callable[[BaseException], None]


class Vigil:
    """Looks every few seconds; reports at intervals and whenever something changed."""

    def __init__(self, processor: str, connection: Connection, limits: StreamLimits, client: LogClient) -> None:
        self._connection = connection
        self._limits = limits
        self._client = client
        self._reporter = Reporter(processor, connection, limits)
        self._guard = LoopGuard(limits, self._blocked)
        self._running: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._last: WorkerReport | None = None

    def begin(self, standings: Standings, failed: Failed) -> None:
        """Watch from now on, in the background."""
        watchdog = Watchdog(self._client, self._limits, self._connection.data_dir, failed)
        self._guard.start(failed)
        self._running = asyncio.get_running_loop().create_task(self._run(standings, watchdog))

    async def _run(self, standings: Standings, watchdog: Watchdog) -> None:
        told_at, shape = float("-inf"), ""
        while True:
            try:
                trouble = await watchdog.look(standings())
                report = self._last = self._reporter.report(standings(), watchdog.ends, trouble)
                before, shape = shape, _shape(report)
                if shape != before or time.monotonic() - told_at >= self._limits.status_s:
                    told_at = time.monotonic()
                    self._tell(report)
            except Exception as error:
                # Watching is beside the exact path: its own bugs are told, and hurt nobody.
                log.error("vigil.fell", error=repr(error), exc_info=error)
            await asyncio.sleep(self._limits.watch_s)

    def _tell(self, report: WorkerReport) -> None:
        """Beside the looking: a log that does not answer must not make the watchdog slow. One report at a time."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_task(self._reporter.tell(self._client, report))

    async def end(self, cause: BaseException | None) -> None:
        """The last word: after a clean stop the report is taken back, else it says why the worker fell."""
        self._guard.stop()
        if self._running is None:
            return
        tasks = [it for it in (self._running, self._telling) if it is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await self._reporter.tell(self._client, None if cause is None else self._fallen(cause))

    def _fallen(self, cause: BaseException) -> WorkerReport:
        code = cause.exit_code if isinstance(cause, StreamError) else EXIT_BROKEN
        why = Trouble(name=type(cause).__name__, words=str(cause))
        report = self._last or self._reporter.report((), {}, ())
        others = tuple(it for it in report.trouble if it.name != why.name)
        return msgspec.structs.replace(report, state=FELL, exit_code=code, trouble=(why, *others))

    def _blocked(self, cause: LoopBlocked) -> None:
        """In the guard's thread: the worker's own loop will not do anything any more."""
        try:
            asyncio.run(self._last_words(cause))
        finally:
            os._exit(cause.exit_code)

    async def _last_words(self, cause: LoopBlocked) -> None:
        client = LogClient(self._connection, msgspec.structs.replace(self._limits, absence_s_max=1))
        try:
            async with asyncio.timeout(2 * self._limits.status_write_s_max):
                await client.start()
                await self._reporter.tell(client, self._fallen(cause))
        finally:
            await client.stop()


def _shape(report: WorkerReport) -> str:
    """What is told at once when it changes."""
    partitions = [(it.topic, it.partition, it.role, it.state, it.epoch) for it in report.partitions]
    return repr((partitions, [it.name for it in report.trouble], report.state == RUNNING))
