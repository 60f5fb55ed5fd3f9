"""A crew on each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import Engine
from tests.engines.wire import Wire
from tests.faults.crew import Crew


@pytest.fixture
def crew(engine: Engine, tmp_path: Path) -> Iterator[Crew]:
    with Crew(engine, tmp_path) as crew:
        yield crew
    engine.start()
    with Wire(engine.address) as wire:
        wire.delete_topics_of(crew.prefix)
