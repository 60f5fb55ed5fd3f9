"""Figures about the whole installation for Prometheus: processors and their workers, dead letters, the last back-up.

Every web process knows them from the log, so alerts need no other target. They are read when they are asked for, and
kept for some seconds; when the log does not answer they are left out, and `bopis_log_up` is 0.
"""

import time
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Gauge

from bopis.errors import BopisError
from bopis.services import dead_letters
from bopis.web.pages.operations_workers import ProcessorState, WorkerState, workers_and_processors
from bopis.web.problems import Problem

if TYPE_CHECKING:
    from bopis.web.site import Site

WORKER_STATES = ("running", "silent", "fell")
# Several servers of Prometheus may ask; reading every dead letter costs more than the rest.
KEPT_SECONDS = 10.0
LETTERS_KEPT_SECONDS = 60.0
log = structlog.get_logger("bopis.web.operation_metrics")


class OperationMetrics:
    """The figures, in the registry of a web process."""

    def __init__(self, site: "Site", registry: CollectorRegistry) -> None:
        self._site = site
        self._read_at = self._letters_at = float("-inf")
        self._log_up = Gauge("bopis_log_up", "Whether the log answers.", registry=registry)
        self._lag = Gauge(
            "bopis_processor_lag_records", "Records that a processor has not processed yet.", ("processor",),
            registry=registry,
        )  # fmt: skip
        self._workers = Gauge(
            "bopis_workers", "Workers by processor and state.", ("processor", "state"), registry=registry
        )
        self._issues = Gauge(
            "bopis_worker_issues", "Workers with an issue, by processor and name of the issue.", ("processor", "issue"),
            registry=registry,
        )  # fmt: skip
        self._letters = Gauge("bopis_dead_letters", "Dead letters that nobody has handled.", registry=registry)
        self._backup = Gauge(
            "bopis_backup_timestamp_seconds", "When the last complete back-up was made; 0: never.", registry=registry
        )

    def refresh(self) -> None:
        """Read the figures again, unless they are fresh. Blocks; errors of the log are logged."""
        now = time.monotonic()
        if now - self._read_at < KEPT_SECONDS:
            return
        try:
            self._read(now)
            self._log_up.set(1)
        except (BopisError, Problem) as error:
            log.warning("metrics_incomplete", cause=str(error))
            self._log_up.set(0)
            for gauge in (self._lag, self._workers, self._issues):
                gauge.clear()
        try:
            self._backup.set((self._site.secrets.last_backup_ms() or 0) / 1000)
        except BopisError as error:
            log.warning("metrics_incomplete", cause=str(error))
        self._read_at = time.monotonic()

    def _read(self, now: float) -> None:
        with self._site.desk() as desk:
            self._show(*workers_and_processors(self._site, desk.reader))
            if now - self._letters_at >= LETTERS_KEPT_SECONDS:
                found = dead_letters.letters(desk.reader, self._site.settings.topic_prefix)
                self._letters.set(sum(it.mark is None for it in found))
                self._letters_at = now

    def _show(self, workers: list[WorkerState], processors: list[ProcessorState]) -> None:
        for gauge in (self._lag, self._workers, self._issues):
            gauge.clear()
        for processor in processors:
            if processor.lag is not None:
                self._lag.labels(processor.name).set(processor.lag)
            for state in WORKER_STATES:
                count = sum(it.processor == processor.name and it.state == state for it in workers)
                self._workers.labels(processor.name, state).set(count)
        for worker in workers:
            for issue in worker.issues:
                self._issues.labels(worker.processor, issue.partition(":")[0]).inc()
