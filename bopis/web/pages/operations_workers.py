"""Processors and their workers, as `bopis status` counts them: lag, who reports, and what is wrong."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from bopis.errors import BopisError
from bopis.names import PROCESSORS, READ_SIDE_TOPICS
from bopis.ports import Log
from bopis.readside import queries
from bopis.services.progress import exact_lags, lag
from bopis.services.worker_reports import FELL, RUNNING, ReceivedReport, newest_reports
from bopis.web.pages.now_view import Tone, age_text
from bopis.web.problems import Problem
from bopis.web.site import Site

OWNER = "owner"
# A worker that was not restarted for a day was stopped on purpose.
FORGOTTEN_MS = 86_400_000
LAG_WARN = 1_000


class WorkerState(Struct, frozen=True, kw_only=True):
    """One worker: its last report, and the records that it has not processed yet."""

    processor: str
    instance: str
    host: str
    pid: int
    state: str
    heard_ms: int
    partitions: int
    standby: int
    lag: int
    issues: tuple[str, ...]


class ProcessorState(Struct, frozen=True, kw_only=True):
    """One processor. `lag` None: nobody knows it. `text` says whether its workers report."""

    name: str
    lag: int | None
    reporting: int
    silent: int
    text: str
    tone: Tone


def worker_states(reports: Sequence[ReceivedReport], now_ms: int) -> list[WorkerState]:
    """Workers by processor and name; those without a report for a day are left out."""
    return [
        WorkerState(
            processor=it.report.processor,
            instance=it.report.instance,
            host=it.report.host,
            pid=it.report.pid,
            state="silent" if it.silent(now_ms) else it.report.state,
            heard_ms=max(0, now_ms - it.received_at_ms),
            partitions=sum(one.role == OWNER for one in it.report.partitions),
            standby=sum(one.role != OWNER for one in it.report.partitions),
            lag=sum(one.lag or 0 for one in it.report.partitions if one.role == OWNER),
            issues=tuple(f"{issue.name}: {issue.text}" for issue in it.report.issues),
        )
        for it in reports
        if now_ms - it.received_at_ms < FORGOTTEN_MS
    ]


def processor_states(workers: Sequence[WorkerState], lags: dict[str, int | None]) -> list[ProcessorState]:
    """Every processor with its lag: the given one, else the sum that its workers report."""
    found = []
    for name in PROCESSORS:
        mine = [it for it in workers if it.processor == name]
        running = [it for it in mine if it.state == RUNNING]
        fallen = sum(it.state == FELL for it in mine)
        reported = sum(it.lag for it in running) if running else None
        behind = lags.get(name, reported)
        text = f"{len(running)} reporting" if running else "no worker reports"
        silent = sum(it.state == "silent" for it in mine)
        text += f", {silent} silent" if silent else ""
        text += f", {fallen} fell" if fallen else ""
        bad = not running
        warn = bool(silent or fallen or (behind or 0) > LAG_WARN or any(it.issues for it in running))
        found.append(
            ProcessorState(
                name=name, lag=behind, reporting=len(running), silent=silent, text=text,
                tone=Tone.BAD if bad else Tone.WARN if warn else Tone.NONE,
            )
        )  # fmt: skip
    return found


def workers_and_processors(site: Site, log: Log) -> tuple[list[WorkerState], list[ProcessorState]]:
    """Workers and processors now. Blocks."""
    workers = worker_states(newest_reports(log), site.now_ms())
    lags: dict[str, int | None] = dict(exact_lags(log))
    try:
        positions = queries.positions(site.engine())
    except (Problem, BopisError, SQLAlchemyError):
        return workers, processor_states(workers, lags | {"projection": None})
    behind = 0
    for topic in READ_SIDE_TOPICS:
        behind += lag(log, topic, {row.partition: row.position for row in positions if row.topic == topic})
    return workers, processor_states(workers, lags | {"projection": behind})


def heard_text(worker: WorkerState) -> str:
    """When a worker last reported."""
    return f"{age_text(worker.heard_ms)} ago"
