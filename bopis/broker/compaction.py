"""Compaction by key: of each key the newest record stays, at its offset.

Two walks, both in slices. The first remembers, for the part that is not yet clean, the newest offset of each key, as
many keys as the limit allows. The second goes from the start to where the first ended and takes out every record for
which a newer one is known. A tombstone stays for the topic's `delete.retention.ms` from the moment the records below
it are clean, so that every reader that is not further behind sees it.

The newest batch of a partition is never touched: its end is the partition's end, and readers wait for that offset.
What a producer may send next does not depend on its batches staying: it is stored beside them.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import NamedTuple

from bopis.broker.batch import read_header
from bopis.broker.database import OFFSET_BITS, OFFSET_MAX, offset_of, row_id
from bopis.broker.records import Opaque, Record, walk, with_records

KEY_BYTES = 16

_SLICE = "SELECT id, last_offset, horizon, size, records FROM batch WHERE id BETWEEN ? AND ? ORDER BY id"
_YOUNG = "SELECT id FROM batch WHERE id BETWEEN ? AND ? AND max_timestamp > ? ORDER BY id LIMIT 1"
_NEWEST = "SELECT id FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
_RIPE = "SELECT id, last_offset, horizon, size, records FROM batch WHERE horizon <= ? ORDER BY horizon LIMIT ?"
_UPDATE = "UPDATE batch SET records = ?, size = ?, max_timestamp = ?, horizon = ? WHERE id = ?"


class Bounds(NamedTuple):
    """What may be looked at, and what may be changed."""

    known_to: int
    cleaned_to: int


class Rewrite(NamedTuple):
    """A batch that changes: fewer records, or none (None), or only the time when its tombstones may go."""

    row: int
    records: bytes | None
    horizon: int | None
    freed: int


class NewestOffsets:
    """For each key, the newest offset; keys that are longer than their digest are kept as that."""

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
    # The digest has its own length class, so a short key never equals one.
    return key if len(key) < KEY_BYTES else blake2b(key, digest_size=KEY_BYTES).digest()


def bounds(connection: sqlite3.Connection, partition_id: int, cleaned_to: int, younger_than_ms: int) -> Bounds | None:
    """How far this partition can be cleaned now; None when there is nothing to do."""
    low, high = row_id(partition_id, cleaned_to), row_id(partition_id, OFFSET_MAX)
    newest = connection.execute(_NEWEST, (low, high)).fetchone()
    if newest is None or offset_of(newest[0]) <= cleaned_to:
        return None
    young = connection.execute(_YOUNG, (low, high, younger_than_ms)).fetchone()
    known_to = OFFSET_MAX if young is None else offset_of(young[0])
    end = min(offset_of(newest[0]), known_to)
    return Bounds(known_to, end) if end > cleaned_to else None


def learn(connection: sqlite3.Connection, newest: NewestOffsets, span: tuple[int, int], bytes_max: int) -> int | None:
    """Note the keys of one slice of rows. Returns the row to go on from, or None at the end."""
    first, last = span
    size = 0
    for identity, last_offset, _, batch_size, records in connection.execute(_SLICE, (first, last)):
        base = offset_of(identity)
        try:
            for record in walk(records):
                if record.key is not None:
                    newest.note(record.key, base + record.offset_delta)
        except Opaque:
            # Its keys stay unknown: it is kept whole, and so is everything that it might supersede.
            pass
        size += batch_size
        if size >= bytes_max or newest.full:
            return int(identity - base + last_offset + 1)
    return None


class Slice(NamedTuple):
    """What one slice of the second walk found."""

    rewrites: list[Rewrite]
    next_row: int | None
    kept_bytes: int
    opaque: bool


class Cleaning(NamedTuple):
    """What the second walk needs to know."""

    newest: NewestOffsets
    now_ms: int
    tombstone_ms: int
    opaque_below: bool


def clean(connection: sqlite3.Connection, cleaning: Cleaning, span: tuple[int, int], bytes_max: int) -> Slice:
    """Find what changes in one slice of rows."""
    first, last = span
    rewrites: list[Rewrite] = []
    size, kept_bytes, opaque = 0, 0, cleaning.opaque_below
    for identity, last_offset, horizon, batch_size, records in connection.execute(_SLICE, (first, last)):
        size += batch_size
        try:
            rewrite = _cleaned(cleaning._replace(opaque_below=opaque), identity, horizon, records)
        except Opaque:
            opaque, rewrite = True, None
        kept_bytes += batch_size
        if rewrite is not None:
            rewrites.append(rewrite)
            kept_bytes -= rewrite.freed
        if size >= bytes_max:
            return Slice(rewrites, identity - offset_of(identity) + last_offset + 1, kept_bytes, opaque)
    return Slice(rewrites, None, kept_bytes, opaque)


def _cleaned(cleaning: Cleaning, identity: int, horizon: int | None, batch: bytes) -> Rewrite | None:
    base = offset_of(identity)
    ripe = horizon is not None and horizon <= cleaning.now_ms
    records = list(walk(batch))
    kept = [
        record
        for record in records
        if record.key is None
        or not (cleaning.newest.has_newer(record.key, base + record.offset_delta) or (ripe and record.tombstone))
    ]
    has_tombstones = any(record.tombstone and record.key is not None for record in kept)
    if has_tombstones and horizon is None and not cleaning.opaque_below:
        # From now on nothing below is older than the tombstone, so its time can begin to run.
        due: int | None = cleaning.now_ms + cleaning.tombstone_ms
    else:
        due = horizon if has_tombstones else None
    return _rewrite(identity, batch, (records, kept), (horizon, due))


def _rewrite(
    identity: int,
    batch: bytes,
    walked: tuple[list[Record], list[Record]],
    horizons: tuple[int | None, int | None],
) -> Rewrite | None:
    records, kept = walked
    before, after = horizons
    if not kept:
        return Rewrite(identity, None, None, len(batch))
    if len(kept) == len(records):
        return None if before == after else Rewrite(identity, batch, after, 0)
    fresh = with_records(batch, kept)
    return Rewrite(identity, fresh, after, len(batch) - len(fresh))


def ripe_tombstones(connection: sqlite3.Connection, now_ms: int, batches_max: int) -> list[Rewrite]:
    """The batches whose tombstones have been kept long enough, without them."""
    rewrites: list[Rewrite] = []
    for identity, _, horizon, _, batch in connection.execute(_RIPE, (now_ms, batches_max)).fetchall():
        try:
            records = list(walk(batch))
        except Opaque:
            # It cannot be read any more: it stays as it is, and is not looked at again.
            rewrites.append(Rewrite(identity, batch, None, 0))
            continue
        kept = [record for record in records if not record.tombstone or record.key is None]
        rewrite = _rewrite(identity, batch, (records, kept), (horizon, None))
        if rewrite is not None:
            rewrites.append(rewrite)
    return rewrites


def partition_of(rewrite: Rewrite) -> int:
    """The id of the partition that the batch belongs to."""
    return rewrite.row >> OFFSET_BITS


def apply(connection: sqlite3.Connection, rewrites: list[Rewrite]) -> int:
    """Write the changes of one slice. Returns the bytes that went."""
    for rewrite in rewrites:
        if rewrite.records is None:
            connection.execute("DELETE FROM batch WHERE id = ?", (rewrite.row,))
        elif rewrite.freed:
            header = read_header(rewrite.records)
            row = (rewrite.records, len(rewrite.records), header.max_timestamp, rewrite.horizon, rewrite.row)
            connection.execute(_UPDATE, row)
        else:
            connection.execute("UPDATE batch SET horizon = ? WHERE id = ?", (rewrite.horizon, rewrite.row))
    return sum(rewrite.freed for rewrite in rewrites)
