"""One log for the whole run, one world per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stream_world import World

from tests.engines import Engine
from tests.engines.wire import Wire


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    world = World(engine, tmp_path)
    yield world
    world.close()
    engine.start()
    with Wire(engine.address) as wire:
        wire.delete_topics_of(world.prefix)


@pytest.fixture
def own_world(world: World) -> World:
    """A world whose log the test may kill: the log is shared, and started again for whoever comes next."""
    return world
