"""Publishing baskets as tills would: in order, each store with its own sequence, at the speed asked for."""

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from bopis.ports import Placed, Publisher
from bopis.services.replay.baskets import Basket, as_message

STOCK_TOPIC = "stock"
AT_ONCE = 0.0
WAIT_SECONDS_MIN = 0.005  # shorter waits than this are not worth a system call


class Clock(Protocol):
    """A clock to keep pace by."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


class Sent(Struct):
    """What became of the baskets: handed to the log now, or in the books already from an earlier run."""

    published: int = 0
    known: int = 0


class Pace:
    """Waits so that the file's time passes at a multiple of real time; a multiple of 0 never waits."""

    def __init__(self, multiple: float, clock: Clock = time) -> None:
        self._multiple = multiple
        self._clock = clock
        self._began: tuple[int, float] | None = None

    def wait_for(self, at_ms: int) -> None:
        """Return when an instant of the file has come; the first one asked for has come already."""
        if self._multiple == AT_ONCE:
            return
        now = self._clock.monotonic()
        if self._began is None:
            self._began = (at_ms, now)
        first_ms, began = self._began
        ahead = began + (at_ms - first_ms) / 1000 / self._multiple - now
        if ahead > WAIT_SECONDS_MIN:
            self._clock.sleep(ahead)


def send(baskets: Iterable[Basket], digest: str, publisher: Publisher, pace: Pace, marks: Mapping[str, int]) -> Sent:
    """Publish every basket as one message of its store's tills, and wait until the log has them all.

    ``marks`` tells per store up to which sequence the books have everything: that is not sent again. Without
    marks all is sent, and the books take nothing twice. Raises what the log refused first.
    """
    sent = Sent()
    sequences: dict[str, int] = {}
    refused: list[Exception] = []

    def note(fate: Placed | Exception) -> None:
        if isinstance(fate, Exception):
            refused.append(fate)

    for basket in baskets:
        sequence = sequences[basket.store] = sequences.get(basket.store, 0) + 1
        if sequence <= marks.get(basket.store, 0):
            sent.known += 1
            continue
        if refused:
            break
        pace.wait_for(basket.at_ms)
        publisher.publish(STOCK_TOPIC, basket.store, as_message(basket, digest, sequence), on_delivery=note)
        sent.published += 1
    publisher.flush()
    if refused:
        raise refused[0]
    return sent
