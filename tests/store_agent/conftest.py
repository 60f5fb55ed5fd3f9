"""A log for the folder, and journals of their own for tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bopis.journal.journal import Journal
from tests.broker.test_disk_full import small_disk as small_disk
from tests.engines.embedded import EmbeddedEngine
from tests.engines.wire import Wire
from tests.store_agent.agents import STORE
from tests.surroundings import clean as clean

TOPIC = "bopis.stock"


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    """A running log with the topic of stock messages; tests send under sources of their own."""
    engine = EmbeddedEngine(tmp_path_factory.mktemp("log"))
    engine.start()
    with Wire(engine.address) as wire:
        assert wire.create_topic(TOPIC, 4, {}) == 0
    yield engine
    engine.stop()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    with Journal(tmp_path / "journal", STORE) as journal:
        yield journal
