"""Detects what has stopped: a step, a commit, a recovery, the worker's membership, its own loop. And a disk that fills.

Time is added up in small steps, each bounded, so that a machine that slept or a process that was stopped is not taken
for a stall when it wakes. Such a sleep is judged on its own: when it was longer than the session, the worker leaves.
"""

import asyncio
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog
from aiokafka.structs import TopicPartition

from bopis.services.worker_reports import Issue
from streams.engine.log_client import LogClient
from streams.engine.partition_status import OPENING, OWNER, PartitionStatus
from streams.errors import CommitStalled, LoopBlocked, NoProgress, OutOfGroup, Overslept, RecoveryStalled, Stalled
from streams.limits import StreamLimits

log = structlog.get_logger("streams.health.watchdog")

# From this share of its limit on, a stall is reported as an issue; at the whole of it the worker ends.
REPORTED_FROM = 1 / 3
# How often the guard checks; the time from one check to the next shows a sleep.
GUARD_INTERVAL_S = 1.0
EVENTS: dict[type[Stalled], str] = {
    NoProgress: "watchdog.no_progress",
    CommitStalled: "watchdog.commit_stalled",
    RecoveryStalled: "watchdog.recovery_stalled",
    OutOfGroup: "watchdog.out_of_group",
}


class StallTimer:
    """Adds up how long each value has not changed while it should have. Pure; the elapsed time is handed in."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[object, float]] = {}

    def stalled_s(self, key: Hashable, value: object, due: bool, elapsed_s: float) -> float:
        """Seconds for which the value has been the same and `due` (expected to change) at every check."""
        before, seconds = self._seen.get(key, (None, 0.0))
        seconds = seconds + elapsed_s if due and before == value else 0.0
        self._seen[key] = (value, seconds)
        return seconds

    def keep(self, keys: set[Hashable]) -> None:
        """Forget every other key."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}


class _Progress(NamedTuple):
    """One kind of progress of a partition: the value that changes with it, and whether it should change now."""

    kind: type[Stalled]
    value: object
    due: bool
    limit_s: float


class Watchdog:
    """Judges one worker, again and again. `failed` is called with a stall that has reached its limit."""

    def __init__(
        self, client: LogClient, limits: StreamLimits, data_dir: Path, failed: Callable[[BaseException], None]
    ) -> None:
        self._client = client
        self._limits = limits
        self._data_dir = data_dir
        self._failed = failed
        self._timer = StallTimer()
        self._checked = time.monotonic()
        self._disk_low = self._fell = False
        self._outside_s = 0.0
        self.ends: dict[TopicPartition, int] = {}

    async def check(self, statuses: Sequence[PartitionStatus], is_member: Callable[[], bool | None]) -> list[Issue]:
        """Everything that is wrong now. `is_member` is None while the worker has not asked to join its group."""
        owned = [it for it in statuses if it.role == OWNER]
        self.ends = await self._client.ends([TopicPartition(it.topic, it.partition) for it in owned])
        member = is_member()
        answers = member is not False or await self._client.answers()
        now = time.monotonic()
        # Beyond two intervals this worker did not run, so nothing of it can have stalled.
        elapsed_s, self._checked = min(now - self._checked, 2 * self._limits.watch_s), now
        issues = self._stalls(owned, elapsed_s) + self._absence(member is False and answers, elapsed_s)
        return [*issues, *self._client.issues.values(), *self._disk()]

    def _stalls(self, owned: Sequence[PartitionStatus], elapsed_s: float) -> list[Issue]:
        issues: list[Issue] = []
        keys: set[Hashable] = set()
        for status in owned:
            end = self.ends.get(TopicPartition(status.topic, status.partition))
            for kind, value, due, limit_s in self._progress(status, end):
                key = (kind, status.topic, status.partition)
                keys.add(key)
                seconds = self._timer.stalled_s(key, value, due, elapsed_s)
                stall = kind(
                    topic=status.topic,
                    partition=status.partition,
                    position=status.position,
                    end=end,
                    seconds=round(seconds, 1),
                    limit_s=limit_s,
                )
                issues += self._judge(stall, seconds / limit_s)
        self._timer.keep(keys)
        return issues

    def _progress(self, status: PartitionStatus, end: int | None) -> Iterator[_Progress]:
        limits, opening = self._limits, status.state == OPENING
        # While a commit is in flight, it is the commit that has to return.
        deciding = end is not None and status.position is not None and not (opening or status.committing)
        behind = deciding and (end or 0) - 1 > (status.position or 0)
        yield _Progress(RecoveryStalled, (status.epoch, status.recovered), opening, limits.recovery_stall_s)
        yield _Progress(NoProgress, status.position, behind, limits.stall_s)
        yield _Progress(CommitStalled, status.commits, status.committing and not opening, limits.commit_stall_s)

    def _absence(self, outside: bool, elapsed_s: float) -> list[Issue]:
        """A worker that is out of its group owns nothing, so no partition's status shows the stall."""
        limit_s = self._limits.group_stall_s
        seconds = self._outside_s = self._outside_s + elapsed_s if outside else 0.0
        return self._judge(OutOfGroup(seconds=round(seconds, 1), limit_s=limit_s), seconds / limit_s)

    def _judge(self, stall: Stalled, share: float) -> list[Issue]:
        """Report a stall from a share of its limit on, and end the worker at the whole of it."""
        if share < REPORTED_FROM:
            return []
        if share >= 1 and not self._fell:
            self._fell = True
            log.error(EVENTS[type(stall)], **stall.facts)
            self._failed(stall)
        text = ", ".join(f"{name} {value}" for name, value in stall.facts.items())
        return [Issue(name=EVENTS[type(stall)], text=text)]

    def _disk(self) -> list[Issue]:
        """Free space where this worker's data are. The log and the database report their own full disks."""
        try:
            free = shutil.disk_usage(self._data_dir).free
        except OSError:
            return []
        least = self._limits.disk_free_bytes_min
        low, before = free < least, self._disk_low
        self._disk_low = low
        facts = {"data_dir": str(self._data_dir), "free_bytes": free, "free_bytes_min": least}
        if low and not before:
            log.warning("watchdog.disk_low", **facts)
        if before and not low:
            log.info("watchdog.disk_enough", **facts)
        text = f"{self._data_dir} has {free >> 20} MiB free, wanted are {least >> 20} MiB: free some space"
        return [Issue(name="watchdog.disk_low", text=text)] if low else []


