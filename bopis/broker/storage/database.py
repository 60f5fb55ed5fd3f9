"""The SQLite file of the log: created or opened, and checked before anything is served from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bopis.broker.errors import BrokerError, LogDamaged, LogFormatUnknown, StorageBusy, StorageFailed, StorageFull
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage import disk_reserve
from bopis.broker.storage.batch import is_intact

FORMAT = 1
PAGE_BYTES = 8_192
# No other program should write into the file; if one does, the server must not wait long for it.
BUSY_SECONDS = 0.5
OFFSET_BITS = 42
OFFSET_MAX = (1 << OFFSET_BITS) - 1

# A batch's row id is its partition id and its base offset in one number: the table is then ordered by partition and
# offset without an index, and an append touches one leaf page.
SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE topic (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL, created_ms INTEGER NOT NULL
);
CREATE TABLE partition (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic_id INTEGER, number INTEGER NOT NULL,
    log_start INTEGER NOT NULL DEFAULT 0, end_floor INTEGER NOT NULL DEFAULT 0, cleaned_to INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic_id, number)
);
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, last_offset INTEGER NOT NULL, max_timestamp INTEGER NOT NULL,
    top_timestamp INTEGER NOT NULL, horizon INTEGER, size INTEGER NOT NULL, records BLOB NOT NULL
);
CREATE INDEX batch_horizon ON batch (horizon) WHERE horizon IS NOT NULL;
CREATE TABLE producer (
    partition_id INTEGER NOT NULL, producer_id INTEGER NOT NULL, epoch INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL, batches BLOB NOT NULL, PRIMARY KEY (partition_id, producer_id)
) WITHOUT ROWID;
CREATE TABLE transactional (name TEXT PRIMARY KEY, producer_id INTEGER NOT NULL, epoch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE group_offset (
    group_id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, committed INTEGER NOT NULL,
    leader_epoch INTEGER NOT NULL, metadata TEXT NOT NULL, committed_ms INTEGER NOT NULL,
    PRIMARY KEY (group_id, topic, partition)
) WITHOUT ROWID;
"""
SMALL_TABLES = ("meta", "topic", "partition", "producer", "transactional", "group_offset")

# SQLite's codes for a full disk; the shared-memory index of the write-ahead log needs space, too.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def row_id(partition_id: int, offset: int) -> int:
    """The row id of the batch with this base offset."""
    return partition_id << OFFSET_BITS | offset


def offset_of(identity: int) -> int:
    """The base offset of the batch with this row id."""
    return identity & OFFSET_MAX


def connect(path: Path, cache_bytes: int) -> sqlite3.Connection:
    """A connection with the settings that readers and the writer share."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
    connection.execute(f"PRAGMA cache_size = -{cache_bytes // 1024}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def open_writer(path: Path, limits: BrokerLimits) -> sqlite3.Connection:
    """The connection that writes; creates the file, or checks an existing one.

    On a full disk the reserve is released first. Raises `LogDamaged`, `LogFormatUnknown`, `StorageFull`, `StorageBusy`
    or `StorageFailed`.
    """
    try:
        return _open_writer(path, limits)
    except StorageFull:
        if not disk_reserve.release(path.parent):
            raise
        connection = _open_writer(path, limits)
        # Before anything is written: the rest of the space has to serve the next start, too.
        disk_reserve.keep(path.parent)
        return connection


def _open_writer(path: Path, limits: BrokerLimits) -> sqlite3.Connection:
    fresh = not path.exists() or path.stat().st_size == 0
    with _named_failures(path):
        connection = connect(path, limits.writer_cache_bytes)
        try:
            _configure(connection, limits, fresh)
            if fresh:
                connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
            else:
                check(connection, path, limits.start_check_bytes_max)
        except BaseException:
            connection.close()
            raise
    return connection


def _configure(connection: sqlite3.Connection, limits: BrokerLimits, fresh: bool) -> None:
    # First: a checkpoint by SQLite itself would use up the last space of a full disk.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    if fresh:
        # Stored in the file. Setting them again would be a write, for which a full disk has no space.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the write-ahead log at each commit: an acknowledged record survives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute(f"PRAGMA journal_size_limit = {limits.wal_bytes_max}")


def open_reader(path: Path, limits: BrokerLimits) -> sqlite3.Connection:
    """A connection that only reads, beside the one that writes."""
    connection = connect(path, limits.reader_cache_bytes)
    connection.execute("PRAGMA query_only = ON")
    return connection


def check(connection: sqlite3.Connection, path: Path, whole_bytes_max: int) -> None:
    """Raise `LogDamaged` or `LogFormatUnknown` for a file that cannot be served.

    A file of up to `whole_bytes_max` is read whole, with the checksum of each batch. Of a larger one only the small
    tables and the newest batch of each partition are read, so that a start stays fast; `python -m bopis.broker DIR
    --verify` reads everything.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != FORMAT:
        raise LogFormatUnknown(path, found, FORMAT)
    if path.stat().st_size <= whole_bytes_max:
        check_whole(connection, path)
        return
    for table in SMALL_TABLES:
        _expect_ok(connection, path, f"PRAGMA quick_check('{table}')")
    newest = (
        "SELECT b.id, b.records FROM partition p JOIN batch b ON b.id ="
        f" (SELECT max(id) FROM batch WHERE id BETWEEN p.id << {OFFSET_BITS} AND (p.id + 1 << {OFFSET_BITS}) - 1)"
    )
    _expect_intact(path, connection.execute(newest))


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file: its structure, then each batch with its checksum. Raises `LogDamaged`."""
    _expect_ok(connection, path, "PRAGMA quick_check")
    _expect_intact(path, connection.execute("SELECT id, records FROM batch"))


def _expect_ok(connection: sqlite3.Connection, path: Path, pragma: str) -> None:
    (answer,) = connection.execute(pragma).fetchone()
    if answer != "ok":
        raise LogDamaged(path, str(answer).splitlines()[-1])


def _expect_intact(path: Path, rows: Iterator[tuple[int, bytes]]) -> None:
    for identity, records in rows:
        if not is_intact(records):
            place = f"offset {offset_of(identity)} of partition id {identity >> OFFSET_BITS}"
            raise LogDamaged(path, f"the batch at {place} does not match its checksum")


@contextmanager
def _named_failures(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise named_failure(path, error) from error


def named_failure(path: Path, error: sqlite3.Error) -> BrokerError:
    """The error of the log for an error of SQLite."""
    status = getattr(error, "sqlite_errorcode", None)
    if status in _FULL:
        return StorageFull(f"No space is left for {path}. Free some: writing resumes by itself.")
    if status is not None and status & 0xFF == sqlite3.SQLITE_BUSY:
        return StorageBusy(f"Another program writes into {path}. Let it finish, or stop it.")
    if status is not None and status & 0xFF in _DAMAGED:
        return LogDamaged(path, str(error))
    return StorageFailed(path, error)
