"""How old the news of stores was over a span of time, from the silences that outlasted their grace time. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from bopis.readside.kpi.definitions import P95, Figures, share

MINUTE_MS = 60_000


class Silent(NamedTuple):
    """A stretch of the log's time in which a store told nothing newer than ``heard_ms``."""

    since_ms: int
    until_ms: int
    heard_ms: int


def data_age(silences: Sequence[Silent], stores: int, since_ms: int, until_ms: int) -> Figures:
    """The age that was exceeded in a twentieth of all stores' time.

    Within a silence the age grows by a millisecond each millisecond, so the time that was spent above an age is what
    is left of each silence after it reached that age.
    """
    clipped = [
        Silent(max(it.since_ms, since_ms), min(it.until_ms, until_ms), it.heard_ms)
        for it in silences
        if it.until_ms > since_ms and it.since_ms < until_ms
    ]
    whole_ms = stores * (until_ms - since_ms)
    silent_ms = sum(it.until_ms - it.since_ms for it in clipped)
    figures: Figures = {"stores": stores, "fresh": share(whole_ms - silent_ms, whole_ms), "p95_minutes": None}
    if whole_ms > 0 and silent_ms > whole_ms * (1 - P95):
        figures["p95_minutes"] = round(_exceeded(clipped, whole_ms * (1 - P95)) / MINUTE_MS, 1)
    return figures


def _exceeded(silences: Sequence[Silent], allowed_ms: float) -> int:
    """The smallest age above which no more than so much time was spent."""
    low, high = 0, max(it.until_ms - it.heard_ms for it in silences)
    while low < high:
        middle = (low + high) // 2
        above = sum(max(0, it.until_ms - max(it.since_ms, it.heard_ms + middle)) for it in silences)
        low, high = (low, middle) if above <= allowed_ms else (middle + 1, high)
    return low
