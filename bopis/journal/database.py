"""The SQLite file of a journal: created or opened, checked, and written in transactions that are on the disk when they
return."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bopis.broker.storage import disk_reserve
from bopis.journal.errors import (
    JournalBusy,
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalFormatUnknown,
    JournalFull,
    JournalMissing,
    JournalOfAnotherStore,
)
from bopis.journal.limits import JournalLimits

JOURNAL_FILE = "journal.sqlite3"
FORMAT = 1
PAGE_BYTES = 4_096
CACHE_KIBIBYTES = 2_048
WAL_BYTES_MAX = 4 << 20
WAL_PAGES_MAX = 64
# A file of up to this size is checked whole when an agent starts; a check takes about a second per 500 MiB.
CHECKED_BYTES_MAX = 256 << 20
IDENTITY_BYTES = 4

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sequence INTEGER NOT NULL DEFAULT 0);
CREATE TABLE entry (
    position INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, sequence INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL, value BLOB NOT NULL, UNIQUE (source_id, sequence)
);
CREATE TABLE basket (
    source_id INTEGER NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, kind TEXT NOT NULL, units BLOB,
    taken_ms INTEGER NOT NULL, PRIMARY KEY (source_id, key)
) WITHOUT ROWID;
CREATE INDEX basket_taken ON basket (taken_ms);
CREATE TABLE reject (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, place TEXT NOT NULL, key TEXT NOT NULL,
    cause TEXT NOT NULL, content BLOB NOT NULL, digest BLOB NOT NULL UNIQUE, found_ms INTEGER NOT NULL
);
CREATE TABLE changed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL,
    value BLOB NOT NULL, place TEXT NOT NULL, found_ms INTEGER NOT NULL, UNIQUE (source_id, key, fingerprint)
);
CREATE TABLE cursor (file TEXT PRIMARY KEY, identity TEXT NOT NULL, offset INTEGER NOT NULL) WITHOUT ROWID;
"""

# Tables that a version before did not have. It reads a file with them, so the format is the same.
ADDITIONS = """
CREATE TABLE IF NOT EXISTS action (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, order_number TEXT NOT NULL,
    expected TEXT NOT NULL, content BLOB NOT NULL, value BLOB NOT NULL, taken_ms INTEGER NOT NULL,
    answered_ms INTEGER NOT NULL DEFAULT 0, answer BLOB
);
CREATE INDEX IF NOT EXISTS action_order ON action (order_number);
CREATE INDEX IF NOT EXISTS action_answered ON action (answered_ms);
CREATE TABLE IF NOT EXISTS code_try (
    order_number TEXT NOT NULL, version INTEGER NOT NULL, tries INTEGER NOT NULL, tried_ms INTEGER NOT NULL,
    PRIMARY KEY (order_number, version)
) WITHOUT ROWID;
"""

_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_journal(directory: Path, store: str, limits: JournalLimits, *, create: bool = True) -> sqlite3.Connection:
    """The connection to a directory's journal, which is created if `create` is set.

    On a full disk the reserve is released first. An empty `store` takes the one of the journal. Raises `JournalError`.
    """
    path = directory / JOURNAL_FILE
    if not create and not path.exists():
        raise JournalMissing(directory=directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalFailed(path=path, cause=error.strerror or error) from error
    try:
        connection = _open(path, store, limits)
    except JournalFull:
        if not disk_reserve.release(directory):
            raise
        connection = _open(path, store, limits)
    disk_reserve.keep(directory)
    return connection


def _open(path: Path, store: str, limits: JournalLimits) -> sqlite3.Connection:
    with named_failures(path, limits):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=limits.busy_seconds, cached_statements=64
        )
        try:
            _configure(connection)
            with transaction(connection):
                _create(connection, path, store)
                _run(connection, ADDITIONS)
        except BaseException:
            connection.close()
            raise
    return connection


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Read the file whole, unless it is very large. Raises `JournalDamaged`."""
    if path.stat().st_size <= CHECKED_BYTES_MAX:
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise JournalDamaged(path=path, cause=answer)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the write-ahead log at each commit: what was acknowledged survives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    # On a full disk everything in the write-ahead log waits for space in the file: keep it short.
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")


def _create(connection: sqlite3.Connection, path: Path, store: str) -> None:
    """Create the tables of a new file, or check whose an existing one is."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == 0:
        _run(connection, SCHEMA)
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        # Sources of a journal that was lost and begun again would count from 1 under names that were counted before.
        identity = os.urandom(IDENTITY_BYTES).hex()
        meta = {"store": store, "identity": identity, "acknowledged": 0}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        return
    if found != FORMAT:
        raise JournalFormatUnknown(path=path, found=found, known=FORMAT)
    (owner,) = connection.execute("SELECT value FROM meta WHERE name = 'store'").fetchone()
    if store and owner != store:
        raise JournalOfAnotherStore(path=path, found=f"store {owner}", wanted=f"store {store}")


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing; it is on the disk when this returns."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk makes SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def named_failures(path: Path, limits: JournalLimits) -> Iterator[None]:
    """Raise errors of SQLite as those of the journal."""
    try:
        yield
    except sqlite3.Error as error:
        raise _named(path, limits, error) from error
    except OSError as error:
        raise JournalFailed(path=path, cause=error.strerror or error) from error


def _named(path: Path, limits: JournalLimits, error: sqlite3.Error) -> JournalError:
    status = getattr(error, "sqlite_errorcode", None)
    if status in _FULL:
        return JournalFull(path=path, cause="the disk is full")
    if status is not None and status & 0xFF == sqlite3.SQLITE_BUSY:
        return JournalBusy(path=path, seconds=limits.busy_seconds)
    if status is not None and status & 0xFF in _DAMAGED:
        return JournalDamaged(path=path, cause=error)
    return JournalFailed(path=path, cause=error)
