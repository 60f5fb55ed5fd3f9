"""Connections to the databases that are not the read side: customers' keys, access, webhooks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from bopis.adapters.secrets.errors import KeyTableUnavailable
from bopis.errors import BopisError

# A deleted key must not stay readable in a file: SQLite overwrites freed pages, and no write-ahead log keeps them.
SQLITE_PRAGMAS = {"busy_timeout": 30_000, "journal_mode": "TRUNCATE", "synchronous": "FULL", "secure_delete": "ON"}


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


def is_missing_file(url: str | URL) -> bool:
    """Whether a database is a file of SQLite that does not exist yet; connecting would create it."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and not (parsed.database and Path(parsed.database).exists())


def create_tables(engine: Engine, metadata: MetaData, unavailable: type[BopisError] = KeyTableUnavailable) -> None:
    """Create the tables and indexes that are missing. Any number of processes may do so at the same time.

    Raises `unavailable`.
    """
    try:
        _create_missing(engine, metadata)
    except SQLAlchemyError:
        # PostgreSQL refuses one of two that create a table at the same moment in spite of IF NOT EXISTS; when it does,
        # the other one has committed.
        try:
            _create_missing(engine, metadata)
        except SQLAlchemyError as error:
            raise unavailable(cause=getattr(error, "orig", None) or error) from error


def _create_missing(engine: Engine, metadata: MetaData) -> None:
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda it: str(it.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))
