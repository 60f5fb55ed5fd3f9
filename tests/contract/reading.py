"""Reading a whole partition, as the tests like it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from aiokafka.record.memory_records import MemoryRecords

from tests.engines.wire import EARLIEST, LATEST, Wire


class Row(NamedTuple):
    """One record as it is in the log."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


def parse(records: bytes | None, start: int = 0) -> list[Row]:
    """The records of a fetch from an offset on."""
    rows: list[Row] = []
    batches = MemoryRecords(bytes(records or b""))
    while batches.has_next():
        found = batches.next_batch()
        assert found is not None
        assert found.validate_crc()
        rows += [Row(r.offset, r.key, r.value, r.timestamp) for r in found if r.offset >= start]
    return rows


def read_all(wire: Wire, topic: str, partition: int = 0) -> list[Row]:
    """Every record from the first offset to the end."""
    offset, end = wire.offset(topic, EARLIEST, partition), wire.offset(topic, LATEST, partition)
    rows: list[Row] = []
    while offset < end:
        answer = wire.fetch(topic, offset, partition)
        assert answer.error_code == 0
        rows += parse(answer.records, offset)
        offset = _after(answer.records, offset)
    return rows


def _after(records: bytes | None, offset: int) -> int:
    """The offset behind the last batch. A compacted batch may be empty and still be there, for its producer's sake."""
    batches = MemoryRecords(bytes(records or b""))
    after = offset
    while (found := batches.next_batch() if batches.has_next() else None) is not None:
        after = found.next_offset
    assert after > offset, f"nothing at {offset}"
    return after


def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
