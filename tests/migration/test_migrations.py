"""The tables come into being version by version, and are then what the program works with."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import OperationalError

from bopis.readside import migrate
from bopis.readside.engine import connect
from bopis.readside.errors import SchemaAbsent
from bopis.readside.schema import metadata
from tests.readside.databases import Databases

ROOT = Path(__file__).parents[2]


def _tables(engine: Engine) -> set[str]:
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_an_empty_database_is_brought_to_the_newest_version_and_has_no_drift(databases: Databases) -> None:
    engine = connect(databases.empty_url())
    before = (migrate.current(engine), migrate.check(engine))

    version = migrate.upgrade(engine)
    migrate.upgrade(engine)

    assert before == (None, [f"version none, needed is {migrate.head()}"])
    assert migrate.current(engine) == version == migrate.head()
    assert migrate.check(engine) == []
    assert _tables(engine) == {*metadata.tables, migrate.VERSION_TABLE}


def test_drift_is_told(databases: Databases) -> None:
    engine = connect(databases.empty_url())
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE stores ADD COLUMN surprise INTEGER")

    found = migrate.check(engine)

    assert len(found) == 1
    assert "surprise" in found[0]
    engine.dispose()


def test_tables_of_others_are_neither_drift_nor_dropped(databases: Databases) -> None:
    engine = connect(databases.empty_url())
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE neighbours (id INTEGER)")
    migrate.upgrade(engine)

    drift = migrate.check(engine)
    migrate.drop(engine)

    assert drift == []
    assert _tables(engine) == {"neighbours"}


@pytest.mark.parametrize("clear", [migrate.drop, migrate.empty])
def test_tables_are_cleared_though_a_projection_and_this_wait_for_each_other(
    databases: Databases, clear: Callable[[Engine], None]
) -> None:
    engine = connect(databases.empty_url())
    migrate.upgrade(engine)
    # A statement waits for the lock of its table, and each side has what the other one needs.
    first, *_, last = metadata.sorted_tables
    first, last = (last, first) if clear is migrate.drop else (first, last)

    if engine.dialect.name == "sqlite":  # it has one writer at a time
        clear(engine)
    else:
        wait_for_each_other(engine, lambda: clear(engine), first.name, last.name)

    assert _tables(engine) == (set() if clear is migrate.drop else {*metadata.tables, migrate.VERSION_TABLE})
    engine.dispose()


def wait_for_each_other(engine: Engine, clear: Callable[[], None], first: str, last: str) -> None:
    """Clear tables while a projection holds the last one that is cleared, and then wants the first one."""
    with ThreadPoolExecutor(1) as pool, engine.connect() as projection, engine.connect() as observer:
        projection.exec_driver_sql(f"LOCK TABLE {last} IN SHARE MODE")
        clearing = pool.submit(clear)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not observer.exec_driver_sql(waiting).scalar():
            time.sleep(0.02)
            observer.rollback()
        with suppress(OperationalError):  # whichever of the two is ended
            projection.exec_driver_sql(f"LOCK TABLE {first} IN SHARE MODE")
        projection.rollback()
        clearing.result(60)


def test_a_worker_without_tables_is_told_what_to_do(databases: Databases) -> None:
    engine = connect(databases.empty_url())

    with pytest.raises(SchemaAbsent, match="bopis db upgrade"):
        migrate.require(engine)

    migrate.upgrade(engine)
    migrate.require(engine)
    engine.dispose()


@pytest.mark.parametrize("told", ["environment", "argument"])
def test_alembic_itself_upgrades_and_finds_no_drift(databases: Databases, told: str) -> None:
    url = databases.empty_url()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOPIS_")}
    arguments: list[str] = []
    if told == "environment":
        environment["BOPIS_DATABASE"] = url
    else:
        arguments = ["-x", f"url={url}"]

    for verb in (["upgrade", "head"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "-c", "setup.cfg", *arguments, *verb],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_versions_import_nothing_of_ours() -> None:
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        assert not re.search(r"^\s*(import|from) (bopis|streams|migrations)", path.read_text(), re.MULTILINE)
