"""Everything that watches over a worker and reports on it: watchdog, loop guard, reports."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from bopis.errors import INTERNAL_FAULT
from bopis.services.worker_reports import FELL, RUNNING, Issue, WorkerReport
from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.engine.partition_status import PartitionStatus
from streams.errors import LoopBlocked, StreamError
from streams.health.reporting import Reporter
from streams.health.watchdog import LoopGuard, Watchdog
from streams.limits import StreamLimits

log = structlog.get_logger("streams.health.monitor")

Failed = Callable[[BaseException], None]


class HealthMonitor:
    """Checks a worker every few seconds; reports at intervals and whenever something changed."""

    def __init__(self, processor: str, connection: LogConnection, limits: StreamLimits, client: LogClient) -> None:
        self._connection = connection
        self._limits = limits
        self._client = client
        self._reporter = Reporter(processor, connection, limits)
        self._guard = LoopGuard(limits, self._blocked)
        self._checking: asyncio.Task[None] | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._last: WorkerReport | None = None

    def begin(
        self, statuses: Callable[[], Sequence[PartitionStatus]], is_member: Callable[[], bool | None], failed: Failed
    ) -> None:
        """Watch from now on, in the background. `failed` is called with a stall that ends the worker."""
        watchdog = Watchdog(self._client, self._limits, self._connection.data_dir, failed)
        self._guard.start(failed)
        checking = self._check_forever(statuses, is_member, watchdog)
        self._checking = asyncio.get_running_loop().create_task(checking)

    @property
    def is_running(self) -> bool:
        """Whether `begin` was called."""
        return self._checking is not None

    async def _check_forever(
        self,
        statuses: Callable[[], Sequence[PartitionStatus]],
        is_member: Callable[[], bool | None],
        watchdog: Watchdog,
    ) -> None:
        published_at, summary = float("-inf"), ""
        while True:
            try:
                issues = await watchdog.check(statuses(), is_member)
                report = self._last = self._reporter.report(statuses(), watchdog.ends, issues)
                before, summary = summary, _summary(report)
                if summary != before or time.monotonic() - published_at >= self._limits.status_s:
                    published_at = time.monotonic()
                    self._publish(report)
            except Exception as error:
                # Watching is off the critical path: its own bugs are logged, and end nothing.
                log.error("vigil.fell", error=repr(error), exc_info=error)
            await asyncio.sleep(self._limits.watch_s)

    def _publish(self, report: WorkerReport) -> None:
        """In the background: a log that does not answer must not make the watchdog slow. One report at a time."""
        if self._publishing is None or self._publishing.done():
            publishing = self._reporter.publish(self._client, report)
            self._publishing = asyncio.get_running_loop().create_task(publishing)

    async def end(self, cause: BaseException | None) -> None:
        """Publish the last report: it says why the worker fell. After a clean stop it is deleted instead."""
        self._guard.stop()
        if self._checking is None:
            return
        tasks = [it for it in (self._checking, self._publishing) if it is not None]
        # Ended first, so that no older report is published after the last one.
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await self._reporter.publish(self._client, None if cause is None else self._fallen(cause))

    def _fallen(self, cause: BaseException) -> WorkerReport:
        code = cause.exit_code if isinstance(cause, StreamError) else INTERNAL_FAULT
        why = Issue(name=type(cause).__name__, text=str(cause))
        report = self._last or self._reporter.report((), {}, ())
        others = tuple(it for it in report.issues if it.name != why.name)
        return msgspec.structs.replace(report, state=FELL, exit_code=code, issues=(why, *others))

    def _blocked(self, cause: LoopBlocked) -> None:
        """Publish why and end the process. Runs in the guard's thread: the worker's own loop does not run any more."""
        try:
            asyncio.run(self._publish_fall(cause))
        finally:
            os._exit(cause.exit_code)

    async def _publish_fall(self, cause: LoopBlocked) -> None:
        # A client of its own: the worker's belongs to the loop that does not run.
        client = LogClient(self._connection, msgspec.structs.replace(self._limits, absence_s_max=1))
        try:
            async with asyncio.timeout(2 * self._limits.status_write_s_max):
                await client.start()
                await self._reporter.publish(client, self._fallen(cause))
        finally:
            await client.stop()


def _summary(report: WorkerReport) -> str:
    """The parts of a report whose change is published at once."""
    partitions = [(it.topic, it.partition, it.role, it.state, it.epoch) for it in report.partitions]
    return repr((partitions, [it.name for it in report.issues], report.state == RUNNING))
