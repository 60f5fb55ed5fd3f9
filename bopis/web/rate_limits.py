"""How many requests one caller may send: a token bucket for each, so that one client cannot take it all."""

import time
from collections.abc import Callable

from cachetools import LRUCache
from starlette.requests import Request

from bopis.web.problems import Problem

CALLERS_MAX = 100_000
BURST_S = 2.0


class RateLimits:
    """Buckets by caller. `rate` is requests per second and caller, 0 for any number; a burst of `BURST_S` seconds may
    come at once."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        # Tokens that are left, and when they were counted.
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(CALLERS_MAX)

    def take(self, caller: str, requests: float = 1.0) -> None:
        """Count requests of a caller. Raises `Problem` when it has sent too many."""
        if not self._rate:
            return
        now, most = self._clock(), self._rate * BURST_S
        left, counted = self._buckets.get(caller, (most, now))
        left = min(most, left + (now - counted) * self._rate)
        requests = min(requests, most)  # more than that could never come
        if left < requests:
            self._buckets[caller] = (left, now)
            wait = max(1, round((requests - left) / self._rate + 0.5))
            raise Problem(429, "too-many-requests", f"At most {self._rate} requests per second.", retry_after_s=wait)
        self._buckets[caller] = (left - requests, now)


def address_of(request: Request) -> str:
    """Who is counted for a request without a valid credential."""
    return f"address/{request.client.host}" if request.client is not None else "address/unknown"
