"""Publishing baskets as tills would: in order, each store with its own sequence, at a given speed."""

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from bopis.names import STOCK_TOPIC
from bopis.ports import Publisher, RecordMetadata
from bopis.services.replay.baskets import TillBasket, as_message

AT_ONCE = 0.0
WAIT_SECONDS_MIN = 0.005  # shorter waits than this are not worth a system call


class PaceClock(Protocol):
    """The clock of a `Pace`; the module `time` is one."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


class SendCounts(Struct):
    """Baskets that were published now, and baskets that an earlier run brought into the books."""

    published: int = 0
    known: int = 0


class Pace:
    """Waits so that the file's time passes at a multiple of real time; with a multiple of 0 it never waits."""

    def __init__(self, multiple: float, clock: PaceClock = time) -> None:
        self._multiple = multiple
        self._clock = clock
        self._began: tuple[int, float] | None = None

    def wait_for(self, at_ms: int) -> None:
        """Return at an instant of the file; the first call sets the beginning and returns at once."""
        if self._multiple == AT_ONCE:
            return
        now = self._clock.monotonic()
        if self._began is None:
            self._began = (at_ms, now)
        first_ms, began = self._began
        ahead = began + (at_ms - first_ms) / 1000 / self._multiple - now
        if ahead > WAIT_SECONDS_MIN:
            self._clock.sleep(ahead)


def send(
    baskets: Iterable[TillBasket], digest: str, publisher: Publisher, pace: Pace, marks: Mapping[str, int]
) -> SendCounts:
    """Publish every basket as one message of its store's tills, and wait until the log has acknowledged all.

    `marks` is, by store, the last sequence up to which the books are complete: these baskets are not sent again. (It
    would be harmless: the books accept each sequence once.) Raises the first error of a delivery.
    """
    sent = SendCounts()
    sequences: dict[str, int] = {}
    refused: list[Exception] = []

    def on_delivery(result: RecordMetadata | Exception) -> None:
        if isinstance(result, Exception):
            refused.append(result)

    for basket in baskets:
        sequence = sequences[basket.store] = sequences.get(basket.store, 0) + 1
        # Counted for skipped baskets, too: a sequence belongs to its basket in every run.
        if sequence <= marks.get(basket.store, 0):
            sent.known += 1
            continue
        if refused:
            break
        pace.wait_for(basket.at_ms)
        message = as_message(basket, digest, sequence)
        publisher.publish(STOCK_TOPIC, basket.store, message, on_delivery=on_delivery)
        sent.published += 1
    publisher.flush()
    if refused:
        raise refused[0]
    return sent
