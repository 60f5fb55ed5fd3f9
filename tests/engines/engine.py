"""What a test may do to a log, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Engine(Protocol):
    """One log of one or several processes, each of which can be ended, paused and started again."""

    name: str
    # Settings of a topic with which retention and compaction come within a second, in steps of one batch.
    small_steps: Mapping[str, str]

    @property
    def bootstrap(self) -> str:
        """Where clients begin."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first process."""

    @property
    def processes(self) -> int:
        """How many processes serve it."""

    def start(self) -> Any:
        """Start what does not run, where it was before, and wait until it answers."""

    def stop(self) -> int:
        """Ask it to stop; the exit code."""

    def kill(self, process: int = 0) -> None:
        """End one process without warning: the first, or another by its number."""

    def restart(self) -> None:
        """Stop it and start it again where it was."""

    def suspend(self, process: int = 0) -> None:
        """Let it neither answer nor close: what a stalled disk or a paused machine looks like."""

    def resume(self, process: int = 0) -> None:
        """Wake it."""

    def freeze(self, seconds: float) -> None:
        """Suspend all of it for so long."""
