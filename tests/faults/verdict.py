"""One verdict for every fault: nothing lost, nothing twice; and a line of the table of results."""

import json
import os
import statistics
import time
from pathlib import Path

import pytest

from bopis.domain.inventory.rows import Level, Row, split_key
from tests.faults.crew import Crew
from tests.faults.judge import sums
from tests.faults.load import Load

DECIDE_SECONDS_MAX = 300.0
# No soak has so few faults.
SMALL_MAX = 10


def times(small: int, large: int) -> pytest.MarkDecorator:
    """A fault comes `small` times in every test run, and `large` times, or BOPIS_FAULTS_COUNT, in a soak."""
    soak = int(os.environ.get("BOPIS_FAULTS_COUNT", large))
    return pytest.mark.parametrize("count", [small, pytest.param(soak, marks=pytest.mark.soak)])


def on_engine(count: int, engine: str) -> int:
    """How often a fault comes on an engine: what is short on the embedded log takes several times as long on Apache
    Kafka, so outside of a soak it comes half as often there."""
    return max(1, count // 2) if engine.startswith("kafka") and count <= SMALL_MAX else count


def pause_s(count: int) -> float:
    """Seconds between two messages of the load. Outside of a soak the load is a third: whatever is to be seen is seen
    as well, and costs less processor time."""
    return 0.012 if count <= SMALL_MAX else 0.004


def on_hand(rows: dict[str, Row]) -> dict[tuple[str, str], int]:
    """Units by store and SKU, as the rows tell."""
    return {split_key(key)[1:]: row.on_hand for key, row in rows.items() if isinstance(row, Level)}


class Result:
    """What one fault did, said as a line of JSON to the file that BOPIS_FAULTS_RECORD names."""

    def __init__(self, fault: str, engine: str) -> None:
        self.fault = fault
        self.engine = engine
        self.count = 0
        self.resumed_s: list[float] = []
        self.notes: dict[str, object] = {}
        self._began = time.monotonic()

    def judge(self, crew: Crew, load: Load) -> None:
        """Everything that the log took is in the rows once, by an independent sum and by an independent model."""
        acknowledged = load.acknowledged()
        rows = crew.wait_decided(DECIDE_SECONDS_MAX)
        expected, found = sums(acknowledged), on_hand(rows)
        wrong = {cell for cell in expected.keys() | found.keys() if expected.get(cell, 0) != found.get(cell, 0)}
        violations = crew.violations(rows)
        unheard = crew.answered_wrongly(load.asked())
        told = {"cells_wrong": len(wrong), "answered_wrongly": len(unheard), "violations": len(violations)}
        self.note(len(acknowledged), **told)

        assert wrong == set(), f"{len(wrong)} of {len(expected)} differ\n{crew.talk()}"
        assert unheard == set()
        assert violations == []

    def note(self, messages: int, **wrong: int) -> None:
        """Say what happened, right or wrong."""
        resumed = sorted(self.resumed_s)
        line = {
            "fault": self.fault,
            "engine": self.engine,
            "count": self.count,
            "messages": messages,
            **wrong,
            "resume_p50_s": round(statistics.median(resumed), 2) if resumed else None,
            "resume_max_s": round(resumed[-1], 2) if resumed else None,
            "seconds": round(time.monotonic() - self._began, 1),
            **self.notes,
        }
        print(json.dumps(line))
        if place := os.environ.get("BOPIS_FAULTS_RECORD"):
            with Path(place).open("a") as file:
                file.write(json.dumps(line) + "\n")
