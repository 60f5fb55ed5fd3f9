"""A thread that reads topics of the log, and hands their records over to the event loop in order.

Tables that follow the log are changed and read on the loop alone, so they need no locks. A batch is handed over only
when the one before it was taken: a loop that is busy is not flooded. A batch that could not be taken is read again.
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
# After a fault it waits longer each time: the same records are likely to fail again.
RETRY_SECONDS_MAX = 30.0
log = structlog.get_logger("bopis.web.follower")

OpenReader = Callable[[], AbstractContextManager[LogReader]]
TakeRecords = Callable[[Sequence[Record]], None]


class Follower:
    """Follows topics from their beginning.

    `caught_up_ms` is the clock's time when everything that the log had was taken, 0 until then. `failure` is the kind
    of the fault that stopped it, until it follows again, and `failures` how many there were.
    """

    def __init__(self, topics: Sequence[str], open_reader: OpenReader, take: TakeRecords) -> None:
        self.caught_up_ms = 0
        self.failure = ""
        self.failures = 0
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
        wait_s = RETRY_SECONDS
        while not self._over.is_set():
            before = dict(self._positions)
            try:
                with self._open_reader() as reader:
                    self._follow(reader)
                wait_s = RETRY_SECONDS
            except BopisError as error:
                # The log is away: what was read stays, and its age says so.
                log.warning("follower_waits", topics=self._topics, cause=str(error))
                wait_s = RETRY_SECONDS
            except Exception as error:
                if self._over.is_set() or self._loop is None or self._loop.is_closed():
                    return
                self._note_failure(error)
                # What made progress before it failed begins with a short wait again.
                wait_s = min(2 * wait_s, RETRY_SECONDS_MAX) if self._positions == before else RETRY_SECONDS
            self._over.wait(wait_s)

    def _note_failure(self, error: Exception) -> None:
        """Note a fault: of what takes records, or of the reading itself."""
        self.failures += 1
        # Its text is for the log alone: it may have a customer's data in it.
        self.failure = type(error).__name__
        log.error("follower_failed", topics=self._topics, cause=str(error), count=self.failures, exc_info=error)

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
            if batch:
                self.failure = ""
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
        """Have records taken on the loop. Raises the fault of what takes them: then they count as not read."""
        taken = threading.Event()
        faults: list[Exception] = []

        def take() -> None:
            try:
                self._take(records)
            except Exception as error:
                faults.append(error)
            finally:
                taken.set()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(take)
        while not taken.wait(ENDS_SECONDS):
            if self._over.is_set():
                return
        if faults:
            raise faults[0]
        for record in records:
            self._positions[record.topic, record.partition] = record.offset + 1

    def _note_end(self) -> None:
        """Note that nothing was left to read."""
        self.failure = ""
        self.caught_up_ms = _now_ms()
        if not self._ready.is_set() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._ready.set)


def _now_ms() -> int:
    return int(time.time() * 1000)
