"""A disk that fills under load: refused clearly, gone on by itself when there is room, nothing acknowledged lost."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bopis.readside.engine import connect
from bopis.readside.migrate import upgrade
from tests.engines import KafkaEngine, chosen
from tests.engines.choice import make
from tests.faults.crew import Crew, Watch
from tests.faults.judge import sums
from tests.faults.load import Load
from tests.faults.verdict import Result, times

PAUSE_S = 0.004
SMALL_MIB = 64
FULL_SECONDS = 3
HALT_SECONDS_MAX = 60.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of some megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MIB}m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, check=False, text=True)
    if mounted.returncode != 0:
        words = f"a small file system cannot be mounted here; run as root with the right to mount: {mounted.stderr}"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take every block that is left."""
    ballast = place / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return ballast


@times(small=1, large=20)
@pytest.mark.parametrize("name", chosen())
def test_a_disk_that_fills_under_the_log_is_refused_clearly_and_costs_nothing_acknowledged(
    small_disk: Path, tmp_path: Path, name: str, count: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    engine = make(name, small_disk / "log")
    engine.start()
    result = Result("disk full under the log", engine.name)
    try:
        with Crew(engine, tmp_path) as crew:
            worker = crew.start("one")
            load = Load(crew, seed, PAUSE_S)
            with Watch(crew) as watch, load.running():
                watch.seconds_until_all_go_on()
                for _ in range(count):
                    ballast = fill(small_disk)
                    if isinstance(engine, KafkaEngine):
                        # A node of Apache Kafka ends when its disk takes nothing more. Whoever operates it starts it
                        # again once there is space; the workers and the tills have waited.
                        crew.wait(lambda: not node_runs(engine), "the node has ended", HALT_SECONDS_MAX)
                    else:
                        time.sleep(FULL_SECONDS)
                    ballast.unlink()
                    engine.start()
                    result.resumed_s.append(watch.seconds_until_all_go_on())
                    assert worker.lives, f"the worker ended with {worker.process.returncode}: {worker.text[-2000:]}"

            result.count = count
            result.judge(crew, load)
    finally:
        engine.stop()


def node_runs(engine: KafkaEngine) -> bool:
    return engine.cluster.nodes[1].running


@times(small=1, large=20)
def test_a_disk_that_fills_under_the_read_side_stops_reading_and_costs_nothing(
    small_disk: Path, crew: Crew, count: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    result = Result("disk full under the read side (SQLite)", crew.engine.name)
    url = f"sqlite:///{small_disk / 'readside.sqlite3'}"
    engine = connect(url)
    upgrade(engine)
    engine.dispose()
    crew.change(database=url)
    crew.start("one")
    crew.start("reader", "projection")
    load = Load(crew, seed, PAUSE_S)
    with Watch(crew) as watch, load.running():
        watch.seconds_until_all_go_on()
        for _ in range(count):
            time.sleep(1)
            ballast = fill(small_disk)
            time.sleep(FULL_SECONDS)
            # The books go on while the read side cannot.
            result.resumed_s.append(watch.seconds_until_all_go_on())
            ballast.unlink()
            time.sleep(1)
            crew.mend()

    result.count = count
    expected = sums(load.acknowledged())
    result.judge(crew, load)
    crew.wait(lambda: figures(url, "levels", "max(on_hand)") == expected, "the levels are read")
    crew.wait(lambda: figures(url, "movements", "sum(applied)") == expected, "the history is read")


def figures(url: str, table: str, figure: str) -> dict[tuple[str, str], int]:
    """One figure by store and SKU, as the read side has it."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            query = text(f"select store, sku, {figure} from {table} group by store, sku")
            return {(store, sku): units for store, sku, units in connection.execute(query)}
    finally:
        engine.dispose()
