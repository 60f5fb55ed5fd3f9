"""Connections to the read side: SQLite by default, PostgreSQL by URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, OperationalError

from bopis.readside.errors import DatabaseAway, UrlUnsupported

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

BUSY_TIMEOUT_MS = 30_000
CACHE_KIB = 65_536
WAL_PAGES_BEFORE_CHECKPOINT = 8_000
CONNECT_TIMEOUT_S = 10

# NORMAL may lose the newest transactions when the power fails, never a part of one. A projection can afford
# that: its position goes back together with its rows, and the log is read again from there.
SQLITE_PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "busy_timeout": BUSY_TIMEOUT_MS,
    "cache_size": -CACHE_KIB,
    "wal_autocheckpoint": WAL_PAGES_BEFORE_CHECKPOINT,
    "temp_store": "MEMORY",
}
# Busy, locked, input or output failed, disk full, cannot open: what may pass. The rest is our mistake.
SQLITE_PASSING = (5, 6, 10, 13, 14)
SQLITE_PRIMARY = 0xFF
_AT_ONCE = "bopis_write_lock_at_once"


def connect(url: str) -> Engine:
    """The engine of a read side; opens nothing yet. Raises `UrlUnsupported` for other databases."""
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


def kind_of(engine: Engine) -> str:
    """``sqlite`` or ``postgresql``."""
    return engine.dialect.name


@contextmanager
def patient() -> Iterator[None]:
    """Tells a database that may answer later from one that never will: raises `DatabaseAway` for the former."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if may_pass(error.orig):
            raise DatabaseAway(cause=str(error.orig)) from error
        raise


def may_pass(failure: BaseException | None) -> bool:
    """Whether the driver's operational failure may be gone when asked again."""
    code = getattr(failure, "sqlite_errorcode", None)
    return code is None or code & SQLITE_PRIMARY in SQLITE_PASSING


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection on which every statement sees the same moment."""
    options = {} if kind_of(engine) == SQLITE else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds what it will write from its first statement on."""
    with engine.connect().execution_options(**{_AT_ONCE: True}) as connection, connection.begin():
        yield connection


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver's own idea of when a transaction begins leaves reads outside of it; `_begin_sqlite` says it.
    connection.isolation_level = None
    for name, value in SQLITE_PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {value}")


def _begin_sqlite(connection: Connection) -> None:
    at_once = connection.get_execution_options().get(_AT_ONCE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if at_once else "BEGIN")
