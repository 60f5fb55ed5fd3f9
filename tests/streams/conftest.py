"""One log for the whole folder, one world per test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from stream_engines import ApacheKafka, EmbeddedLog, Engine
from stream_world import World

ENGINES = {"embedded": EmbeddedLog, "kafka": ApacheKafka}
CHOSEN = os.environ.get("BOPIS_TEST_ENGINES", "embedded").split(",")


def make_engine(name: str, home: Path) -> Engine:
    if name == "kafka" and "BOPIS_KAFKA_LIBS" not in os.environ:
        pytest.skip("BOPIS_KAFKA_LIBS does not name the directory of Apache Kafka's jars")
    return ENGINES[name](home)


@pytest.fixture(scope="session", params=CHOSEN)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A running log that several tests share."""
    engine = make_engine(request.param, tmp_path_factory.mktemp("engine") / "log")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(params=CHOSEN)
def own_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A log that this test may kill."""
    engine = make_engine(request.param, tmp_path / "log")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    world = World(engine, tmp_path)
    yield world
    world.close()


@pytest.fixture
def own_world(own_engine: Engine, tmp_path: Path) -> Iterator[World]:
    world = World(own_engine, tmp_path)
    yield world
    world.close()
