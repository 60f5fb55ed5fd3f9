"""The state of the demonstration while it runs: written by its actors, shown on the board, judged at the end."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bopis.demo.auditor import Auditor, HoldCounts
from bopis.demo.buyers import Wish
from bopis.demo.clock import DayClock, OffsetClock
from bopis.demo.tally import Tally
from bopis.domain.message import Message
from bopis.ports import RecordMetadata
from bopis.readside.queries.totals import StoreUnits

SAMPLED_EVERY = 10
RECENT_SECONDS = 5.0
NEWS_MAX = 6


class WatchedRecord(NamedTuple):
    """A record whose latency to the read side is measured; `published_ms` is this machine's time."""

    partition: int
    offset: int
    published_ms: int


class MeasuredLatency(NamedTuple):
    """Milliseconds from the publishing of a record until it could be read in SQL."""

    published_ms: int
    latency_ms: float


class NewsItem(NamedTuple):
    """Something that happened, at a monotonic instant."""

    at: float
    text: str


@dataclass
class KilledWorker:
    """A worker that was killed: when, and when its successor was ready, by this machine's clock; 0: not yet."""

    pid: int = 0
    successor_pid: int = 0
    killed_ms: int = 0
    ready_ms: int = 0


class DemoState:
    """Shared by threads. Each figure has one writer; the auditor, which has two, is used under its lock."""

    def __init__(self, clock: DayClock, log_clock: OffsetClock, tally: Tally) -> None:
        self.clock = clock
        self.log_clock = log_clock
        self.tally = tally
        self.day_over = threading.Event()
        self.stop = threading.Event()
        self.failures: list[BaseException] = []
        self.news: deque[NewsItem] = deque(maxlen=NEWS_MAX)
        self.on_news: Callable[[str], None] = lambda _: None
        # Tills
        self.messages = self.lines = self.units = self.baskets = 0
        self.traded_seconds = clock.seconds
        self.offline_store = ""
        self.offline_since_ms = self.offline_until_ms = 0
        self.held_back = self.late = 0
        self.is_cut_off = False
        # Buyers
        self.wishes: dict[str, Wish] = {}
        self.grants: deque[str] = deque()
        self._auditor = Auditor()
        self._auditor_lock = threading.Lock()
        # Measurements
        self.watched: deque[WatchedRecord] = deque()
        self.latencies: list[MeasuredLatency] = []
        self.stores: dict[str, StoreUnits] = {}
        self.decided = 0
        self.kills: dict[str, KilledWorker] = {}

    def announce(self, text: str) -> None:
        """Show an event to the viewer."""
        self.news.append(NewsItem(time.monotonic(), text))
        self.on_news(text)

    def fail(self, error: BaseException) -> None:
        """Stop everything because an actor cannot continue."""
        self.failures.append(error)
        self.stop.set()

    def audit_message(self, message: Message) -> None:
        """Count a message before it is published, so that its answer finds it counted."""
        with self._auditor_lock:
            self._auditor.sent(message)

    def audit_event(self, event: Message) -> None:
        """Count an event of the inventory."""
        with self._auditor_lock:
            self._auditor.received(event)

    def audit_return(self, store: str, sku: str, units: int) -> None:
        """Count units that a customer of a pickup order brings back, before the order is told."""
        with self._auditor_lock:
            self._auditor.brought_back(store, sku, units)

    @property
    def auditor(self) -> Auditor:
        """For the verdict, when no actor runs any more."""
        return self._auditor

    @property
    def holds(self) -> HoldCounts:
        """The holds that buyers asked for, so far. The report shows the same figures at the end."""
        with self._auditor_lock:
            return self._auditor.holds()

    def on_delivery(self, published_ms: int, outcome: RecordMetadata | Exception) -> None:
        """Note the place of a record that was published then; called on the client library's thread."""
        if isinstance(outcome, Exception):
            self.fail(outcome)
        elif outcome.offset % SAMPLED_EVERY == 0:
            self.watched.append(WatchedRecord(outcome.partition, outcome.offset, published_ms))

    def sleep(self, seconds: float) -> None:
        """Wait, unless everything stops."""
        if seconds > 0:
            self.stop.wait(seconds)

    @property
    def recent_latencies(self) -> list[float]:
        """Milliseconds, of the records that became readable in the last seconds."""
        since_ms = int((time.time() - RECENT_SECONDS) * 1000)
        found = []
        for published_ms, latency_ms in reversed(self.latencies):
            if published_ms + latency_ms < since_ms:
                break
            found.append(latency_ms)
        return found
