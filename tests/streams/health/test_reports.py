"""Reports in the topic `workers` keep their field names, whatever the fields are called in the code."""

from typing import Any

import msgspec

from bopis.services.worker_reports import FELL, Issue, PartitionReport, WorkerReport, encode, newest_reports

REPORT = WorkerReport(
    processor="inventory",
    instance="inventory-1",
    host="here",
    pid=7,
    version="1",
    at_ms=1_000,
    every_s=5.0,
    state=FELL,
    exit_code=80,
    partitions=(PartitionReport(topic="stock", partition=0, role="owner", state="ready", position=3, rows=2),),
    issues=(Issue(name="NoProgress", text="nothing was decided"),),
)
ON_THE_WIRE = {
    "processor": "inventory",
    "instance": "inventory-1",
    "host": "here",
    "pid": 7,
    "version": "1",
    "at_ms": 1_000,
    "every_s": 5.0,
    "state": "fell",
    "exit_code": 80,
    "partitions": [
        {
            "topic": "stock",
            "partition": 0,
            "role": "owner",
            "state": "ready",
            "position": 3,
            "rows": 2,
            "epoch": None,
            "end": None,
            "lag": None,
            "age_ms": None,
        }
    ],
    "trouble": [{"name": "NoProgress", "words": "nothing was decided"}],
}


class Topic:
    """The topic `workers` as a list of (key, value)."""

    def __init__(self, *records: tuple[bytes, bytes | None]) -> None:
        self._records = records

    def start_offsets(self, _: list[str]) -> dict[Any, int]:
        return {("workers", 0): 0}

    def end_offsets(self, _: list[str]) -> dict[Any, int]:
        return {("workers", 0): len(self._records)}

    def read(self, first: dict[Any, int], end: dict[Any, int]) -> list[Any]:
        kind = msgspec.defstruct("Record", [("key", bytes), ("value", bytes | None), ("timestamp_ms", int)])
        return [kind(key, value, number) for number, (key, value) in enumerate(self._records)]


def newest(*records: tuple[bytes, bytes | None]) -> list[Any]:
    topic: Any = Topic(*records)
    return [(it.report, it.received_at_ms) for it in newest_reports(topic)]


def test_a_report_has_these_fields_on_the_wire() -> None:
    assert msgspec.json.decode(encode(REPORT)) == ON_THE_WIRE
    # The fields of `bopis status --json`.
    assert msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(REPORT))) == ON_THE_WIRE


def test_the_newest_report_of_each_worker_counts_and_a_deleted_one_is_gone() -> None:
    older = msgspec.structs.replace(REPORT, at_ms=1)
    other = msgspec.structs.replace(REPORT, instance="inventory-2")

    found = newest((b"1", encode(older)), (b"2", encode(other)), (b"1", encode(REPORT)), (b"2", None))

    assert found == [(REPORT, 2)]


def test_a_report_of_another_version_does_not_hide_the_others() -> None:
    assert newest((b"1", b'{"processor":7}'), (b"2", encode(REPORT))) == [(REPORT, 1)]
