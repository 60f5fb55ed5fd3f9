"""A thread that reads topics of the log, and hands their records over to the event loop in order.

Tables that follow the log are changed and read on the loop alone, so they need no locks. A batch is handed over only
when the one before it was taken: a loop that is busy is not flooded.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import structlog

from bopis.adapters.log import LogReader
from bopis.errors import BopisError
from bopis.ports import Offsets, Record

# Records that are taken in one turn of the loop: with some microseconds each, other requests wait a few milliseconds.
TURN_RECORDS_MAX = 500
POLL_SECONDS = 0.5
ENDS_SECONDS = 1.0
RETRY_SECONDS = 0.5
log = structlog.get_logger("bopis.web.follower")

OpenReader = Callable[[], AbstractContextManager[LogReader]]
TakeRecords = Callable[[Sequence[Record]], None]


class Follower:
    """Follows topics from their beginning.

    `caught_up_ms` is the clock's time when everything that the log had was taken, 0 until then.
    """

    def __init__(self, topics: Sequence[str], open_reader: OpenReader, take: TakeRecords) -> None:
        self.caught_up_ms = 0
        self._positions: dict[tuple[str, int], int] = {}
        self._open_reader = open_reader
        self._topics = tuple(topics)
        self._take = take
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = threading.Event()
        self._ready = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to follow; call it on the loop that uses the tables."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def wait_ready(self) -> None:
        """Wait until everything that the log had at the start was taken."""
        await self._ready.wait()

    @property
    def is_ready(self) -> bool:
        """Whether everything that the log had at the start was taken."""
        return self._ready.is_set()

    def lag_ms(self) -> int:
        """How long ago the tables last had everything that the log has, in milliseconds."""
        return max(0, _now_ms() - self.caught_up_ms)

    async def stop(self) -> None:
        """Stop following."""
        self._over.set()
        await asyncio.to_thread(self._thread.join, 10)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with self._open_reader() as reader:
                    self._follow(reader)
            except BopisError as error:
                # The log is away: what was read stays, and its age says so.
                log.warning("follower_waits", topics=self._topics, cause=str(error))
            except RuntimeError:
                if self._over.is_set() or self._loop is None or self._loop.is_closed():
                    return
                raise
            self._over.wait(RETRY_SECONDS)

    def _follow(self, reader: LogReader) -> None:
        starts, ends = reader.start_offsets(self._topics), reader.end_offsets(self._topics)
        if {topic for topic, _ in starts} != set(self._topics):
            return  # nobody has created all of them yet
        tail = reader.tail(self._topics, self._first(starts, ends))
        checked = time.monotonic()
        while not self._over.is_set():
            batch = tail.poll(POLL_SECONDS)
            for start in range(0, len(batch), TURN_RECORDS_MAX):
                self._hand_over(batch[start : start + TURN_RECORDS_MAX])
            self._positions = dict(tail.next)
            if not batch or time.monotonic() - checked > ENDS_SECONDS:
                checked = time.monotonic()
                if tail.has_reached(reader.end_offsets(self._topics)):
                    self._note_end()

    def _first(self, starts: Offsets, ends: Offsets) -> Offsets:
        first = {}
        for where, start in starts.items():
            known = self._positions.get(where, start)
            # A log that was emptied or replaced is read from its beginning.
            first[where] = known if start <= known <= ends[where] else start
        return first

    def _hand_over(self, records: list[Record]) -> None:
        taken = threading.Event()

        def take() -> None:
            try:
                self._take(records)
            finally:
                taken.set()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(take)
        while not taken.wait(ENDS_SECONDS) and not self._over.is_set():
            pass

    def _note_end(self) -> None:
        """Note that nothing was left to read."""
        self.caught_up_ms = _now_ms()
        if not self._ready.is_set() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._ready.set)


def _now_ms() -> int:
    return int(time.time() * 1000)
