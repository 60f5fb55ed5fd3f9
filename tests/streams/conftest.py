"""One log for the whole run, one world per test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines import Engine
from tests.engines.wire import Wire
from tests.streams.stream_world import World


@contextmanager
def world_on(engine: Engine, home: Path) -> Iterator[World]:
    world = World(engine, home)
    yield world
    world.close()
    engine.start()
    with Wire(engine.address) as wire:
        wire.delete_topics_of(world.prefix)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    with world_on(engine, tmp_path) as world:
        yield world


@pytest.fixture
def any_world(any_engine: Engine, tmp_path: Path) -> Iterator[World]:
    """A world for what the worker does by itself, whichever log it has."""
    with world_on(any_engine, tmp_path) as world:
        yield world


@pytest.fixture
def own_world(world: World) -> World:
    """A world whose log the test may kill: the log is shared, and started again for whoever comes next."""
    return world
