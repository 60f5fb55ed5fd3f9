"""The table of customers' keys, one per customer, and its short-lived back-ups.

Sealed values stay in the log for ever; deleting a key here is the only way to make them unreadable. So this table is
never copied together with other data, and erasing a customer also deletes the key from the back-ups.
"""

import hmac
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, create_engine, event, select
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from bopis.adapters.secrets.errors import KeyBackupInvalid, KeyTableUnavailable, MasterKeyDiffers, SealInvalid
from bopis.adapters.secrets.master import MasterKey, Purpose
from bopis.adapters.secrets.sealing import new_key, unwrap, wrap
from bopis.domain.values import DAY_MS, ID_LENGTH_MAX
from bopis.errors import BopisError

FILE_NAME = "keys.sqlite3"
BACKUP_NAME = "keys-{at_ms}.json"
LOOKUP_LENGTH = 64
# A deleted key must not stay readable in a file: SQLite overwrites freed pages, and no write-ahead log keeps them.
SQLITE_PRAGMAS = {"journal_mode": "TRUNCATE", "synchronous": "FULL", "secure_delete": "ON", "busy_timeout": 30_000}

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


class _Backup(msgspec.Struct):
    """Content of a back-up file: wrapped keys in base64 with their creation time, and look-ups."""

    keys: dict[str, tuple[str, int]]
    lookups: dict[str, str]


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
        with transaction(self._engine) as connection:
            metadata.create_all(connection)

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
        """Delete a customer's key and look-ups, here and in the back-ups. Returns whether there was a key."""
        with transaction(self._engine) as connection:
            found = connection.execute(keys.delete().where(keys.c.customer == customer)).rowcount > 0
            connection.execute(lookups.delete().where(lookups.c.customer == customer))
            if found:
                whose = self._mark(customer)
                connection.execute(erased.delete().where(erased.c.whose == whose))
                connection.execute(erased.insert().values(whose=whose, erased_ms=int(time.time() * 1000)))
        for path in _backups(backups):
            kept = _read(path)
            if kept.keys.pop(customer, None) is not None:
                kept.lookups = {lookup: whose for lookup, whose in kept.lookups.items() if whose != customer}
                _write(path, kept)
        return found

    def back_up(self, folder: Path, keep_days: int) -> Path:
        """Write all keys, wrapped as they are, to a new file in a folder, and delete files older than `keep_days`."""
        now_ms = int(time.time() * 1000)
        with transaction(self._engine) as connection:
            texts = {
                row.customer: (b64encode(row.wrapped).decode(), row.created_ms)
                for row in connection.execute(select(keys))
            }
            found = {row.lookup: row.customer for row in connection.execute(select(lookups))}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / BACKUP_NAME.format(at_ms=now_ms)
        _write(path, _Backup(texts, found))
        for old in _backups(folder):
            if int(old.stem.removeprefix("keys-")) < now_ms - keep_days * DAY_MS:
                old.unlink()
        return path

    def restore(self, path: Path) -> int:
        """Restore keys of a back-up that are missing here, except keys of customers who were erased after the key was
        created.

        Returns how many keys were restored. Raises `KeyBackupInvalid`.
        """
        kept = _read(path)
        restored = 0
        with transaction(self._engine) as connection:
            present = set(connection.scalars(select(keys.c.customer)))
            gone = {it.whose: it.erased_ms for it in connection.execute(select(erased))}
            barred = {it for it, (_, at_ms) in kept.keys.items() if at_ms <= gone.get(self._mark(it), -1)}
            for customer, (text, at_ms) in kept.keys.items():
                if customer not in present and customer not in barred:
                    row = {"customer": customer, "wrapped": b64decode(text), "created_ms": at_ms}
                    connection.execute(keys.insert().values(row))
                    restored += 1
            known = set(connection.scalars(select(lookups.c.lookup)))
            missing = {
                lookup: whose for lookup, whose in kept.lookups.items() if lookup not in known and whose not in barred
            }
            for lookup, whose in missing.items():
                connection.execute(lookups.insert().values(lookup=lookup, customer=whose))
        return restored

    def close(self) -> None:
        self._engine.dispose()

    def _mark(self, customer: str) -> str:
        """The keyed hash under which an erased customer is recorded."""
        return hmac.digest(self._master.derive(Purpose.LOOKUP), f"erased/{customer}".encode(), sha256).hex()

    def _unwrapped(self, customer: str, wrapped: bytes) -> bytes:
        try:
            return unwrap(self._wrapping_key, customer, wrapped)
        except SealInvalid:
            raise MasterKeyDiffers(table=self._engine.url.render_as_string(), place=self._master.place) from None


@contextmanager
def transaction(engine: Engine, unavailable: type[BopisError] = KeyTableUnavailable) -> Iterator[Connection]:
    """A transaction on a database of this room. Raises `IntegrityError` for a row that is there, else `unavailable`."""
    try:
        with engine.begin() as connection:
            yield connection
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        raise unavailable(cause=getattr(error, "orig", None) or error) from error


def has_keys(url: str) -> bool:
    """Whether a table of keys exists and has a key. Raises `KeyTableUnavailable`."""
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise KeyTableUnavailable(cause=error) from error
    if parsed.get_backend_name() == "sqlite" and not (parsed.database and Path(parsed.database).exists()):
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


def connect(url: str, pragmas: Mapping[str, Any] = SQLITE_PRAGMAS) -> Engine:
    """Connections to a database; `pragmas` are SQLite's. Raises `ArgumentError` for a text that is no URL."""
    parsed = make_url(url)
    # SQLAlchemy's default driver is psycopg2, which is not among the dependencies.
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", partial(_prepare_sqlite, pragmas))
    return engine


def _prepare_sqlite(pragmas: Mapping[str, Any], connection: Any, _record: Any) -> None:
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name}={value}")


def _backups(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("keys-*.json")) if folder is not None and folder.exists() else []


def _read(path: Path) -> _Backup:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Backup)
    except (OSError, msgspec.MsgspecError) as error:
        raise KeyBackupInvalid(path=path, cause=error) from error


def _write(path: Path, kept: _Backup | Mapping[str, Any]) -> None:
    # The mode is set before the content: at no moment can other users read keys.
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(msgspec.json.encode(kept))
    part.replace(path)
