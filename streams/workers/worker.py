"""The life of a worker process: topics, health, readiness, the end, and the exit code.

A kind of worker defines how it serves and how it leaves; everything else is the same for all of them.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog

from bopis.errors import INTERNAL_FAULT, OK
from bopis.topics.plans import TopicPlan
from streams.engine.aiokafka_internals import watch_routines
from streams.engine.connection import LogConnection
from streams.engine.event_loop import loop_factory
from streams.engine.log_client import LogClient
from streams.engine.log_refusals import named
from streams.engine.partition_status import PartitionStatus
from streams.engine.topics import ensure_topics
from streams.errors import Fenced, Overslept, StreamError
from streams.health.monitor import HealthMonitor
from streams.limits import StreamLimits

log = structlog.get_logger("streams.workers.worker")

LIBRARIES = ("aiokafka", "faust", "mode", "kafka")
GC_THRESHOLD = 50_000


class WorkerReady(msgspec.Struct, frozen=True, kw_only=True):
    """Published once, when all partitions of the first assignment are recovered: rows by partition, seconds since the
    start."""

    processor: str
    rows: dict[int, int]
    seconds: float


ReadyCallback = Callable[[WorkerReady], None]


class Worker(ABC):
    """One worker, from its topics until it has left its group."""

    def __init__(
        self, name: str, connection: LogConnection, limits: StreamLimits, ready: ReadyCallback | None = None
    ) -> None:
        self.name = name
        self.connection = connection
        self.limits = limits
        self.client = LogClient(connection, limits)
        self._ready = ready
        self._is_ready = False
        self._monitor = HealthMonitor(name, connection, limits, self.client)
        self._began = time.monotonic()
        self._end: asyncio.Future[BaseException | None]
        self._work: asyncio.Task[None]

    # Methods that each kind of worker implements.

    @abstractmethod
    def topic_plans(self) -> Sequence[TopicPlan]:
        """Every topic that the worker reads or writes."""

    async def open(self) -> None:  # noqa: B027  (most kinds have nothing to check)
        """Check what must be there before the worker takes part. Raises what ends it at once."""

    @abstractmethod
    async def serve(self) -> None:
        """Work until cancelled; an exception ends the worker: a supervisor starts it again."""

    @abstractmethod
    async def drain(self, cause: BaseException | None) -> None:
        """Finish what has begun, as far as `cause` allows; None is a clean stop."""

    @abstractmethod
    async def leave(self) -> None:
        """Leave the group and close connections. It is given `stop_s_max` seconds."""

    @abstractmethod
    def statuses(self) -> Sequence[PartitionStatus]:
        """The status of each partition."""

    @abstractmethod
    def is_member(self) -> bool | None:
        """Whether the group counts this worker; None while it has not asked to join."""

    # The life that all kinds share.

    def run_until_stopped(self) -> int:
        """Run in this process until SIGTERM or SIGINT; the exit code of the process is returned.

        0 after a clean stop, 75 when another worker took the partitions over or may have, 78 when topics or logs do not
        fit together, 80 when a watchdog ended it, 81 when the log refused, 70 for everything else.
        """
        _prepare_process(self.limits)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(self.run())

    async def run(self) -> int:
        """Run on this loop until stopped; the exit code."""
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish, None)
        watch_routines(loop, self._finish)
        self._work = loop.create_task(self._run_work())
        cause = await self._end
        if self._monitor.is_running:
            await self.drain(cause)
            # Side by side: each may take its whole time, and `_leave_by_force` does not wait for their sum.
            await asyncio.gather(self._monitor.end(cause), self.attempt("worker.stop_incomplete", self.leave()))
        await self.stop_work()
        await self.attempt("worker.stop_incomplete", self.client.stop())
        log.info("worker.stopped", processor=self.name, clean=cause is None)
        return _exit_code(cause)

    async def _run_work(self) -> None:
        try:
            await self._prepare()
            await self.open()
            self._monitor.begin(self.statuses, self.is_member, self.fail)
            await self.serve()
            self.fail(RuntimeError("the worker stopped by itself"))
        except* Exception as errors:
            self.fail(errors.exceptions[0])

    async def _prepare(self) -> None:
        plans = tuple(self.topic_plans())
        await self.client.start()
        await ensure_topics(plans, self.client)
        await self.client.watch(tuple(plan.name for plan in plans))
        await self.client.may_join(self.connection.group(self.name))

    async def stop_work(self) -> None:
        """Cancel `serve` and wait until it has ended, if it is not stuck in a library."""
        self._work.cancel()
        await asyncio.wait([self._work], timeout=self.limits.stop_s_max)

    async def attempt(self, event: str, farewell: Awaitable[object]) -> None:
        """Await a step of leaving that may fail or hang: everything decided is in the log already.

        A library whose own thread or connection ends meanwhile fails with a cancellation, too. It is not this task's.
        """
        try:
            await asyncio.wait_for(farewell, self.limits.stop_s_max)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            log.warning(event, error=repr(error))

    def report_ready(self, rows: Mapping[int, int]) -> None:
        """Tell the starter of this worker, once, that it is ready; `rows` by partition."""
        if self._is_ready:
            return
        self._is_ready = True
        # The rows of a recovery live as long as the process: the collector need not sweep them.
        gc.freeze()
        ready = WorkerReady(processor=self.name, rows=dict(rows), seconds=round(time.monotonic() - self._began, 3))
        log.info("worker.ready", **msgspec.structs.asdict(ready))
        if self._ready is not None:
            self._ready(ready)

    @property
    def is_ready(self) -> bool:
        """Whether `report_ready` was called."""
        return self._is_ready

    def fail(self, cause: BaseException) -> None:
        """End the worker because of an error; call it on the worker's loop."""
        self._finish(cause)

    def _finish(self, cause: BaseException | None) -> None:
        if not self._end.done():
            cause = named(cause)
            self._end.set_result(cause)
            if cause is not None:
                # Logged now and not after leaving, which may have to be forced.
                self._log_fall(cause)
            self._leave_by_force(cause)

    def _leave_by_force(self, cause: BaseException | None) -> None:
        """Leaving must not hang in a library: what is acknowledged is in the log, and the rest is decided again."""
        limits = self.limits
        patience_s = limits.stop_s_max if cause is not None else limits.drain_s_max + 2 * limits.stop_s_max
        force = threading.Timer(patience_s, os._exit, (_exit_code(cause) if cause else INTERNAL_FAULT,))
        force.daemon = True
        force.start()

    def _log_fall(self, cause: BaseException) -> None:
        if isinstance(cause, Fenced):
            log.warning("worker.fenced", processor=self.name, **cause.facts)
        elif isinstance(cause, Overslept):
            log.warning("worker.overslept", processor=self.name, **cause.facts)
        else:
            log.error("worker.fell", processor=self.name, error=str(cause), exc_info=cause)


def _prepare_process(limits: StreamLimits) -> None:
    """Set up the interpreter for a worker: quiet libraries, rare sweeps of the collector, quick thread switches."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(limits.library_log_level)
    # A table is a few very large dicts: sweeping them for circles again and again finds nothing.
    gc.set_threshold(GC_THRESHOLD, 50, 100)
    sys.setswitchinterval(limits.thread_switch_s)


def _exit_code(cause: BaseException | None) -> int:
    """The exit code of a worker that ends for this cause; None is a clean stop."""
    if cause is None:
        return OK
    return cause.exit_code if isinstance(cause, StreamError) else INTERNAL_FAULT
