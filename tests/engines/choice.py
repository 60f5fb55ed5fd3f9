"""Which engines the tests run on, and the ones that run now."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from deploy.kafka import jars
from deploy.kafka.properties import Layout
from tests.engines.embedded import EmbeddedEngine
from tests.engines.engine import Engine
from tests.engines.kafka import KafkaEngine

ENGINES = ("embedded", "kafka")
LARGE = "kafka-3"


def chosen(names: Iterable[str] = ENGINES) -> list[object]:
    """Those of the names that BOPIS_TEST_ENGINES allows, as parameters of a test; kafka-3 goes with kafka."""
    allowed = os.environ.get("BOPIS_TEST_ENGINES", ",".join(ENGINES)).split(",")
    unknown = set(allowed) - set(ENGINES)
    if unknown:
        raise pytest.UsageError(f"BOPIS_TEST_ENGINES knows {', '.join(ENGINES)}, not {', '.join(sorted(unknown))}.")
    found = [name for name in names if name.split("-")[0] in allowed]
    return [pytest.param(name, marks=[pytest.mark.kafka] if "kafka" in name else []) for name in found]


class Engines:
    """Engines that many tests share: each is started when the first test asks for it, and stopped at the end."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: dict[str, Engine] = {}

    def shared(self, name: str) -> Engine:
        """The engine of this name, running."""
        if name not in self._running:
            self._running[name] = make(name, self._home / name)
        if name != LARGE and LARGE in self._running:
            # Three idle nodes take a seventh of a core from the other tests.
            self._running[LARGE].stop()
        engine = self._running[name]
        engine.start()
        return engine

    def close(self) -> None:
        """Stop all, and give back the space."""
        for engine in self._running.values():
            engine.stop()
        shutil.rmtree(self._home, ignore_errors=True)


def make(name: str, directory: Path) -> Engine:
    """An engine that does not run yet; the test is skipped where it cannot, except in CI."""
    must_run(name)
    if name == "embedded":
        return EmbeddedEngine(directory)
    return KafkaEngine(directory, Layout(nodes=3 if name == "kafka-3" else 1))


def must_run(name: str) -> None:
    """Skip the test where this engine cannot run, with what to install; in CI it fails instead."""
    missing = jars.missing() if name.startswith("kafka") else None
    if missing is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
