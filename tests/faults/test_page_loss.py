"""The page cache is lost under the embedded log: what was acknowledged had reached the disk."""

import os
import random
import threading
import time
from pathlib import Path

import pytest

from tests.contract.reading import read_all
from tests.engines import EmbeddedEngine
from tests.engines.wire import Wire, batch
from tests.faults.page_loss import PageLoss
from tests.faults.verdict import Result

WRITERS = 3
CUTS = int(os.environ.get("BOPIS_FAULTS_COUNT", 100))


def write(engine: EmbeddedEngine, name: str, acknowledged: list[bytes]) -> None:
    """Write numbered records until the log goes away."""
    try:
        with Wire(engine.address) as wire:
            producer = wire.producer_id()
            for sequence in range(100_000):
                value = b"%s-%d" % (name.encode(), sequence)
                answer = wire.produce("t", batch((b"k", value), producer=(*producer, sequence)))
                assert answer.error_code == 0
                acknowledged.append(value)
    except OSError:
        return


@pytest.mark.soak
def test_what_was_acknowledged_outlives_the_loss_of_every_page_that_was_not_synced(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    (tmp_path / "log").mkdir()
    shim = PageLoss(tmp_path / "log", tmp_path)
    engine = EmbeddedEngine(tmp_path / "log")
    engine.environment = shim.environment
    result = Result("page cache lost under the log", "embedded")
    acknowledged: list[bytes] = []
    lost = 0
    engine.start()
    with Wire(engine.address) as wire:
        assert wire.create_topic("t", 1, {}) == 0
    for cut in range(CUTS):
        threads = [threading.Thread(target=write, args=(engine, f"{cut}-{it}", acknowledged)) for it in range(WRITERS)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.05, 0.6))
        engine.kill()
        for thread in threads:
            thread.join()
        lost += shim.cut(chance)
        engine.start()

    with Wire(engine.address) as wire:
        found = [row.value for row in read_all(wire, "t")]
    engine.stop()
    result.count = CUTS
    result.notes = {"writes_lost": lost}
    result.note(len(acknowledged), lost=len(set(acknowledged) - set(found)), twice=len(found) - len(set(found)))
    assert lost > 0, "the shim dropped nothing: it does not work here"
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))
