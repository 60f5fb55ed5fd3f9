"""A copy of a log as it was at one instant, made while the log is served.

A reader of SQLite's write-ahead log sees the file as it was when its transaction began, whatever is appended meanwhile.
The copy is made inside one such transaction, so it is one cut through all partitions: everything that was acknowledged
before the copy began is in it. Meanwhile the write-ahead log is not shortened, so the disk needs room for what is
appended until the copy is complete.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bopis.broker.errors import LogFormatUnknown
from bopis.broker.storage.database import FORMAT, OFFSET_BITS, OFFSET_MAX, check_whole, connect, named_failure

PAGES_PER_STEP = 2_048
_CACHE_BYTES = 1024 * 1024
_ENDS = (
    f"SELECT t.name, p.number, max(p.end_floor, coalesce((SELECT b.last_offset + 1 FROM batch b WHERE b.id BETWEEN"
    f" p.id << {OFFSET_BITS} AND (p.id << {OFFSET_BITS}) | {OFFSET_MAX} ORDER BY b.id DESC LIMIT 1), 0))"
    " FROM partition p JOIN topic t ON t.id = p.topic_id ORDER BY t.name, p.number"
)


class PartitionEnd(NamedTuple):
    """The offset after the last record of a partition; `topic` is the whole name, with its prefix."""

    topic: str
    partition: int
    offset: int


def copy_log(source: Path, target: Path, copied: Callable[[int, int], None]) -> list[PartitionEnd]:
    """Copy the log file `source` to the new file `target`, and check every batch of the copy against its checksum.

    `copied` is called with the pages that are left and all pages. Returns where each partition of the copy ends. Raises
    the errors of the log: `LogFormatUnknown`, `LogDamaged`, `StorageFull`, `StorageFailed`.
    """
    try:
        _copy(source, target, copied)
    except sqlite3.Error as error:
        # A full disk is the target's; damage is the source's.
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise named_failure(target if is_full else source, error) from error
    return check_copy(target)


def _copy(source: Path, target: Path, copied: Callable[[int, int], None]) -> None:
    reading, writing = connect(source, _CACHE_BYTES), connect(target, _CACHE_BYTES)
    try:
        (found,) = reading.execute("PRAGMA user_version").fetchone()
        if found != FORMAT:
            raise LogFormatUnknown(source, found, FORMAT)
        reading.execute("BEGIN")
        # The transaction begins with its first read. Without it, every append would start the copy again.
        reading.execute("SELECT count(*) FROM topic").fetchone()
        reading.backup(writing, pages=PAGES_PER_STEP, progress=lambda _, left, total: copied(left, total), sleep=0)
        reading.execute("ROLLBACK")
    finally:
        writing.close()
        reading.close()
    # A copy is one file, which can be compared by its checksum; the server sets this mode again when it opens it.
    connection = connect(target, _CACHE_BYTES)
    try:
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    finally:
        connection.close()
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_copy(path: Path) -> list[PartitionEnd]:
    """Read a copy of a log whole, with the checksum of each batch. Returns where each partition ends.

    Raises `LogFormatUnknown`, `LogDamaged` or `StorageFailed`.
    """
    connection = connect(path, _CACHE_BYTES)
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found != FORMAT:
            raise LogFormatUnknown(path, found, FORMAT)
        check_whole(connection, path)
        return [PartitionEnd(*row) for row in connection.execute(_ENDS)]
    except sqlite3.Error as error:
        raise named_failure(path, error) from error
    finally:
        connection.close()
