"""The schema of the read side, version by version. The steps themselves stand in ``migrations/versions``."""

import logging
from importlib.util import find_spec
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from bopis.readside.engine import SQLITE, kind_of, reading, writing
from bopis.readside.errors import SchemaAbsent
from bopis.readside.schema import metadata

# A name of its own, so that the read side can share a database with others that use Alembic.
VERSION_TABLE = "bopis_version"
UPGRADE_LOCK = 0x62_6F_70_69_73


def _is_ours(name: str | None, kind: str, parents: object) -> bool:  # noqa: ARG001  (Alembic's signature)
    return kind != "table" or name in metadata.tables


# How Alembic compares and marks; said to it wherever it begins.
OPTIONS: dict[str, Any] = {"version_table": VERSION_TABLE, "compare_server_default": True, "include_name": _is_ours}


def upgrade(engine: Engine) -> str:
    """Bring the tables to the newest version; returns it. Does nothing where they are."""
    with writing(engine) as connection:
        if kind_of(engine) != SQLITE:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def current(engine: Engine) -> str | None:
    """The version of the tables; None where there are none."""
    with reading(engine) as connection:
        return _context(connection).get_current_revision()


def head() -> str:
    """The version that this program works with."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def check(engine: Engine) -> list[str]:
    """How the tables differ from what this program works with; empty when they do not."""
    found = current(engine)
    if found != head():
        return [f"version {found or 'none'}, needed is {head()}"]
    with reading(engine) as connection:
        return [str(difference) for difference in compare_metadata(_context(connection), metadata)]


def require(engine: Engine) -> None:
    """Raise `SchemaAbsent` unless the tables are there in the version that this program works with."""
    found = current(engine)
    if found != head():
        raise SchemaAbsent(found=found, needed=head())


def drop(engine: Engine) -> None:
    """Take all tables of the read side away; the log still has everything that was in them."""
    with writing(engine) as connection:
        metadata.drop_all(connection)
        connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))


def _config() -> Config:
    spec = find_spec("migrations")
    assert spec is not None
    assert spec.submodule_search_locations
    # Alembic tells of each plug-in that it sets up; only what went wrong is of interest here.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    # Alembic reads options with configparser, to which a percent sign in a path is an instruction.
    config.set_main_option("script_location", str(next(iter(spec.submodule_search_locations))).replace("%", "%%"))
    return config


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts=OPTIONS)
