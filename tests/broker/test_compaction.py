"""Compaction against a plain judge: whatever is written and however it is cut, the newest of each key stays."""

from __future__ import annotations

import gzip
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bopis.broker.storage import compaction
from bopis.broker.storage import records as batch_records
from bopis.broker.storage.batch import HEADER_BYTES, stamp
from bopis.broker.storage.database import OFFSET_MAX, SCHEMA, offset_of, row_id
from bopis.broker.storage.records import read_records
from tests.engines.wire import batch

PARTITION = 3
keys = st.sampled_from([None, b"", b"a", b"b", b"c", b"a-key-that-is-longer-than-its-digest", b"sixteen-byte-key"])
KEYS = 6
records = st.tuples(keys, st.none() | st.binary(max_size=8))
batches = st.lists(st.lists(records, min_size=1, max_size=6), min_size=1, max_size=15)
Contents = list[tuple[int, bytes | None, bool]]


def log_of(written: list[list[tuple[bytes | None, bytes | None]]]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    base = 0
    for index, rows in enumerate(written):
        stored = stamp(memoryview(batch(*rows, compression=index % 2)), base, None)
        row = (row_id(PARTITION, base), base + len(rows) - 1, index, index, len(stored), stored)
        connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, NULL, ?, ?)", row)
        base += len(rows)
    return connection


def contents(connection: sqlite3.Connection) -> Contents:
    rows = connection.execute("SELECT id, records FROM batch ORDER BY id").fetchall()
    return [(offset_of(i) + r.offset_delta, r.key, r.tombstone) for i, b in rows for r in read_records(b)]


def clean_pass(
    connection: sqlite3.Connection, start: int, keys_max: int, slice_bytes: int, now_ms: int, tombstone_ms: int
) -> int:
    """One whole pass, as housekeeping makes it. Returns up to where it is clean."""
    ends = compaction.cleanable_end(connection, PARTITION, start, OFFSET_MAX << 20)
    if ends is None:
        return start
    newest = compaction.NewestOffsets(keys_max)
    row: int | None = row_id(PARTITION, start)
    last = row_id(PARTITION, OFFSET_MAX)
    while row is not None and not newest.full:
        row = compaction.collect_keys(connection, newest, compaction.RowRange(row, last), slice_bytes)
    end = ends.clean_to if row is None else min(ends.clean_to, offset_of(row))
    row, last = row_id(PARTITION, 0), row_id(PARTITION, end - 1)
    cleaning = compaction.CleaningPass(newest, now_ms, tombstone_ms, False)
    while row is not None and row <= last:
        found_slice = compaction.clean(connection, cleaning, compaction.RowRange(row, last), slice_bytes)
        compaction.apply_rewrites(connection, found_slice.rewrites)
        cleaning = cleaning._replace(unreadable_below=found_slice.unreadable_below)
        row = found_slice.next_row
    return end


@given(batches, st.integers(1, 8), st.integers(1, 400))
@settings(max_examples=300, deadline=None)
def test_the_newest_of_every_key_stays_and_nothing_else_is_invented(
    written: list[list[tuple[bytes | None, bytes | None]]], keys_max: int, slice_bytes: int
) -> None:
    connection = log_of(written)
    before = contents(connection)

    cleaned_to, turns = -1, 0
    position = 0
    while position != cleaned_to and turns < 100:
        cleaned_to, turns = position, turns + 1
        position = clean_pass(connection, cleaned_to, keys_max, slice_bytes, now_ms=10, tombstone_ms=1_000)

    after = contents(connection)
    connection.close()
    newest = {key: offset for offset, key, _ in before}
    last_base = len(before) - len(written[-1])
    needed = [row for row in before if row[1] is None or row[0] >= last_base or newest[row[1]] == row[0]]
    assert [row for row in after if row in needed] == needed
    assert [row for row in before if row in after] == after
    if keys_max > KEYS:
        # With room for all keys nothing superfluous is left; with less, it goes when more has been written.
        assert after == needed


@given(batches, st.integers(1, 8), st.integers(1, 400))
@settings(max_examples=200, deadline=None)
def test_with_tombstones_gone_too_every_live_key_still_has_its_newest_value(
    written: list[list[tuple[bytes | None, bytes | None]]], keys_max: int, slice_bytes: int
) -> None:
    connection = log_of(written)
    before = contents(connection)

    position = 0
    for now_ms in range(0, 100, 10):
        position = clean_pass(connection, position, keys_max, slice_bytes, now_ms, tombstone_ms=5)
        compaction.apply_rewrites(connection, compaction.expired_tombstones(connection, now_ms, 10))
    after = contents(connection)
    connection.close()

    newest = {key: (offset, tombstone) for offset, key, tombstone in before if key is not None}
    kept = {key: (offset, tombstone) for offset, key, tombstone in after if key is not None}
    for key, (offset, tombstone) in newest.items():
        if tombstone:
            assert key not in kept or kept[key][1]
        else:
            assert kept[key] == (offset, False)
    assert [row for row in after if row[1] is None] == [row for row in before if row[1] is None]


def test_the_newest_batch_is_never_touched() -> None:
    connection = log_of([[(b"k", b"1")], [(b"k", b"2"), (b"k", b"3")]])

    clean_pass(connection, 0, 10, 1_000, 0, 0)

    assert [row[0] for row in contents(connection)] == [1, 2]
    connection.close()


def test_a_batch_that_cannot_be_read_is_kept_and_protects_what_tombstones_would_free() -> None:
    connection = log_of([[(b"k", b"1")], [(b"k", None)], [(b"z", b"end")]])
    # The codec of the first batch is one that is never installed.
    (first,) = connection.execute("SELECT records FROM batch ORDER BY id LIMIT 1").fetchone()
    foreign = bytearray(first)
    foreign[22] |= 7
    connection.execute("UPDATE batch SET records = ? WHERE id = ?", (bytes(foreign), row_id(PARTITION, 0)))

    clean_pass(connection, 0, 10, 1_000, now_ms=0, tombstone_ms=0)
    compaction.apply_rewrites(connection, compaction.expired_tombstones(connection, 1_000, 10))

    rows = connection.execute("SELECT id FROM batch ORDER BY id").fetchall()
    connection.close()
    assert [offset_of(identity) for (identity,) in rows] == [0, 1, 2]


def test_a_batch_that_shrinks_by_nothing_loses_its_old_records_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = log_of([[(b"z", b"first")], [(b"a", b"old"), (b"b", b"1")], [(b"a", b"new")], [(b"z", b"end")]])
    (before,) = connection.execute("SELECT records FROM batch WHERE id = ?", (row_id(PARTITION, 1),)).fetchone()

    def as_long_as_before(body: bytes, _: int) -> bytes:
        return gzip.compress(body, mtime=0).ljust(len(before) - HEADER_BYTES, b"\0")

    monkeypatch.setattr(batch_records, "_compressed", as_long_as_before)
    clean_pass(connection, 0, 10, 100_000, now_ms=0, tombstone_ms=0)

    (after,) = connection.execute("SELECT records FROM batch WHERE id = ?", (row_id(PARTITION, 1),)).fetchone()
    kept = [(offset, key) for offset, key, _ in contents(connection)]
    connection.close()
    assert len(after) == len(before)
    assert kept == [(2, b"b"), (3, b"a"), (4, b"z")]
