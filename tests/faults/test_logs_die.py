"""Nodes of the log that die, stand still or cannot be reached: what was acknowledged is there, and there once."""

import random
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bopis.wire.stock import STOCK
from deploy.kafka.properties import Layout
from tests.engines import EmbeddedEngine, Engine, Engines, KafkaEngine, chosen
from tests.engines.choice import must_run
from tests.engines.embedded import QUICK
from tests.faults.crew import Crew, Watch
from tests.faults.load import Load
from tests.faults.proxy import Proxy, Weather
from tests.faults.verdict import Result, on_engine, pause_s, times

UNREACHABLE_SECONDS = 15
ROUGH_SECONDS = 6
# Outside of a soak.
SOON_SECONDS = 6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing(crew: Crew, load: Load) -> set[str]:
    """Acknowledged messages that the log does not have."""
    # What is still on its way must arrive before the log is read.
    acknowledged = {message.id for message in load.acknowledged()}
    return acknowledged - {STOCK.decode(record.value).id for record in crew.read("stock")}


@times(small=3, large=50)
@pytest.mark.parametrize("name", chosen(("embedded", "kafka", "kafka-3")))
def test_every_acknowledged_record_outlives_a_killed_node_of_the_log(
    engines: Engines, tmp_path: Path, name: str, count: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    engine, count = engines.shared(name), on_engine(count, name)
    result = Result("kill -9 node of the log", name)
    away_s: list[float] = []
    with Crew(engine, tmp_path) as crew:
        crew.start("one")
        load = Load(crew, seed, pause_s(count))
        with Watch(crew) as watch, load.running():
            watch.seconds_until_all_go_on()
            for _ in range(count):
                time.sleep(chance.uniform(0.2, 0.8))
                node = chance.randrange(engine.processes)
                engine.kill(node)
                if engine.processes > 1:
                    # The others go on without it.
                    result.resumed_s.append(watch.seconds_until_all_go_on())
                began = time.monotonic()
                engine.start()
                away_s.append(time.monotonic() - began)
                if engine.processes == 1:
                    result.resumed_s.append(watch.seconds_until_all_go_on())
                crew.mend()

        result.count = count
        # How long the node took to serve again: with one node the log was away for as long.
        result.notes = {
            "node_back_p50_s": round(statistics.median(away_s), 2),
            "node_back_max_s": round(max(away_s), 2),
        }
        assert missing(crew, load) == set()
        result.judge(crew, load)


@pytest.fixture(params=chosen())
def behind_a_proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, Proxy]]:
    """A log of its own that clients reach through a proxy alone."""
    must_run(request.param)
    with Proxy() as proxy:
        engine: Engine
        if request.param == "embedded":
            engine = EmbeddedEngine(tmp_path / "log", (*QUICK, f"advertised_port={proxy.port}"), listen=free_port())
            proxy.lead_to(engine.listens_at)
        else:
            layout = Layout(advertised={1: f"127.0.0.1:{proxy.port}"})
            engine = KafkaEngine(tmp_path / "log", layout)
            proxy.lead_to(engine.cluster.ports[1].client)
        engine.start()
        yield engine, proxy
        proxy.change(Weather.FINE)
        engine.stop()


@times(small=2, large=50)
def test_a_log_that_cannot_be_reached_or_understood_costs_time_and_nothing_else(
    behind_a_proxy: tuple[Engine, Proxy], tmp_path: Path, count: int
) -> None:
    engine, proxy = behind_a_proxy
    seed = random.randrange(2**32)
    print("seed", seed)
    result = Result("log unreachable 15 s, half-open, slow, corrupting", engine.name)
    weathers = [Weather.CUT, Weather.HALF_OPEN, Weather.SLOW, Weather.CORRUPT]
    unreachable_s, rough_s = (UNREACHABLE_SECONDS, ROUGH_SECONDS) if count > 2 else (SOON_SECONDS, SOON_SECONDS / 2)
    (tmp_path / "crew").mkdir()
    with Crew(engine, tmp_path / "crew", session_timeout_seconds=10) as crew:
        worker = crew.start("one")
        load = Load(crew, seed, pause_s(count))
        with Watch(crew) as watch, load.running():
            watch.seconds_until_all_go_on()
            # In a soak every fault brings each kind of weather; otherwise they are shared out.
            for number in range(count):
                for weather in [*weathers, Weather.SILENT] if count > 2 else weathers[number::2]:
                    proxy.change(weather)
                    time.sleep(unreachable_s if weather in (Weather.CUT, Weather.SILENT) else rough_s)
                    proxy.change(Weather.FINE)
                    result.resumed_s.append(watch.seconds_until_all_go_on())
                    assert worker.lives, f"{weather} ended the worker with {worker.process.returncode}"

        result.count = count
        result.notes = {"requests_corrupted": proxy.corrupted}
        assert proxy.corrupted > 0
        assert missing(crew, load) == set()
        result.judge(crew, load)
