"""Compaction by key: of each key the newest record stays, at its offset.

Two passes, both in slices. The first collects, for the part that is not clean yet, the newest offset of each key, up to
a number of keys. The second goes from the start of the partition to where the first ended and removes every record that
has a newer one. A tombstone stays for the topic's `delete.retention.ms` from the moment when the records before it are
clean, so that every reader which is not further behind reads it.

The newest batch of a partition is never changed: its end is the partition's end, and readers wait for that offset. A
producer does not depend on its batches: its state is stored beside them.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import NamedTuple

from bopis.broker.storage.batch import read_header
from bopis.broker.storage.database import OFFSET_BITS, OFFSET_MAX, offset_of, row_id
from bopis.broker.storage.records import BatchRecord, UnreadableRecords, read_records, with_records

KEY_BYTES = 16

_SLICE = "SELECT id, last_offset, horizon, size, records FROM batch WHERE id BETWEEN ? AND ? ORDER BY id"
_YOUNG = "SELECT id FROM batch WHERE id BETWEEN ? AND ? AND max_timestamp > ? ORDER BY id LIMIT 1"
_NEWEST = "SELECT id FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
_EXPIRED = "SELECT id, records FROM batch WHERE horizon <= ? ORDER BY horizon LIMIT ?"
_UPDATE = "UPDATE batch SET records = ?, size = ?, max_timestamp = ?, horizon = ? WHERE id = ?"


class CleanableEnd(NamedTuple):
    """The offsets before which keys may be collected, and before which batches may be changed."""

    keys_to: int
    clean_to: int


class RowRange(NamedTuple):
    """Rows of the table of batches, both ends included."""

    first: int
    last: int


class BatchRewrite(NamedTuple):
    """A change of a stored batch.

    `records` is the batch with fewer records, empty when none is left, None when the records stay. `horizon` is the
    time from which its tombstones may be removed, None without any. `freed` may be negative: a batch that the client
    compressed better than this process does can grow.
    """

    row: int
    records: bytes | None
    horizon: int | None
    freed: int = 0


class NewestOffsets:
    """The newest offset of each key; a key of `KEY_BYTES` or more is represented by its digest."""

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._offsets: dict[bytes, int] = {}

    @property
    def full(self) -> bool:
        return len(self._offsets) >= self._keys_max

    def note(self, key: bytes, offset: int) -> None:
        self._offsets[_short(key)] = offset

    def has_newer(self, key: bytes, offset: int) -> bool:
        return self._offsets.get(_short(key), -1) > offset


def _short(key: bytes) -> bytes:
    # A digest has a length of its own, so no short key equals one.
    return key if len(key) < KEY_BYTES else blake2b(key, digest_size=KEY_BYTES).digest()


def cleanable_end(
    connection: sqlite3.Connection, partition_id: int, cleaned_to: int, younger_than_ms: int
) -> CleanableEnd | None:
    """How far a partition can be cleaned now; None when nothing is left to clean."""
    first, last = row_id(partition_id, cleaned_to), row_id(partition_id, OFFSET_MAX)
    newest = connection.execute(_NEWEST, (first, last)).fetchone()
    if newest is None or offset_of(newest[0]) <= cleaned_to:
        return None
    # Keys behind the first batch that is too young stay unknown, so nothing older is removed on their account.
    young = connection.execute(_YOUNG, (first, last, younger_than_ms)).fetchone()
    keys_to = OFFSET_MAX if young is None else offset_of(young[0])
    end = min(offset_of(newest[0]), keys_to)
    return CleanableEnd(keys_to, end) if end > cleaned_to else None


def collect_keys(connection: sqlite3.Connection, newest: NewestOffsets, rows: RowRange, bytes_max: int) -> int | None:
    """First pass: note the keys of one slice of rows. Returns the row to continue from, None at the end."""
    size = 0
    for identity, last_offset, _, batch_size, records in connection.execute(_SLICE, rows):
        base = offset_of(identity)
        try:
            for record in read_records(records):
                if record.key is not None:
                    newest.note(record.key, base + record.offset_delta)
        except UnreadableRecords:
            # Its keys stay unknown: it is kept whole, and so is every record that it might supersede.
            pass
        size += batch_size
        # Continue after this batch: the row ids of one partition differ by offsets.
        if size >= bytes_max or newest.full:
            return int(identity - base + last_offset + 1)
    return None


class CleanedSlice(NamedTuple):
    """The result of one slice of the second pass."""

    rewrites: list[BatchRewrite]
    next_row: int | None
    kept_bytes: int
    unreadable_below: bool


class CleaningPass(NamedTuple):
    """The inputs of the second pass. `unreadable_below`: an earlier batch may contain older records of any key."""

    newest: NewestOffsets
    now_ms: int
    tombstone_ms: int
    unreadable_below: bool


def clean(connection: sqlite3.Connection, cleaning: CleaningPass, rows: RowRange, bytes_max: int) -> CleanedSlice:
    """Second pass: the changes of one slice of rows, which are not yet applied."""
    rewrites: list[BatchRewrite] = []
    size, kept_bytes, unreadable = 0, 0, cleaning.unreadable_below
    for identity, last_offset, horizon, batch_size, records in connection.execute(_SLICE, rows):
        size += batch_size
        try:
            rewrite = _cleaned(cleaning._replace(unreadable_below=unreadable), identity, horizon, records)
        except UnreadableRecords:
            unreadable, rewrite = True, None
        kept_bytes += batch_size
        if rewrite is not None:
            rewrites.append(rewrite)
            kept_bytes -= rewrite.freed
        if size >= bytes_max:
            next_row = identity - offset_of(identity) + last_offset + 1
            return CleanedSlice(rewrites, next_row, kept_bytes, unreadable)
    return CleanedSlice(rewrites, None, kept_bytes, unreadable)


def _cleaned(cleaning: CleaningPass, identity: int, horizon: int | None, batch: bytes) -> BatchRewrite | None:
    base = offset_of(identity)
    expired = horizon is not None and horizon <= cleaning.now_ms
    records = list(read_records(batch))
    kept = [
        record
        for record in records
        if record.key is None
        or not (cleaning.newest.has_newer(record.key, base + record.offset_delta) or (expired and record.tombstone))
    ]
    has_tombstones = any(record.tombstone and record.key is not None for record in kept)
    due = horizon if has_tombstones else None
    if has_tombstones and horizon is None and not cleaning.unreadable_below:
        # From now on nothing before the tombstone is older than it, so its time starts.
        due = cleaning.now_ms + cleaning.tombstone_ms
    if len(kept) == len(records):
        return None if due == horizon else BatchRewrite(identity, None, due)
    return _without_others(identity, batch, kept, due)


def _without_others(identity: int, batch: bytes, kept: list[BatchRecord], horizon: int | None) -> BatchRewrite:
    fresh = with_records(batch, kept) if kept else b""
    return BatchRewrite(identity, fresh, horizon, len(batch) - len(fresh))


def expired_tombstones(connection: sqlite3.Connection, now_ms: int, batches_max: int) -> list[BatchRewrite]:
    """The rewrites that remove tombstones whose time is over."""
    rewrites: list[BatchRewrite] = []
    for identity, batch in connection.execute(_EXPIRED, (now_ms, batches_max)).fetchall():
        try:
            records = list(read_records(batch))
        except UnreadableRecords:
            records = []
        kept = [record for record in records if not record.tombstone or record.key is None]
        if len(kept) < len(records):
            rewrites.append(_without_others(identity, batch, kept, None))
        else:
            # Nothing to remove, or nothing that can be read: the batch stays and is not looked at again.
            rewrites.append(BatchRewrite(identity, None, None))
    return rewrites


def partition_of(rewrite: BatchRewrite) -> int:
    """The id of the partition that the batch belongs to."""
    return rewrite.row >> OFFSET_BITS


def apply_rewrites(connection: sqlite3.Connection, rewrites: list[BatchRewrite]) -> int:
    """Write the changes of one slice. Returns the bytes that were freed."""
    for rewrite in rewrites:
        if rewrite.records is None:
            connection.execute("UPDATE batch SET horizon = ? WHERE id = ?", (rewrite.horizon, rewrite.row))
        elif not rewrite.records:
            connection.execute("DELETE FROM batch WHERE id = ?", (rewrite.row,))
        else:
            header = read_header(rewrite.records)
            row = (rewrite.records, len(rewrite.records), header.max_timestamp, rewrite.horizon, rewrite.row)
            connection.execute(_UPDATE, row)
    return sum(rewrite.freed for rewrite in rewrites)
