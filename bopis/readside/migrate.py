"""Versions of the schema of the read side. The migrations are in ``migrations/versions``."""

import logging
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from bopis.readside.engine import SQLITE, is_damaged, kind_of, reading, set_aside, writing
from bopis.readside.errors import SchemaAbsent
from bopis.readside.schema import metadata

# A name of its own, so that the read side can share a database with other users of Alembic.
VERSION_TABLE = "bopis_version"
UPGRADE_LOCK = 0x62_6F_70_69_73  # "bopis"
# PostgreSQL ends one of two transactions that wait for each other with this code.
DEADLOCK = "40P01"
DEADLOCK_TRIES = 5


def _is_ours(name: str | None, kind: str, parents: object) -> bool:  # noqa: ARG001  (Alembic's signature)
    return kind != "table" or name in metadata.tables


# Options of every Alembic context.
OPTIONS: dict[str, Any] = {"version_table": VERSION_TABLE, "compare_server_default": True, "include_name": _is_ours}


def upgrade(engine: Engine) -> str:
    """Migrate the tables to the newest version, if they are older; returns it."""
    with writing(engine) as connection:
        if kind_of(engine) != SQLITE:
            # Workers that start together must not both migrate. SQLite has its write lock already.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def upgrade_or_rebuild(engine: Engine, now: datetime) -> Path | None:
    """As `upgrade`. A damaged SQLite file is set aside, and empty tables are made that the projection fills again from
    the log; returns where the damaged file is."""
    try:
        upgrade(engine)
    except DBAPIError as error:
        if not is_damaged(error):
            raise
        aside = set_aside(engine, now)
        upgrade(engine)
        return aside
    return None


def current(engine: Engine) -> str | None:
    """The version of the tables; None without tables."""
    with reading(engine) as connection:
        return _context(connection).get_current_revision()


def head() -> str:
    """The version that this program works with."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def check(engine: Engine) -> list[str]:
    """The differences between the tables and the schema of this program, one text each."""
    found = current(engine)
    if found != head():
        return [f"version {found or 'none'}, needed is {head()}"]
    with reading(engine) as connection:
        return [str(difference) for difference in compare_metadata(_context(connection), metadata)]


def require(engine: Engine) -> None:
    """Raise `SchemaAbsent` unless the tables are of the version that this program works with."""
    found = current(engine)
    if found != head():
        raise SchemaAbsent(found=found, needed=head())


def drop(engine: Engine) -> None:
    """Drop all tables of the read side; `bopis readside rebuild` makes them again from the log."""

    def drop_all(connection: Connection) -> None:
        metadata.drop_all(connection)
        connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))

    _write_patiently(engine, drop_all)


def empty(engine: Engine) -> None:
    """Leave the tables of this version without a row.

    Tables that are of this version already are emptied and not dropped: a concurrent reader finds no rows, but does not
    fail.
    """
    if check(engine):
        drop(engine)
        upgrade(engine)
        return

    def empty_all(connection: Connection) -> None:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())

    _write_patiently(engine, empty_all)


def _write_patiently(engine: Engine, write: Callable[[Connection], None]) -> None:
    """Run a transaction, again when PostgreSQL ends it because it and a projection that writes wait for each other."""
    for tries_left in reversed(range(DEADLOCK_TRIES)):
        try:
            with writing(engine) as connection:
                write(connection)
            return
        except OperationalError as error:
            if not tries_left or getattr(error.orig, "sqlstate", None) != DEADLOCK:
                raise


def _config() -> Config:
    spec = find_spec("migrations")
    assert spec is not None
    assert spec.submodule_search_locations
    # Alembic logs each plug-in that it sets up.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    # Alembic reads options with configparser, which interpolates percent signs.
    config.set_main_option("script_location", str(next(iter(spec.submodule_search_locations))).replace("%", "%%"))
    return config


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts=OPTIONS)
