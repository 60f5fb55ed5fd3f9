"""What works with the centre in a thread of its own: it takes turns until it is stopped, and pauses after problems."""

import random
import threading
from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

from bopis.errors import BopisError
from bopis.journal.errors import JournalError
from bopis.journal.journal import Journal
from bopis.uplink.errors import UplinkError

PAUSE_SECONDS_MIN = 0.5


def pause_seconds(failures: int, wait_seconds: float, most: float, chance: float) -> float:
    """The pause after a number of failures in a row: doubled each time up to `most`, of which a random share between a
    half and the whole, and at least as long as the other side asked for."""
    longest = min(most, PAUSE_SECONDS_MIN * float(1 << min(failures, 30)))
    return max(wait_seconds, longest * (0.5 + chance / 2))


class OnEvent(Protocol):
    """Receives events for the log lines of the program."""

    def __call__(self, event: str, level: str = "info", **facts: object) -> None: ...


class LinkState(Protocol):
    """What people are shown of a loop: since when it is as it is (epoch milliseconds), and its problem."""

    @property
    def since_ms(self) -> int: ...

    @property
    def problem(self) -> str: ...


State = TypeVar("State", bound=LinkState)


class CentreLoop(ABC, Generic[State]):
    """Takes turns until it is stopped; `name` begins the names of its events."""

    _state: State

    def __init__(self, name: str, journal: Journal, on_event: OnEvent, pause_seconds_max: float) -> None:
        self._name, self._journal, self._on_event = name, journal, on_event
        self._pause_seconds_max = pause_seconds_max
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._failures = 0

    def wake(self) -> None:
        """Take the next turn now: something was added to the journal."""
        self._wake.set()

    def stop(self) -> None:
        """End after what is being sent or fetched."""
        self._stopped.set()
        self._wake.set()

    def run(self) -> None:
        """Take turns until `stop` is called."""
        try:
            while not self._stopped.is_set():
                try:
                    self._turn()
                except (UplinkError, JournalError) as error:
                    # A full disk or a busy file passes; what cannot pass ends the sources, too.
                    self._failed(error)
        finally:
            self._close()

    def _failed(self, error: BopisError) -> None:
        """Name a problem, once while it lasts, and pause."""
        problem = str(error)
        if self._failures == 0 or problem != self._state.problem:
            self._on_event(f"{self._name}.failed", "warning", problem=problem)
        asked = error.wait_seconds if isinstance(error, UplinkError) else 0.0
        pause = pause_seconds(self._failures, asked, self._pause_seconds_max, random.random())
        since_ms = self._state.since_ms if self._failures else self._journal.now_ms()
        self._failures += 1
        try:
            self._note_problem(since_ms, problem)
        except JournalError:
            pass  # the state is shown to people; the log lines have it, too
        self._stopped.wait(pause)

    @abstractmethod
    def _turn(self) -> None:
        """Send or fetch once, or wait to be woken. Raises `UplinkError` and `JournalError`."""

    @abstractmethod
    def _note_problem(self, since_ms: int, problem: str) -> None:
        """Store the state for people. Raises `JournalError`."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the centre."""
