"""What running workers say about themselves in the topic ``workers``: who owns what, how far, and what is wrong.

A worker writes one record every few seconds and whenever something changes, and takes it back when it stops cleanly.
Nothing depends on these records: they are there to be looked at.
"""

import msgspec

from bopis.ports import Log

TOPIC = "workers"
# Old records of the same worker may still stand before the newest ones; what is further back is long forgotten.
LOOKS_BACK = 3_000
INTERVALS_UNTIL_SILENT = 3

RUNNING, FELL = "running", "fell"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a worker: its name, and the facts in words."""

    name: str
    words: str


class PartitionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One partition that a worker owns, or keeps a warm copy of (role ``standby``).

    For an owner `position` is the newest offset of its source that is decided, `end` where the source ends and `lag`
    what is left; for a copy `lag` counts records of the changelog and `age_ms` says how long ago it had them all.
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
    trouble: tuple[Trouble, ...] = ()


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The newest report of a worker, and when the log had it."""

    report: WorkerReport
    heard_at_ms: int

    def silent(self, now_ms: int) -> bool:
        """Whether a worker that should be running has not been heard from for several of its intervals."""
        patience_ms = INTERVALS_UNTIL_SILENT * self.report.every_s * 1000
        return self.report.state == RUNNING and now_ms - self.heard_at_ms > patience_ms


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(WorkerReport).decode


def encode(report: WorkerReport) -> bytes:
    """A report as it stands in the topic."""
    return _encode(report)


def heard(log: Log) -> list[Heard]:
    """The newest report of every worker, by processor and name; those that stopped cleanly are gone."""
    start, end = log.start_offsets([TOPIC]), log.end_offsets([TOPIC])
    first = {where: max(start[where], offset - LOOKS_BACK) for where, offset in end.items()}
    newest: dict[bytes, Heard] = {}
    for record in log.read(first, end):
        key = record.key or b""
        try:
            report = _decode(record.value) if record.value else None
        except msgspec.MsgspecError:
            continue  # A worker of another version; its neighbours can still be read.
        if report is None:
            newest.pop(key, None)
        else:
            newest[key] = Heard(report=report, heard_at_ms=record.timestamp_ms)
    return sorted(newest.values(), key=lambda it: (it.report.processor, it.report.instance))
