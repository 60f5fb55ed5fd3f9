"""Connections to the read side: SQLite by default, PostgreSQL by URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from bopis.readside.errors import DatabaseAway, UrlUnsupported

# A query reads from an engine, in a snapshot of its own, or from the connection of a snapshot.
Source = Engine | Connection

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

BUSY_TIMEOUT_MS = 30_000
CACHE_KIB = 65_536
WAL_PAGES_BEFORE_CHECKPOINT = 8_000
CONNECT_TIMEOUT_S = 10

# NORMAL may lose the newest transactions in a power cut, but never a part of one. A projection can afford that: its
# position is lost together with its rows, and it reads the log again from there.
SQLITE_PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "busy_timeout": BUSY_TIMEOUT_MS,
    "cache_size": -CACHE_KIB,
    "wal_autocheckpoint": WAL_PAGES_BEFORE_CHECKPOINT,
    "temp_store": "MEMORY",
}
# SQLITE_BUSY, LOCKED, IOERR, FULL and CANTOPEN may go away. Any other failure is a fault of ours.
SQLITE_TRANSIENT = (5, 6, 10, 13, 14)
SQLITE_PRIMARY = 0xFF
# SQLITE_CORRUPT and NOTADB.
SQLITE_DAMAGED = (11, 26)
_IMMEDIATE = "bopis_begin_immediate"


def connect(url: str) -> Engine:
    """The engine of a read side; connects at its first use. Raises `UrlUnsupported` for other databases."""
    parsed = make_url(url)
    kind = parsed.get_backend_name()
    if kind == POSTGRESQL:
        if parsed.drivername == POSTGRESQL:
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    if kind != SQLITE or not parsed.database or parsed.database == ":memory:":
        raise UrlUnsupported(url=parsed.render_as_string(hide_password=True))
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def shown(url: str) -> str:
    """A URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def kind_of(engine: Engine) -> str:
    """``sqlite`` or ``postgresql``."""
    return engine.dialect.name


@contextmanager
def raising_away() -> Iterator[None]:
    """Raises `DatabaseAway` for failures after which the database may answer a retry; passes on all others."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if is_transient(error.orig):
            raise DatabaseAway(cause=str(error.orig)) from error
        raise


def is_transient(failure: BaseException | None) -> bool:
    """Whether a retry may succeed after the driver's operational failure."""
    code = getattr(failure, "sqlite_errorcode", None)
    return code is None or code & SQLITE_PRIMARY in SQLITE_TRANSIENT


def is_damaged(error: BaseException) -> bool:
    """Whether an error shows that the file of an SQLite database is damaged, or is none."""
    failure = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(failure, "sqlite_errorcode", None)
    return code is not None and code & SQLITE_PRIMARY in SQLITE_DAMAGED


def set_aside(engine: Engine, now: datetime) -> Path:
    """Move a damaged SQLite file and its companions away, so that the next connection makes a new one; the new path."""
    assert engine.url.database is not None
    engine.dispose()
    file = Path(engine.url.database)
    aside = file.with_name(f"{file.name}.damaged-{now:%Y%m%dT%H%M%S}")
    for ending in ("", "-wal", "-shm"):
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside


@contextmanager
def reading(source: Source) -> Iterator[Connection]:
    """A snapshot: every statement on the connection sees the same moment. A connection is taken as the snapshot that it
    is, so several queries of one answer can share it."""
    if isinstance(source, Connection):
        yield source
        return
    options = {} if kind_of(source) == SQLITE else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with source.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that takes SQLite's write lock at its beginning."""
    with engine.connect().execution_options(**{_IMMEDIATE: True}) as connection, connection.begin():
        yield connection


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver begins a transaction at the first write only, which leaves reads outside of it; `_begin_sqlite` begins.
    connection.isolation_level = None
    for name, value in SQLITE_PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {value}")


def _begin_sqlite(connection: Connection) -> None:
    is_immediate = connection.get_execution_options().get(_IMMEDIATE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_immediate else "BEGIN")
