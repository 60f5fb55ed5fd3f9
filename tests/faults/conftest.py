"""A crew on each engine."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import Engine
from tests.engines.wire import Wire
from tests.faults.crew import Crew


@pytest.fixture(autouse=True)
def _quiet_tills() -> Iterator[None]:
    """The tills meet the faults, too, and kafka-python says so ten thousand times: a failure would drown in it."""
    logger = logging.getLogger("kafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(before)


@pytest.fixture
def crew(engine: Engine, tmp_path: Path) -> Iterator[Crew]:
    with Crew(engine, tmp_path) as crew:
        yield crew
    engine.start()
    with Wire(engine.address) as wire:
        wire.delete_topics_of(crew.prefix)