class LoopGuard:
    """A thread that detects when the worker's loop does not run, or when the whole process did not.

    A loop that does not run may be a bug, and ends the process. A process that slept longer than its session may have
    lost its partitions: the log would refuse its writes, and others decide what it would read, so it leaves, whether or
    not there is anything to write.
    """

    def __init__(self, limits: StreamLimits, blocked: Callable[[LoopBlocked], None]) -> None:
        self._limits = limits
        self._blocked = blocked
        self._beats = 0
        self._ended = threading.Event()
        self._watched = threading.get_ident()

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Watch the loop that calls this. `failed` is called on that loop after a sleep that was too long."""
        loop = asyncio.get_running_loop()
        self._beat(loop)
        threading.Thread(target=self._run, args=(loop, failed), name="loop-guard", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._ended.set()

    @property
    def _interval_s(self) -> float:
        return min(GUARD_INTERVAL_S, self._limits.stall_s / 4)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beats += 1
        if not self._ended.is_set():
            loop.call_later(self._interval_s, self._beat, loop)

    def _run(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        seen, checks, checked = self._beats, 0, _time_with_sleep()
        while not self._ended.wait(self._interval_s):
            before, checked = checked, _time_with_sleep()
            if checked - before > self._limits.sleep_s_max:
                overslept = Overslept(seconds=round(checked - before, 1), seconds_max=self._limits.sleep_s_max)
                with suppress(RuntimeError):  # The loop has ended meanwhile, and the worker with it.
                    loop.call_soon_threadsafe(failed, overslept)
            # Checks are counted, not seconds: while the whole process was stopped, nothing was checked.
            seen, checks = self._beats, checks + 1 if self._beats == seen else 0
            if checks * self._interval_s >= self._limits.stall_s:
                stack = "".join(traceback.format_stack(sys._current_frames()[self._watched])[-3:])
                log.error("watchdog.loop_blocked", seconds=self._limits.stall_s, stack=stack)
                self._blocked(LoopBlocked(seconds=self._limits.stall_s, where=stack.strip().splitlines()[-1].strip()))
                return


def _time_with_sleep() -> float:
    """Seconds of a clock that counts the machine's sleep, too, where the system has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
