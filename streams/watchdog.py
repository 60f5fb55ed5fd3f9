"""Sees what stands still: a step, a commit, a recovery, the worker's own loop. And what will: a disk that fills.

Time is added up in small steps, each bounded, so that a machine that slept or a process that was stopped does not look
like a stall when it wakes. Such a sleep is judged on its own: longer than its session, and the worker leaves.
"""

import asyncio
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from aiokafka.structs import TopicPartition

from bopis.services.workers import Trouble
from streams.client import LogClient
from streams.errors import CommitStalled, LoopBlocked, NoProgress, Overslept, RecoveryStalled, Stalled
from streams.limits import StreamLimits
from streams.standing import OPENING, OWNER, Standing

log = structlog.get_logger("streams.watchdog")

# From this share of its limit on, a stall is told as trouble; at the whole of it the worker ends.
TOLD_FROM = 1 / 3
# How often the guard looks; it tells a sleep from one look to the next.
BEAT_S = 0.25
EVENTS: dict[type[Stalled], str] = {
    NoProgress: "watchdog.no_progress",
    CommitStalled: "watchdog.commit_stalled",
    RecoveryStalled: "watchdog.recovery_stalled",
}


class Marks:
    """How long each mark has not moved while it should have. Pure; time comes in as what has passed."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[object, float]] = {}

    def still_s(self, key: Hashable, mark: object, due: bool, passed_s: float) -> float:
        """Seconds for which the mark has been the same, although it was due to move each time it was looked at."""
        before, seconds = self._seen.get(key, (None, 0.0))
        seconds = seconds + passed_s if due and before == mark else 0.0
        self._seen[key] = (mark, seconds)
        return seconds

    def keep(self, keys: set[Hashable]) -> None:
        """Forget whatever is not looked at any more."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}


class Watchdog:
    """Judges one worker, again and again. `look` answers what is wrong; `failed` hears what cannot be waited for."""

    def __init__(
        self, client: LogClient, limits: StreamLimits, data_dir: Path, failed: Callable[[BaseException], None]
    ) -> None:
        self._client = client
        self._limits = limits
        self._data_dir = data_dir
        self._failed = failed
        self._marks = Marks()
        self._looked = time.monotonic()
        self._disk_low = self._fell = False
        self.ends: dict[TopicPartition, int] = {}

    async def look(self, standings: Sequence[Standing]) -> list[Trouble]:
        """Everything that is wrong just now."""
        owned = [it for it in standings if it.role == OWNER]
        self.ends = await self._client.ends([TopicPartition(it.topic, it.partition) for it in owned])
        now = time.monotonic()
        # What passed beyond two looks was not lived through by this worker.
        passed_s, self._looked = min(now - self._looked, 2 * self._limits.watch_s), now
        trouble = self._stalls(owned, passed_s)
        trouble += [Trouble(name=it.event, words=it.words) for it in self._client.troubles.values()]
        return trouble + self._disk()

    def _stalls(self, owned: Sequence[Standing], passed_s: float) -> list[Trouble]:
        trouble: list[Trouble] = []
        keys: set[Hashable] = set()
        limits = self._limits
        for it in owned:
            end = self.ends.get(TopicPartition(it.topic, it.partition))
            opening = it.state == OPENING
            # While something is on its way, it is the commit that has to come back.
            known = end is not None and it.position is not None and not (opening or it.committing)
            behind = known and (end or 0) - 1 > (it.position or 0)
            for kind, mark, due, limit_s in (
                (RecoveryStalled, (it.epoch, it.recovered), opening, limits.recovery_stall_s),
                (NoProgress, it.position, behind, limits.stall_s),
                (CommitStalled, it.commits, it.committing and not opening, limits.commit_stall_s),
            ):
                key = (kind, it.topic, it.partition)
                keys.add(key)
                seconds = self._marks.still_s(key, mark, due, passed_s)
                facts = {"topic": it.topic, "partition": it.partition, "position": it.position, "end": end}
                trouble += self._weigh(kind(**facts, seconds=round(seconds, 1), limit_s=limit_s), seconds / limit_s)
        self._marks.keep(keys)
        return trouble

    def _weigh(self, stall: Stalled, share: float) -> list[Trouble]:
        if share < TOLD_FROM:
            return []
        if share >= 1 and not self._fell:
            self._fell = True
            log.error(EVENTS[type(stall)], **stall.facts)
            self._failed(stall)
        words = ", ".join(f"{name} {value}" for name, value in stall.facts.items())
        return [Trouble(name=EVENTS[type(stall)], words=words)]

    def _disk(self) -> list[Trouble]:
        """Free space where this worker's data are. The log and the tables say themselves when they cannot write."""
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
        words = f"{self._data_dir} has {free >> 20} MiB free, wanted are {least >> 20} MiB: free some space"
        return [Trouble(name="watchdog.disk_low", words=words)] if low else []


class LoopGuard:
    """A thread that sees when the loop itself stands still, or that the whole process did: nothing on the loop could.

    A loop that stands still may be a bug, and ends the process. A process that slept longer than its session may have
    lost its partitions: what it has still to write would be refused, and what it would read on is decided elsewhere,
    so it leaves, whether or not there is anything to write.
    """

    def __init__(self, limits: StreamLimits, blocked: Callable[[LoopBlocked], None]) -> None:
        self._limits = limits
        self._blocked = blocked
        self._beats = 0
        self._ended = threading.Event()
        self._watched = threading.get_ident()

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Watch the loop that calls this. `failed` hears on that loop of a sleep that was too long."""
        loop = asyncio.get_running_loop()
        self._beat(loop)
        told = (loop, failed)
        threading.Thread(target=self._run, args=told, name="loop-guard", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    @property
    def _beat_s(self) -> float:
        return min(BEAT_S, self._limits.stall_s / 4)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beats += 1
        if not self._ended.is_set():
            loop.call_later(self._beat_s, self._beat, loop)

    def _run(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        seen, looks, looked = self._beats, 0, _time_slept_too()
        while not self._ended.wait(self._beat_s):
            before, looked = looked, _time_slept_too()
            if looked - before > self._limits.sleep_s_max:
                overslept = Overslept(seconds=round(looked - before, 1), seconds_max=self._limits.sleep_s_max)
                with suppress(RuntimeError):  # The loop has ended meanwhile, and the worker with it.
                    loop.call_soon_threadsafe(failed, overslept)
            # Looks are counted, not seconds: while the whole process was stopped, nobody looked.
            seen, looks = self._beats, looks + 1 if self._beats == seen else 0
            if looks * self._beat_s >= self._limits.stall_s:
                stack = "".join(traceback.format_stack(sys._current_frames()[self._watched])[-3:])
                log.error("watchdog.loop_blocked", seconds=self._limits.stall_s, stack=stack)
                self._blocked(LoopBlocked(seconds=self._limits.stall_s, where=stack.strip().splitlines()[-1].strip()))
                return


def _time_slept_too() -> float:
    """Seconds that go on while the machine sleeps, where the system counts them."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
