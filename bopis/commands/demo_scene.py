"""What the actors of the demonstration share: figures that one writes and the board reads."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bopis.clock import Hands
from bopis.ports import Placed
from bopis.services.demo.auditor import Auditor
from bopis.services.demo.buyers import Wish
from bopis.services.demo.clock import DayClock
from bopis.services.demo.tally import Tally

SAMPLED_EVERY = 10
RECENT_SECONDS = 5.0


class Sample(NamedTuple):
    """A record that is waited for: where it stands, and when it was published by this machine's clock."""

    partition: int
    offset: int
    said_ms: int


@dataclass
class Killed:
    """A worker that is killed: when, and when its successor was ready, by this machine's clock."""

    pid: int = 0
    successor_pid: int = 0
    killed_ms: int = 0
    ready_ms: int = 0


class StoreFigures(NamedTuple):
    """A store as readers see it now."""

    on_hand: int
    atp: int
    held: int


class Scene:
    """The state of the demonstration while it runs. Each figure has one writer."""

    def __init__(self, clock: DayClock, hands: Hands, tally: Tally) -> None:
        self.clock = clock
        self.hands = hands
        self.tally = tally
        self.day_over = threading.Event()
        self.stop = threading.Event()
        self.failures: list[BaseException] = []
        self.news: deque[tuple[float, str]] = deque(maxlen=6)
        self.told: Callable[[str], None] = lambda _: None
        # Tills
        self.messages = self.lines = self.units = self.baskets = 0
        self.traded_seconds = clock.seconds
        self.offline_store = ""
        self.offline_since_ms = self.offline_until_ms = 0
        self.held_back = self.late = 0
        self.is_cut_off = False
        # Buyers and what they were answered
        self.asked = 0
        self.ends: dict[str, int] = {}
        self.granted = self.refused = 0
        self.grants: deque[str] = deque()
        self.wishes: dict[str, Wish] = {}
        self.auditor = Auditor()
        self.hears = threading.Lock()
        # Watching
        self.samples: deque[Sample] = deque()
        self.latencies: list[tuple[int, float]] = []
        self.stores: dict[str, StoreFigures] = {}
        self.decided = 0
        self.kills: dict[str, Killed] = {}

    def tell(self, text: str) -> None:
        """Something happened that people want to know."""
        self.news.append((time.monotonic(), text))
        self.told(text)

    def failed(self, error: BaseException) -> None:
        """An actor cannot go on: everything stops."""
        self.failures.append(error)
        self.stop.set()

    def on_delivery(self, said_ms: int, fate: Placed | Exception) -> None:
        """What became of a record that was published then; called on the client library's own thread."""
        if isinstance(fate, Exception):
            self.failed(fate)
        elif fate.offset % SAMPLED_EVERY == 0:
            self.samples.append(Sample(fate.partition, fate.offset, said_ms))

    def sleep(self, seconds: float) -> None:
        """Wait, unless everything stops."""
        if seconds > 0:
            self.stop.wait(seconds)

    @property
    def recent_latencies(self) -> list[float]:
        """What was measured in the last seconds, in milliseconds."""
        since_ms = int((time.time() - RECENT_SECONDS) * 1000)
        found = []
        for said_ms, latency_ms in reversed(self.latencies):
            if said_ms + latency_ms < since_ms:
                break
            found.append(latency_ms)
        return found
