"""A reader of the read side in PostgreSQL: sees every table, writes nothing, and is stopped when it takes too long."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

from bopis.readside import migrate, queries
from bopis.readside.engine import connect
from bopis.readside.errors import RoleNameUnfit, RoleNotReadOnly, RolesUnsupported
from bopis.readside.roles import grant_reader
from bopis.readside.schema import metadata
from bopis.readside.writer import Projection
from tests.cli.program import run
from tests.readside.databases import PostgresqlDatabases
from tests.readside.world import World, at, changelog

pytestmark = pytest.mark.postgresql


@pytest.fixture
def url(postgresql: PostgresqlDatabases) -> str:
    """A database of its own: rights stay in it."""
    url = postgresql.empty_url()
    engine = connect(url)
    migrate.upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture
def owner(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


@pytest.fixture
def role() -> str:
    return f"reader_{uuid.uuid4().hex[:8]}"


def _as(role: str, url: str) -> Engine:
    return connect(make_url(url).set(username=role, password="secret").render_as_string(hide_password=False))


def test_a_reader_may_read_every_table_and_write_none(owner: Engine, url: str, role: str) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 5)
    projection = Projection(owner)
    projection.write("stock", 0, world.stock[0])
    projection.write("inventory-levels", 0, changelog(world.stock[0]))

    grant_reader(owner, role, "secret", 30)
    reader = _as(role, url)

    assert [it.terms.on_hand for it in queries.levels(reader, "S1", now=at(0)).levels] == [5]
    for name in metadata.tables:
        with reader.connect() as connection:
            connection.execute(text(f"SELECT * FROM {name} LIMIT 1"))
        with reader.connect() as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            connection.commit()
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(text(f"DELETE FROM {name}"))
    reader.dispose()


def test_a_reader_stays_a_reader_when_it_forgets_that_it_is_one(owner: Engine, url: str, role: str) -> None:
    grant_reader(owner, role, None, 30)
    reader = _as(role, url)

    with reader.connect() as connection:
        assert connection.execute(text("SHOW default_transaction_read_only")).scalar_one() == "on"
        connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"))
        connection.commit()
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text("CREATE TABLE mine (id INTEGER)"))
    reader.dispose()


def test_a_statement_of_a_reader_ends_when_it_takes_too_long(owner: Engine, url: str, role: str) -> None:
    grant_reader(owner, role, None, 1)
    reader = _as(role, url)

    with reader.connect() as connection, pytest.raises(OperationalError, match="statement timeout"):
        connection.execute(text("SELECT pg_sleep(30)"))
    reader.dispose()


def test_tables_of_versions_to_come_can_be_read_as_well(owner: Engine, url: str, role: str) -> None:
    grant_reader(owner, role, None, 30)
    with owner.begin() as connection:
        connection.execute(text("CREATE TABLE levels_of_tomorrow AS SELECT 7 AS on_hand"))
    reader = _as(role, url)

    with reader.connect() as connection:
        assert connection.execute(text("SELECT on_hand FROM levels_of_tomorrow")).scalar_one() == 7
    reader.dispose()


def test_tables_of_others_in_the_same_database_are_not_given_away(owner: Engine, url: str, role: str) -> None:
    with owner.begin() as connection:
        connection.execute(text("CREATE TABLE salaries AS SELECT 7 AS amount"))
    grant_reader(owner, role, None, 30)
    reader = _as(role, url)

    with reader.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("SELECT amount FROM salaries"))
    reader.dispose()


def test_the_server_is_told_a_password_only_as_it_stores_it(owner: Engine, role: str) -> None:
    first = grant_reader(owner, role, "one", 30)
    query = text("SELECT rolpassword FROM pg_authid WHERE rolname = :role")
    with owner.connect() as connection:
        before = connection.execute(query, {"role": role}).scalar_one()

    second = grant_reader(owner, role, "two", 30)
    third = grant_reader(owner, role, None, 30)
    with owner.connect() as connection:
        after = connection.execute(query, {"role": role}).scalar_one()

    assert (first.created, second.created, third.created) == (True, False, False)
    assert before.startswith("SCRAM-SHA-256$")
    assert after.startswith("SCRAM-SHA-256$")
    assert before != after


def test_a_role_that_may_do_more_by_other_ways_is_no_reader(owner: Engine, role: str) -> None:
    with owner.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN IN ROLE pg_write_all_data"))

    with pytest.raises(RoleNotReadOnly, match="pg_write_all_data"):
        grant_reader(owner, role, None, 30)
    with pytest.raises(RoleNotReadOnly):
        grant_reader(owner, "postgres", None, 30)


@pytest.mark.parametrize("name", ["", "Reader", "a-b", "pg_reader", 'x"; DROP TABLE levels; --', "r" * 64])
def test_a_name_that_is_none_is_refused(owner: Engine, name: str) -> None:
    with pytest.raises(RoleNameUnfit):
        grant_reader(owner, name, None, 30)


def test_the_command_makes_a_reader_whose_url_answers_questions(url: str, role: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    reader = make_url(url).set(username=role, password="secret").render_as_string(hide_password=False)

    granted = run("db", "grant-reader", role, "--password-file", str(password), "--json", BOPIS_DATABASE=url)
    asked = run("db", "check", "--json", BOPIS_DATABASE="sqlite:////nowhere/x.sqlite3", BOPIS_DATABASE_READER=reader)
    again = run("db", "grant-reader", "Bad Name", BOPIS_DATABASE=url)

    assert granted.code == 0, granted.err
    assert granted.document["created"] is True
    assert (asked.code, asked.document) == (0, {"differences": []}), asked.err
    assert again.code == 5


def test_sqlite_is_told_to_know_no_roles(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'x.sqlite3'}")

    with pytest.raises(RolesUnsupported):
        grant_reader(engine, "reader", None, 30)
    engine.dispose()
    assert run("db", "grant-reader", "reader", BOPIS_DATA_DIR=str(tmp_path)).code == 78
