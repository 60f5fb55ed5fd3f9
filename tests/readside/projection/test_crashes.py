"""A writer that dies in the middle, a database that does, and a read side that is built again."""

import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bopis.readside import migrate, queries
from bopis.readside.engine import connect
from bopis.readside.errors import DatabaseAway
from bopis.readside.writer import Projection
from tests.readside.databases import Databases, PostgresqlDatabases
from tests.readside.tables import contents
from tests.readside.world import World, changelog

KILLS = 5
RECORDS = 400

Feeds = dict[tuple[str, int], list[object]]


def _long_world() -> World:
    world, chance = World(), random.Random(7)
    for number in range(RECORDS):
        store, sku = f"S{chance.randrange(4)}", f"K{chance.randrange(20)}"
        match chance.randrange(12):
            case 0:
                world.receive(store, sku, 20)
            case 1:
                world.count(store, sku, 9, at_ms=max(0, number - chance.randrange(9)))
            case 2:
                world.repeat(0, chance.randrange(max(1, len(world.stock[0])))) if world.stock[0] else None
            case _:
                world.sell(store, sku, chance.randrange(1, 4), at_ms=max(0, number - chance.randrange(50)))
    return world


def _feeds(world: World) -> Feeds:
    feeds: Feeds = {("stock", number): list(records) for number, records in world.stock.items()}
    feeds |= {("inventory-levels", number): list(changelog(records)) for number, records in world.stock.items()}
    return feeds


def _write(engine: Engine, feeds: Feeds) -> None:
    projection = Projection(engine)
    for (topic, partition), records in feeds.items():
        projection.write(topic, partition, records)  # type: ignore[arg-type]


def _written_alone(databases: Databases, feeds: Feeds) -> dict[str, list[tuple[object, ...]]]:
    engine = connect(databases.fresh_url())
    _write(engine, feeds)
    found = contents(engine)
    engine.dispose()
    return found


def test_a_writer_killed_again_and_again_loses_and_doubles_nothing(
    databases: Databases, fresh: Callable[[], Engine], tmp_path: Path
) -> None:
    feeds = _feeds(_long_world())
    alone, engine = fresh(), fresh()
    _write(alone, feeds)
    path = tmp_path / "feeds"
    path.write_bytes(pickle.dumps(feeds))
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.readside.projection.writing_process", url, str(path)]

    chance = random.Random(11)
    for _ in range(KILLS):
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(chance.randrange(1, 8)):
            writer.stdout.readline()
        writer.kill()
        writer.communicate()
    subprocess.run(command, check=True, capture_output=True)

    assert contents(engine) == contents(alone)
    assert queries.verify(engine).differences == ()


def test_a_read_side_built_again_from_the_log_is_the_same_row_by_row(fresh: Callable[[], Engine]) -> None:
    feeds, engine = _feeds(_long_world()), fresh()
    _write(engine, feeds)
    before = contents(engine)

    migrate.drop(engine)
    dropped = migrate.current(engine)
    migrate.upgrade(engine)
    empty = contents(engine)
    _write(engine, feeds)

    assert dropped is None
    assert not any(empty.values())
    assert contents(engine) == before


@pytest.mark.postgresql
def test_a_server_that_restarts_in_the_middle_is_waited_for(postgresql: PostgresqlDatabases) -> None:
    feeds = _feeds(_long_world())
    expected = _written_alone(postgresql, feeds)
    engine = connect(postgresql.fresh_url())
    projection = Projection(engine)
    away = 0

    for (topic, partition), records in feeds.items():
        half = len(records) // 2
        projection.write(topic, partition, records[:half])  # type: ignore[arg-type]
        postgresql.restart()
        for _ in range(3):
            try:
                projection.write(topic, partition, records)  # type: ignore[arg-type]
            except DatabaseAway:
                away += 1
            else:
                break

    assert away > 0
    assert contents(engine) == expected
    engine.dispose()


@pytest.mark.postgresql
@pytest.mark.parametrize("statement", ["COPY", "SELECT", "INSERT"])
def test_a_connection_cut_within_a_transaction_loses_nothing(
    postgresql: PostgresqlDatabases, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    from bopis.readside.transaction import Transaction

    feeds = _feeds(_long_world())
    expected = _written_alone(postgresql, feeds)
    engine = connect(postgresql.fresh_url())
    cut_at: dict[str, tuple[Any, str]] = {
        "COPY": (Transaction, "copy"),
        "SELECT": (Projection, "_project"),
        "INSERT": (Transaction, "execute"),
    }
    owner, name = cut_at[statement]
    whole = getattr(owner, name)

    def cut_first(*arguments: object) -> object:
        monkeypatch.setattr(owner, name, whole)
        postgresql.cut_connections()
        return whole(*arguments)

    monkeypatch.setattr(owner, name, cut_first)
    with pytest.raises(DatabaseAway):
        _write(engine, feeds)
    _write(engine, feeds)

    assert contents(engine) == expected
    engine.dispose()


def test_a_database_that_another_writer_holds_is_told_as_away(
    sqlite: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bopis.readside import engine as engines

    monkeypatch.setitem(engines.SQLITE_PRAGMAS, "busy_timeout", 50)
    url = sqlite.fresh_url()
    holder, engine = connect(url), connect(url)
    world = World(partitions=1)
    world.sell("S1", "A", 1)
    projection = Projection(engine)

    with engines.writing(holder), pytest.raises(DatabaseAway):
        projection.write("stock", 0, world.stock[0])
    projection.write("stock", 0, world.stock[0])

    assert projection.positions() == {("stock", 0): 0}
    holder.dispose()
    engine.dispose()
