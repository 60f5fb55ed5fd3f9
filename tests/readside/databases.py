"""Fresh databases for the suites: a copy of an upgraded SQLite file, or of an upgraded PostgreSQL database."""

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from bopis.readside.engine import connect
from bopis.readside.migrate import upgrade
from tests.readside.tables import emptied

TEMPLATE = "upgraded"


class SqliteDatabases:
    """Files in a directory."""

    name = "sqlite"

    def __init__(self, home: Path) -> None:
        self._home = home
        self._template = home / "template.sqlite3"
        engine = connect(f"sqlite:///{self._template}")
        upgrade(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()

    def fresh_url(self) -> str:
        """The URL of a new database with all tables and no rows."""
        path = self._home / f"{uuid.uuid4().hex}.sqlite3"
        shutil.copy(self._template, path)
        return f"sqlite:///{path}"

    def give_back(self, url: str) -> None:
        """The database is used no more."""

    def empty_url(self) -> str:
        """The URL of a new database without tables."""
        return f"sqlite:///{self._home / uuid.uuid4().hex}.sqlite3"


class PostgresqlDatabases:
    """Databases on a server of our own."""

    name = "postgresql"

    def __init__(self, server_uri: str, restart: Callable[[], object], kill: Callable[[], object]) -> None:
        self.restart = restart
        # Every process of the server, without warning; `restart` brings it back.
        self.kill = kill
        self._admin: Engine = create_engine(
            make_url(server_uri).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
        )
        with self._admin.connect() as connection:
            # The server of a test may forget when the power fails.
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        self._free: list[str] = []
        self._create(TEMPLATE, "template1")
        engine = connect(self._url(TEMPLATE))
        upgrade(engine)
        engine.dispose()

    def fresh_url(self) -> str:
        """The URL of a database with all tables and no rows: a used one, as making one takes a second."""
        return self._free.pop() if self._free else self._create(f"db_{uuid.uuid4().hex}", TEMPLATE)

    def give_back(self, url: str) -> None:
        """The database is used no more."""
        engine = connect(url)
        emptied(engine)
        engine.dispose()
        self._free.append(url)

    def empty_url(self) -> str:
        """The URL of a new database without tables."""
        return self._create(f"db_{uuid.uuid4().hex}", "template1")

    def cut_connections(self) -> None:
        """End every connection but our own, as a restart does."""
        with self._admin.connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            )

    def close(self) -> None:
        self._admin.dispose()

    def _create(self, name: str, template: str) -> str:
        with self._admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return self._url(name)

    def _url(self, name: str) -> str:
        return self._admin.url.set(database=name).render_as_string(hide_password=False)


Databases = SqliteDatabases | PostgresqlDatabases
