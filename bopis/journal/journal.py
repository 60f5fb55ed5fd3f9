"""The journal: takes what sources hand over, numbers it, and keeps it until it is acknowledged."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bopis.broker.storage import disk_reserve
from bopis.domain.values import DAY_MS
from bopis.journal.database import JOURNAL_FILE, check_whole, named_failures, open_journal, transaction
from bopis.journal.entries import (
    Cursor,
    Entry,
    Found,
    Reject,
    Taken,
)
from bopis.journal.errors import JournalFull, NotKept
from bopis.journal.limits import MEBIBYTE, JournalLimits
from bopis.journal.taking import Owner, Taking, put_reject

SENT_AGAIN_THROUGH = "sent_again_through"
ENTRY_COLUMNS = "e.position, s.name, e.sequence, e.taken_ms, e.value FROM entry e JOIN source s ON s.id = e.source_id"


def system_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000


class Usage(Struct, frozen=True, kw_only=True):
    """How full a journal is, and what waits in it. Times are epoch milliseconds, 0 for none."""

    store: str
    identity: str
    bytes_used: int
    bytes_max: int
    disk_free_bytes: int
    depth: int
    oldest_ms: int
    last_position: int
    acknowledged: int
    rejects: int
    changed: int
    warnings: tuple[str, ...] = ()


class Journal:
    """One connection to the journal of a directory; several threads may share it, and several processes may each have
    their own.

    Raises `JournalError` when it cannot be opened; every method may raise it.
    """

    def __init__(
        self,
        directory: Path,
        store: str = "",
        limits: JournalLimits | None = None,
        *,
        create: bool = True,
        now_ms: Callable[[], int] = system_ms,
    ) -> None:
        self.limits = limits or JournalLimits()
        self.path = directory / JOURNAL_FILE
        self.now_ms = now_ms
        self._lock = threading.RLock()
        self._connection = open_journal(directory, store, self.limits, create=create)
        self.store = store or str(self.meta("store"))
        self.identity = str(self.meta("identity"))

    def check(self) -> None:
        """Read the file whole, as a program does that has just started. Raises `JournalDamaged`."""
        with self.reading() as reader:
            check_whole(reader, self.path)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, source: str, found: Iterable[Found], cursor: Cursor | None = None) -> list[Taken]:
        """Take records of a source, all in one transaction that is on the disk when this returns; the outcome of each
        is in the same order. With a cursor, the place that was read to is stored with them.

        Raises `JournalFull` and takes none of them when there is no space.
        """
        with self.writing() as writer:
            self.refuse_if_full()
            session = self.taking(writer, source)
            taken = [session.take(it) for it in found]
            session.end()
            if cursor is not None:
                row = (cursor.file, cursor.identity, cursor.offset)
                writer.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", row)
        return taken

    def taking(self, writer: sqlite3.Connection, source: str) -> Taking:
        """Take records of a source inside of a transaction that is open."""
        return Taking(writer, Owner(self.store, self.identity, self.now_ms()), source)

    def cursor(self, file: str) -> Cursor | None:
        """How far a growing file was read; None if it never was."""
        row = self.ask("SELECT identity, offset FROM cursor WHERE file = ?", file)
        return Cursor(file=file, identity=row[0][0], offset=row[0][1]) if row else None

    def waiting(self, entries_max: int, bytes_max: int) -> list[Entry]:
        """The oldest messages that are not acknowledged, in order: at least one if there is one."""
        with self.reading() as reader:
            rows = reader.execute(
                f"SELECT {ENTRY_COLUMNS} WHERE e.position > (SELECT value FROM meta WHERE name = 'acknowledged')"
                " ORDER BY e.position LIMIT ?",
                (entries_max,),
            )
            entries: list[Entry] = []
            size = 0
            for row in rows:
                size += len(row[4])
                if entries and size > bytes_max:
                    break
                entries.append(entry_of(row))
            return entries

    def between(self, after: int, last: int) -> list[Entry]:
        """The messages after a position up to another one, in order, as far as they are kept."""
        query = f"SELECT {ENTRY_COLUMNS} WHERE e.position > ? AND e.position <= ? ORDER BY e.position"
        return [entry_of(row) for row in self.ask(query, after, last)]

    def last_position(self) -> int:
        """The position of the newest message; 0 if there never was one."""
        row = self.ask("SELECT seq FROM sqlite_sequence WHERE name = 'entry'")
        return int(row[0][0]) if row else 0

    def acknowledged(self) -> int:
        """The position up to which every message was acknowledged."""
        return int(self.meta("acknowledged"))

    def acknowledge(self, position: int, refused: Iterable[Reject] = ()) -> None:
        """Note that every message up to a position is in the log, or was refused by the other side: those go to the
        rejects. On a full disk the reserve is used: freeing space begins here."""
        refused = list(refused)
        try:
            self._acknowledge(position, refused)
        except JournalFull:
            if not disk_reserve.release(self.path.parent):
                raise
            self._acknowledge(position, refused)

    def send_again(self, position: int) -> int:
        """Send every message from a position on once more; repeats count once. Returns how many.

        Raises `NotKept` when the message at the position was removed.
        """
        with self.writing() as writer:
            (first,) = writer.execute("SELECT min(position) FROM entry").fetchone()
            if first is None or position < first:
                raise NotKept(first=first or self.last_position() + 1, wanted=position)
            writer.execute("UPDATE meta SET value = min(value, ?) WHERE name = 'acknowledged'", (max(0, position - 1),))
            (count,) = writer.execute("SELECT count(*) FROM entry WHERE position >= ?", (position,)).fetchone()
            row = (SENT_AGAIN_THROUGH, self.last_position())
            writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row)
        return int(count)

    def compact(self) -> int:
        """Remove messages that were acknowledged long ago, and baskets and rejects beyond their limits. Returns how
        many rows went; call it again while it is not 0."""
        now, limits = self.now_ms(), self.limits
        is_short = self._is_short_of_space()
        # On a full disk there is no more space for the write-ahead log than the reserve.
        most = limits.deleted_when_short_max if is_short else limits.deleted_per_turn_max
        if is_short:
            disk_reserve.release(self.path.parent)
        with self.writing() as writer:
            removed = writer.execute(
                "DELETE FROM entry WHERE position IN (SELECT position FROM entry WHERE position <="
                " (SELECT value FROM meta WHERE name = 'acknowledged') AND (taken_ms < ? OR ?) ORDER BY position"
                " LIMIT ?)",
                (now - limits.kept_days * DAY_MS, is_short, most),
            ).rowcount
            removed += writer.execute(
                "DELETE FROM basket WHERE (source_id, key) IN (SELECT source_id, key FROM basket WHERE taken_ms < ?"
                " LIMIT ?)",
                (now - limits.remembered_days * DAY_MS, most),
            ).rowcount
            removed += writer.execute(
                "DELETE FROM reject WHERE id <= (SELECT max(id) FROM reject) - ?", (limits.rejects_max,)
            ).rowcount
        try:
            with self.reading() as writer:
                writer.execute("PRAGMA incremental_vacuum(1000)").fetchall()
                if removed:
                    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except JournalFull:
            return 0  # what was removed is used again; the file becomes smaller once there is space to write it
        disk_reserve.keep(self.path.parent)
        return removed

    def usage(self) -> Usage:
        """How full the journal is, and what waits in it, with warnings in words."""
        with self.reading() as reader:
            acknowledged = int(self.meta("acknowledged"))
            depth, oldest = reader.execute(
                "SELECT count(*), coalesce(min(taken_ms), 0) FROM entry WHERE position > ?", (acknowledged,)
            ).fetchone()
            [(rejects,)] = reader.execute("SELECT count(*) FROM reject")
            [(changed,)] = reader.execute("SELECT count(*) FROM changed")
        usage = Usage(
            store=self.store,
            identity=self.identity,
            bytes_used=self._bytes_used(),
            bytes_max=self.limits.bytes_max,
            disk_free_bytes=shutil.disk_usage(self.path.parent).free,
            depth=depth,
            oldest_ms=oldest,
            last_position=self.last_position(),
            acknowledged=acknowledged,
            rejects=rejects,
            changed=changed,
        )
        return msgspec.structs.replace(usage, warnings=tuple(_warnings(usage, self.limits)))

    def meta(self, name: str) -> Any:
        """A value that is kept beside the messages; None if it was never set."""
        row = self.ask("SELECT value FROM meta WHERE name = ?", name)
        return row[0][0] if row else None

    def set_meta(self, name: str, value: object) -> None:
        """Keep a value beside the messages."""
        with self.writing() as writer:
            writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def ask(self, query: str, *values: object) -> list[Any]:
        """Rows of a query."""
        with self.reading() as reader:
            return reader.execute(query, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for queries, with failures under their names."""
        with self._lock, named_failures(self.path, self.limits):
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection inside of a transaction: all or nothing, on the disk when it ends."""
        with self._lock, named_failures(self.path, self.limits), transaction(self._connection):
            yield self._connection

    def _acknowledge(self, position: int, refused: list[Reject]) -> None:
        with self.writing() as writer:
            writer.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'acknowledged'", (position,))
            for it in refused:
                put_reject(writer, 0, it, self.now_ms())

    def _bytes_used(self) -> int:
        pages, free, size = (self.ask(f"PRAGMA {it}")[0][0] for it in ("page_count", "freelist_count", "page_size"))
        return int((pages - free) * size)

    def _is_short_of_space(self) -> bool:
        limits = self.limits
        free = shutil.disk_usage(self.path.parent).free
        return self._bytes_used() > limits.bytes_max * limits.warn_share or free < limits.disk_free_bytes_min

    def refuse_if_full(self) -> None:
        """Raise `JournalFull` when the journal has its limit."""
        if self._bytes_used() >= self.limits.bytes_max:
            cause = f"it has its limit of {self.limits.bytes_max // MEBIBYTE} MiB"
            raise JournalFull(path=self.path, cause=cause)


def entry_of(row: Any) -> Entry:
    return Entry(position=row[0], source=row[1], sequence=row[2], taken_ms=row[3], value=row[4])


def _warnings(usage: Usage, limits: JournalLimits) -> Iterator[str]:
    if usage.bytes_used >= usage.bytes_max:
        yield f"the journal has its limit of {usage.bytes_max // MEBIBYTE} MiB and takes no more messages"
    elif usage.bytes_used >= usage.bytes_max * limits.warn_share:
        yield f"the journal uses {usage.bytes_used // MEBIBYTE} of {usage.bytes_max // MEBIBYTE} MiB"
    if usage.disk_free_bytes < limits.disk_free_bytes_min:
        free, least = usage.disk_free_bytes // MEBIBYTE, limits.disk_free_bytes_min // MEBIBYTE
        yield f"the disk has {free} MiB left; keep at least {least} MiB free"
