"""The table of customers' keys, one per customer, and its short-lived back-ups.

Sealed values stay in the log for ever; deleting a key here is the only way to make them unreadable. So erasing a
customer also deletes the key from the back-ups: those in the data directory, and those in every other folder that a
back-up was written to (`folders`), as far as it can be reached.
"""

import hmac
import os
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, String, Table, select
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from bopis.adapters.secrets.database import connect, create_tables, is_missing_file, transaction
from bopis.adapters.secrets.errors import KeyBackupInvalid, KeyTableUnavailable, MasterKeyDiffers, SealInvalid
from bopis.adapters.secrets.master import MasterKey, Purpose
from bopis.adapters.secrets.sealing import new_key, unwrap, wrap
from bopis.domain.values import DAY_MS, ID_LENGTH_MAX

FILE_NAME = "keys.sqlite3"
BACKUP_NAME = "keys-{at_ms}.json"
LOOKUP_LENGTH = 64
# The checksum of a back-up that was damaged before an erasure changed it: it matches nothing.
DAMAGED = "damaged"
FOLDER_LENGTH_MAX = 1_024

metadata = MetaData()
keys = Table(
    "customer_key",
    metadata,
    Column("customer", String(ID_LENGTH_MAX), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)
lookups = Table(
    "customer_lookup",
    metadata,
    Column("lookup", String(LOOKUP_LENGTH), primary_key=True),
    Column("customer", String(ID_LENGTH_MAX), nullable=False, index=True),
)
# Erased customers, as keyed hashes of their ids, so that restoring a back-up does not bring their keys back.
erased = Table(
    "customer_erased",
    metadata,
    Column("whose", String(LOOKUP_LENGTH), primary_key=True),
    Column("erased_ms", BigInteger, nullable=False),
)


# Folders with back-ups of this table, so that an erasure finds them, and when the newest one was made.
folders = Table(
    "key_backup",
    metadata,
    Column("folder", String(FOLDER_LENGTH_MAX), primary_key=True),
    Column("made_ms", BigInteger, nullable=False),
    # Whether the folder has a complete back-up of the installation, and not the keys alone.
    Column("is_whole", Boolean, nullable=False),
)


class _Backup(msgspec.Struct):
    """Content of a back-up file: wrapped keys in base64 with their creation time, look-ups, and the keyed hashes of
    customers who were erased, with the time. `checksum`: SHA-256 of the rest; empty in files of earlier versions."""

    keys: dict[str, tuple[str, int]]
    lookups: dict[str, str]
    erased: dict[str, int] = {}
    checksum: str = ""


class _NewKey:
    """A row that waits to be stored."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.is_stored = False


class KeyTable:
    """Keys by customer, and customers by the keyed hash of an address or phone number."""

    def __init__(self, url: str, master: MasterKey) -> None:
        self._engine = connect(url)
        self._master = master
        self._wrapping_key = master.derive(Purpose.WRAP)
        # New keys of threads that wait for their turn are committed together: each commit is synced to the disk.
        self._turn, self._queueing = threading.Lock(), threading.Lock()
        self._new: list[_NewKey] = []
        create_tables(self._engine, metadata)

    def check(self) -> None:
        """Raise `MasterKeyDiffers` when the keys were wrapped with another master key."""
        with transaction(self._engine) as connection:
            row = connection.execute(select(keys.c.customer, keys.c.wrapped).limit(1)).first()
        if row is not None:
            self._unwrapped(row.customer, row.wrapped)

    def key_of(self, customer: str) -> bytes | None:
        """The key of a customer; None if there is none or it was erased. Raises `MasterKeyDiffers`."""
        with transaction(self._engine) as connection:
            wrapped = connection.scalar(select(keys.c.wrapped).where(keys.c.customer == customer))
        return None if wrapped is None else self._unwrapped(customer, wrapped)

    def key_for(self, customer: str) -> bytes:
        """The key of a customer, created at the first call."""
        if (known := self.key_of(customer)) is not None:
            return known
        wrapped = wrap(self._wrapping_key, customer, new_key())
        self._store(_NewKey({"customer": customer, "wrapped": wrapped, "created_ms": int(time.time() * 1000)}))
        created = self.key_of(customer)
        assert created is not None
        return created

    def _store(self, new: "_NewKey") -> None:
        """Store a key, together with those of other threads. One that another process stored meanwhile stays."""
        with self._queueing:
            self._new.append(new)
        with self._turn:
            if not new.is_stored:
                with self._queueing:
                    batch, self._new = self._new, []
                try:
                    self._insert([it.row for it in batch])
                except IntegrityError:
                    for it in batch:
                        self._insert_unless_there(it.row)
                for it in batch:
                    it.is_stored = True

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        with transaction(self._engine) as connection:
            connection.execute(keys.insert(), rows)

    def _insert_unless_there(self, row: dict[str, Any]) -> None:
        with suppress(IntegrityError):
            self._insert([row])

    def remember(self, customer: str, hashes: list[str]) -> None:
        """Store the keyed hashes by which `find` returns a customer. A hash returns the customer stored last."""
        if not hashes:
            return
        with self._turn, transaction(self._engine) as connection:
            for lookup in hashes:
                connection.execute(lookups.delete().where(lookups.c.lookup == lookup))
                connection.execute(lookups.insert().values(lookup=lookup, customer=customer))

    def find(self, lookup: str) -> str | None:
        """The id of the customer stored under a keyed hash."""
        with transaction(self._engine) as connection:
            return connection.scalar(select(lookups.c.customer).where(lookups.c.lookup == lookup))

    def erase(self, customer: str, backups: Path | None = None) -> bool:
        """Delete a customer's key and look-ups, here and in the back-ups. Returns whether there was a key.

        Raises `KeyBackupInvalid`, when everything else is done, for a back-up that cannot be read.
        """
        with transaction(self._engine) as connection:
            found = connection.execute(keys.delete().where(keys.c.customer == customer)).rowcount > 0
            connection.execute(lookups.delete().where(lookups.c.customer == customer))
            if found:
                _mark_erased(connection, {self._mark(customer): int(time.time() * 1000)})
            written = [Path(it) for it in connection.scalars(select(folders.c.folder))]
        unread: list[KeyBackupInvalid] = []
        for folder in dict.fromkeys([*([backups] if backups is not None else []), *written]):
            for path in _backups(folder):
                try:
                    _erase_from(path, customer)
                except KeyBackupInvalid as error:
                    unread.append(error)
        if unread:
            raise unread[0]  # after all others were erased
        return found

    def unreached_backups(self) -> list[Path]:
        """Folders with back-ups that an erasure cannot reach from here: a medium that is not mounted, another machine,
        or a folder that was deleted or moved."""
        with transaction(self._engine) as connection:
            written = [Path(it) for it in connection.scalars(select(folders.c.folder).order_by(folders.c.folder))]
        return [it for it in written if not _backups(it)]

    def last_backup_ms(self) -> int | None:
        """When the newest complete back-up of the installation was made, in epoch milliseconds; None without any."""
        newest = select(folders.c.made_ms).where(folders.c.is_whole).order_by(folders.c.made_ms.desc()).limit(1)
        with transaction(self._engine) as connection:
            found = connection.scalar(newest)
        return None if found is None else int(found)

    def note_whole(self, folder: Path) -> None:
        """Note that the back-up of the installation in a folder is complete."""
        with transaction(self._engine) as connection:
            is_this = folders.c.folder == str(folder.absolute())
            connection.execute(folders.update().where(is_this).values(is_whole=True))

    def back_up(self, folder: Path, keep_days: int) -> Path:
        """Write all keys, wrapped as they are, to a new file in a folder, and delete files older than `keep_days`."""
        now_ms = int(time.time() * 1000)
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with transaction(self._engine) as connection:
            # Noted first: an erasure that comes while the file is written looks for it there.
            connection.execute(folders.delete().where(folders.c.folder == str(folder)))
            connection.execute(folders.insert().values(folder=str(folder), made_ms=now_ms, is_whole=False))
        with transaction(self._engine) as connection:
            texts = {
                row.customer: (b64encode(row.wrapped).decode(), row.created_ms)
                for row in connection.execute(select(keys))
            }
            found = {row.lookup: row.customer for row in connection.execute(select(lookups))}
            gone = {row.whose: row.erased_ms for row in connection.execute(select(erased))}
        path = folder / BACKUP_NAME.format(at_ms=now_ms)
        kept = _Backup(texts, found, gone)
        _write(path, kept, _checksum(kept))
        self._forget_old(folder, now_ms - keep_days * DAY_MS)
        # A customer who was erased meanwhile: the erasure may have looked before the file was there.
        for customer in texts.keys() - self._present():
            self.erase(customer, folder)
        return path

    def restore(self, path: Path) -> int:
        """Restore keys of a back-up that are missing here, except keys of customers who were erased after the key was
        created. Customers whom the back-up knows as erased are erased here, too.

        Returns how many keys were restored. Raises `KeyBackupInvalid`, or `MasterKeyDiffers` for keys that the master
        key does not open; then nothing is changed.
        """
        kept = _read(path)
        for customer, (text, _) in kept.keys.items():
            self._unwrapped(customer, b64decode(text), str(path))
        restored = 0
        with transaction(self._engine) as connection:
            _mark_erased(connection, kept.erased)
            gone = {it.whose: it.erased_ms for it in connection.execute(select(erased))}
            for row in connection.execute(select(keys.c.customer, keys.c.created_ms)).all():
                if row.created_ms <= kept.erased.get(self._mark(row.customer), -1):
                    connection.execute(keys.delete().where(keys.c.customer == row.customer))
                    connection.execute(lookups.delete().where(lookups.c.customer == row.customer))
            present = set(connection.scalars(select(keys.c.customer)))
            barred = {it for it, (_, at_ms) in kept.keys.items() if at_ms <= gone.get(self._mark(it), -1)}
            for customer, (text, at_ms) in kept.keys.items():
                if customer not in present and customer not in barred:
                    kept_key = {"customer": customer, "wrapped": b64decode(text), "created_ms": at_ms}
                    connection.execute(keys.insert().values(kept_key))
                    restored += 1
            known = set(connection.scalars(select(lookups.c.lookup)))
            missing = {
                lookup: whose for lookup, whose in kept.lookups.items() if lookup not in known and whose not in barred
            }
            for lookup, whose in missing.items():
                connection.execute(lookups.insert().values(lookup=lookup, customer=whose))
        return restored

    def _present(self) -> set[str]:
        """The customers who have a key."""
        with transaction(self._engine) as connection:
            return set(connection.scalars(select(keys.c.customer)))

    def _forget_old(self, folder: Path, before_ms: int) -> None:
        """Delete older files of a folder, and forget older folders without any."""
        for old in _backups(folder):
            if int(old.stem.removeprefix("keys-")) < before_ms:
                old.unlink()
        with transaction(self._engine) as connection:
            for row in connection.execute(select(folders).where(folders.c.made_ms < before_ms)).all():
                if not _backups(Path(row.folder)):
                    connection.execute(folders.delete().where(folders.c.folder == row.folder))

    def close(self) -> None:
        self._engine.dispose()

    def _mark(self, customer: str) -> str:
        """The keyed hash under which an erased customer is recorded."""
        return hmac.digest(self._master.derive(Purpose.LOOKUP), f"erased/{customer}".encode(), sha256).hex()

    def _unwrapped(self, customer: str, wrapped: bytes, place: str = "") -> bytes:
        try:
            return unwrap(self._wrapping_key, customer, wrapped)
        except SealInvalid:
            table = place or self._engine.url.render_as_string()
            raise MasterKeyDiffers(table=table, place=self._master.place) from None


def has_keys(url: str) -> bool:
    """Whether a table of keys exists and has a key. Raises `KeyTableUnavailable`."""
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise KeyTableUnavailable(cause=error) from error
    if is_missing_file(parsed):
        return False
    engine = connect(url)
    try:
        with engine.connect() as connection:
            if not engine.dialect.has_table(connection, keys.name):
                return False
            return connection.execute(select(keys.c.customer).limit(1)).first() is not None
    except SQLAlchemyError as error:
        raise KeyTableUnavailable(cause=getattr(error, "orig", None) or error) from error
    finally:
        engine.dispose()


def _mark_erased(connection: Connection, marks: Mapping[str, int]) -> None:
    """Record erasures; of two of one customer the later one counts."""
    known = {row.whose: row.erased_ms for row in connection.execute(select(erased))} if marks else {}
    for whose, at_ms in marks.items():
        if at_ms > known.get(whose, -1):
            connection.execute(erased.delete().where(erased.c.whose == whose))
            connection.execute(erased.insert().values(whose=whose, erased_ms=at_ms))


def _backups(folder: Path) -> list[Path]:
    return sorted(folder.glob("keys-*.json")) if folder.exists() else []


def _erase_from(path: Path, customer: str) -> None:
    """Delete a customer from a back-up, also from a damaged one, which stays recognisable as damaged."""
    kept = _decoded(path)
    if kept.keys.pop(customer, None) is None:
        return
    is_damaged = bool(kept.checksum) and kept.checksum != _checksum(_decoded(path))
    kept.lookups = {lookup: whose for lookup, whose in kept.lookups.items() if whose != customer}
    _write(path, kept, DAMAGED if is_damaged else _checksum(kept))


def _read(path: Path) -> _Backup:
    """A back-up whose checksum is right. Raises `KeyBackupInvalid`."""
    kept = _decoded(path)
    if kept.checksum and kept.checksum != _checksum(kept):
        raise KeyBackupInvalid(path=path, cause="its content does not match its checksum")
    return kept


def _decoded(path: Path) -> _Backup:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Backup)
    except (OSError, msgspec.MsgspecError) as error:
        raise KeyBackupInvalid(path=path, cause=error) from error


def _checksum(kept: _Backup) -> str:
    return sha256(msgspec.json.encode(msgspec.structs.replace(kept, checksum=""))).hexdigest()


def _write(path: Path, kept: _Backup, checksum: str) -> None:
    # The mode is set before the content: at no moment can other users read keys.
    part = path.with_suffix(".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as sink:
        sink.write(msgspec.json.encode(msgspec.structs.replace(kept, checksum=checksum)))
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(path)
