"""Ctrl-C that a library cannot swallow."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 0.5


@contextmanager
def interruptible() -> Iterator[None]:
    """Within this context Ctrl-C raises `KeyboardInterrupt` repeatedly until it gets through.

    kafka-python keeps an exception that is raised inside its event loop as the result of the request that was running,
    and the next poll continues.
    """

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
