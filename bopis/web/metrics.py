"""Figures for Prometheus: requests, what the process knows of its memory, and what the log knows of the others."""

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bopis.web.operation_metrics import OperationMetrics

if TYPE_CHECKING:
    from bopis.web.site import Site

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The figures of one web process, in a registry of their own."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "bopis_http_requests", "Requests by endpoint and status.", ("endpoint", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "bopis_http_seconds", "Seconds of a request.", ("endpoint",), buckets=SECONDS, registry=self.registry
        )
        self._age = Gauge(
            "bopis_data_age_seconds", "Seconds since the memory had all that the log has.", registry=self.registry
        )
        self._streams = Gauge("bopis_http_streams", "Open streams of events.", registry=self.registry)
        self._failures = Gauge(
            "bopis_follower_failures", "Faults of what follows the log since the start.", registry=self.registry
        )
        self._failing = Gauge(
            "bopis_follower_failing", "1 while the memory is not followed after a fault.", registry=self.registry
        )
        self._unreadable = Gauge(
            "bopis_unreadable_records", "Records of the log that could not be read.", registry=self.registry
        )
        self._operation = OperationMetrics(site, self.registry)

    @staticmethod
    def begin() -> float:
        """The beginning of a request, for `end`."""
        return time.perf_counter()

    def end(self, endpoint: str, status: int, began: float) -> None:
        """Count a request."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(time.perf_counter() - began)

    async def text(self) -> bytes:
        """All figures in the text format of Prometheus."""
        await self._site.in_thread(self._operation.refresh)
        self._age.set(self._site.age_ms / 1000)
        self._streams.set(self._site.hub.count)
        self._failures.set(sum(it.failures for it in self._site.followers))
        self._failing.set(bool(self._site.failure))
        self._unreadable.set(self._site.stock.unreadable)
        return generate_latest(self.registry)
