"""Reports of running workers in the topic `workers`: who owns which partitions, how far they are, and what is wrong.

A worker publishes one record every few seconds and whenever something changes, and deletes it when it stops cleanly.
Nothing depends on these records: they are there for `bopis status`.
"""

import msgspec

from bopis.names import WORKERS_TOPIC
from bopis.ports import Log

# The topic is compacted, but older records of a worker may precede its newest one; what is further back is of no use.
RECORDS_READ_MAX = 3_000
INTERVALS_UNTIL_SILENT = 3

RUNNING, FELL = "running", "fell"


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a worker: its name, and the facts as text."""

    name: str
    text: str = msgspec.field(name="words")  # the name on the wire


class PartitionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One partition that a worker owns, or keeps a standby table of (role `standby`).

    For an owner, `position` is the newest offset of its source that is decided, `end` the offset after the last record
    of the source and `lag` the records between them. For a standby, `lag` counts records of the changelog and `age_ms`
    is how long ago it had all of them.
    """

    topic: str
    partition: int
    role: str
    state: str
    position: int | None
    rows: int
    epoch: int | None = None
    end: int | None = None
    lag: int | None = None
    age_ms: int | None = None


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """One worker at one moment. A worker that fell leaves its last report with its exit code and cause."""

    processor: str
    instance: str
    host: str
    pid: int
    version: str
    at_ms: int
    every_s: float
    state: str = RUNNING
    exit_code: int | None = None
    partitions: tuple[PartitionReport, ...] = ()
    issues: tuple[Issue, ...] = msgspec.field(default=(), name="trouble")  # the name on the wire


class ReceivedReport(msgspec.Struct, frozen=True, kw_only=True):
    """The newest report of a worker, and when the log appended it."""

    report: WorkerReport
    received_at_ms: int

    def silent(self, now_ms: int) -> bool:
        """Whether a worker that should be running has not reported for several of its intervals."""
        patience_ms = INTERVALS_UNTIL_SILENT * self.report.every_s * 1000
        return self.report.state == RUNNING and now_ms - self.received_at_ms > patience_ms


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(WorkerReport).decode


def encode(report: WorkerReport) -> bytes:
    """A report as a record's value."""
    return _encode(report)


def newest_reports(log: Log) -> list[ReceivedReport]:
    """The newest report of every worker, by processor and name; those that stopped cleanly are gone."""
    start, end = log.start_offsets([WORKERS_TOPIC]), log.end_offsets([WORKERS_TOPIC])
    first = {partition: max(start[partition], offset - RECORDS_READ_MAX) for partition, offset in end.items()}
    newest: dict[bytes, ReceivedReport] = {}
    for record in log.read(first, end):
        key = record.key or b""
        try:
            report = _decode(record.value) if record.value else None
        except msgspec.MsgspecError:
            continue  # A worker of another version; the other reports can still be read.
        if report is None:
            newest.pop(key, None)
        else:
            newest[key] = ReceivedReport(report=report, received_at_ms=record.timestamp_ms)
    return sorted(newest.values(), key=lambda it: (it.report.processor, it.report.instance))
