"""One key per customer in a small table of its own, with short-lived back-ups of its own.

What is sealed stands in a log that is kept for ever; only here can it be undone. So this table is never copied
with anything else, and erasing a customer also takes the key out of the back-ups.
"""

import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, create_engine, event, select
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from bopis.adapters.secrets.errors import KeyBackupBroken, KeysAway, MasterKeyDiffers, SealBroken
from bopis.adapters.secrets.master import MasterKey, Purpose
from bopis.adapters.secrets.sealing import new_key, unwrap, wrap
from bopis.domain.values import DAY_MS, ID_LENGTH_MAX

FILE_NAME = "keys.sqlite3"
BACKUP_NAME = "keys-{at_ms}.json"
LOOKUP_LENGTH = 64
# Nothing deleted may stay readable in the file: freed pages are overwritten, and no second file keeps them.
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
# Who was erased, as keyed hashes of their ids, so that a back-up from elsewhere does not bring them back.
erased = Table(
    "customer_erased",
    metadata,
    Column("whose", String(LOOKUP_LENGTH), primary_key=True),
    Column("erased_ms", BigInteger, nullable=False),
)


class _Backup(msgspec.Struct):
    """A back-up as it stands in a file: wrapped keys in base64, and the keyed hashes that find a customer."""

    keys: dict[str, tuple[str, int]]
    lookups: dict[str, str]


class KeyTable:
    """Keys of customers by their id, and customers by the keyed hash of how they are reached."""

    def __init__(self, url: str, master: MasterKey) -> None:
        self._engine = _connect(url)
        self._master = master
        self._wrapping_key = master.derive(Purpose.WRAP)
        with self._using() as connection:
            metadata.create_all(connection)

    def key_of(self, customer: str) -> bytes | None:
        """The key of a customer; None when there is none, or no longer."""
        with self._using() as connection:
            wrapped = connection.scalar(select(keys.c.wrapped).where(keys.c.customer == customer))
        return None if wrapped is None else self._unwrapped(customer, wrapped)

    def key_for(self, customer: str) -> bytes:
        """The key of a customer, made if it is not there yet."""
        if (known := self.key_of(customer)) is not None:
            return known
        wrapped = wrap(self._wrapping_key, customer, new_key())
        try:
            with self._using() as connection:
                row = {"customer": customer, "wrapped": wrapped, "created_ms": int(time.time() * 1000)}
                connection.execute(keys.insert().values(row))
        except IntegrityError:
            pass  # Somebody else made it a moment ago; theirs is the key.
        made = self.key_of(customer)
        assert made is not None
        return made

    def remember(self, customer: str, found_by: list[str]) -> None:
        """Make a customer findable by keyed hashes; a hash leads to whoever used it last."""
        with self._using() as connection:
            for lookup in found_by:
                connection.execute(lookups.delete().where(lookups.c.lookup == lookup))
                connection.execute(lookups.insert().values(lookup=lookup, customer=customer))

    def find(self, lookup: str) -> str | None:
        """The customer that a keyed hash leads to."""
        with self._using() as connection:
            return connection.scalar(select(lookups.c.customer).where(lookups.c.lookup == lookup))

    def erase(self, customer: str, backups: Path | None = None) -> bool:
        """Delete a customer's key and what finds the customer, here and in the back-ups. True if there was one."""
        with self._using() as connection:
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
        """Write all keys, still wrapped, to a new file in a folder; older files than `keep_days` are deleted."""
        now_ms = int(time.time() * 1000)
        with self._using() as connection:
            held = {it.customer: (it.wrapped, it.created_ms) for it in connection.execute(select(keys))}
            found = {it.lookup: it.customer for it in connection.execute(select(lookups))}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / BACKUP_NAME.format(at_ms=now_ms)
        texts = {customer: (b64encode(wrapped).decode(), at_ms) for customer, (wrapped, at_ms) in held.items()}
        _write(path, _Backup(texts, found))
        for old in _backups(folder):
            if int(old.stem.removeprefix("keys-")) < now_ms - keep_days * DAY_MS:
                old.unlink()
        return path

    def restore(self, path: Path) -> int:
        """Put keys of a back-up back where they are missing, but for those who were erased here since they were made.

        Answers how many. Raises `KeyBackupBroken`.
        """
        kept = _read(path)
        restored = 0
        with self._using() as connection:
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
        """What an erased customer is remembered by."""
        return hmac.digest(self._master.derive(Purpose.LOOKUP), f"erased/{customer}".encode(), sha256).hex()

    def _unwrapped(self, customer: str, wrapped: bytes) -> bytes:
        try:
            return unwrap(self._wrapping_key, customer, wrapped)
        except SealBroken:
            raise MasterKeyDiffers(table=self._engine.url.render_as_string(), place=self._master.place) from None

    @contextmanager
    def _using(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise KeysAway(cause=getattr(error, "orig", None) or error) from error


def _connect(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    for name, value in SQLITE_PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def _backups(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("keys-*.json")) if folder is not None and folder.exists() else []


def _read(path: Path) -> _Backup:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Backup)
    except (OSError, msgspec.MsgspecError) as error:
        raise KeyBackupBroken(path=path, cause=error) from error


def _write(path: Path, kept: _Backup | Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(msgspec.json.encode(kept))
    part.replace(path)
