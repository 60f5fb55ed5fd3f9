"""The clock that the log and its processors go by: this machine's, unless a demonstration turns its hands.

A day that is played in half a minute needs a log on which that day passes, with every deadline in it. `Hands` are a
small file that all processes of the demonstration have open. Nobody else sets the variable, and then this is the
machine's clock and nothing else.
"""

import mmap
import os
import struct
import time
from functools import cache
from pathlib import Path

VARIABLE = "BOPIS_DEMO_CLOCK"
_AHEAD_MS = struct.Struct("=q")


class Hands:
    """How far the log's clock is from the machine's. What one process sets, the others see at once."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _AHEAD_MS.size)

    @classmethod
    def made(cls, file: Path) -> "Hands":
        """A new clock that tells the machine's time until it is turned."""
        file.write_bytes(_AHEAD_MS.pack(0))
        return cls(file)

    @property
    def ahead_ms(self) -> int:
        """Milliseconds that it is ahead of the machine's clock; below zero when it is behind."""
        return int(_AHEAD_MS.unpack_from(self._shared)[0])

    def now_ms(self) -> int:
        """What it tells now."""
        return machine_ms() + self.ahead_ms

    def turn_to(self, at_ms: int) -> None:
        """Let it tell this instant now, and go on from there at the pace of real time."""
        self._shared[:] = _AHEAD_MS.pack(at_ms - machine_ms())

    def let_go(self) -> None:
        """Let it tell the machine's time again."""
        self._shared[:] = _AHEAD_MS.pack(0)


def machine_ms() -> int:
    """What this machine's clock tells, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def now_ms() -> int:
    """What the log's clock tells, in milliseconds since 1970."""
    hands = _hands()
    return machine_ms() if hands is None else hands.now_ms()


@cache
def _hands() -> Hands | None:
    file = os.environ.get(VARIABLE)
    return Hands(Path(file)) if file else None
