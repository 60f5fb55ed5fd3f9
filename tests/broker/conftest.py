"""Logs of their own for tests that break them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines.embedded import QUICK, EmbeddedEngine


@pytest.fixture
def own_log(tmp_path: Path) -> Iterator[Callable[..., EmbeddedEngine]]:
    """Start a log that only this test uses."""
    engines: list[EmbeddedEngine] = []

    def start(directory: Path | None = None, *limits: str) -> EmbeddedEngine:
        engine = EmbeddedEngine(directory or tmp_path / "log", (*QUICK, *limits))
        engines.append(engine)
        engine.start()
        return engine

    yield start
    for engine in engines:
        engine.stop()
