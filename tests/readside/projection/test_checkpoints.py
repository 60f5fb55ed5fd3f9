"""SQLite's write-ahead log is brought over beside the writer, and begins at its front again."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bopis.readside import checkpoints
from bopis.readside.checkpoints import Checkpoints
from bopis.readside.engine import connect
from bopis.readside.writer import Projection
from tests.readside.databases import Databases
from tests.readside.world import World

PATIENCE_S = 120.0
PAGE_BYTES = 4096


def _sales(count: int) -> World:
    world = World(partitions=1)
    for number in range(count):
        world.sell(f"S{number % 5}", f"K{number % 50}", 1)
    return world


def _wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_what_was_written_reaches_the_file_without_a_commit_that_does_it(
    sqlite: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.01)
    url = sqlite.fresh_url()
    path = Path(url.removeprefix("sqlite:///"))
    engine = connect(url)
    beside, before = Checkpoints(engine), path.stat().st_size

    Projection(engine).write("stock", 0, _sales(400).stock[0])
    beside.wrote()
    grown = _wait_for(lambda: path.stat().st_size > before)

    assert grown
    beside.close()
    engine.dispose()


def test_the_log_begins_at_its_front_again_while_the_writer_goes_on(
    sqlite: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.01)
    monkeypatch.setattr(checkpoints, "PAGES_BEFORE_RESTART", 50)
    url, world = sqlite.fresh_url(), _sales(1_500)
    engine = connect(url)
    beside, projection = Checkpoints(engine), Projection(engine)

    for first in range(0, 1_500, 5):
        projection.write("stock", 0, world.stock[0][first : first + 5])
        beside.wrote()
        time.sleep(0.001)
    pages = Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size // PAGE_BYTES

    assert pages < 2_500, "three hundred transactions write about five thousand pages"
    assert projection.positions() == {("stock", 0): 1_499}
    beside.close()
    engine.dispose()
