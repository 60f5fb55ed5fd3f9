"""The log engines that several suites share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.engines import Engine, Engines, chosen
from tests.scheduling import RoomScheduling, long_ones_first


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long units first."""
    items[:] = long_ones_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> RoomScheduling:
    """Distribute units over processes, each as a whole."""
    return RoomScheduling(config, log)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A program that a test ran in this process logs to a stream that is closed after the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """One engine of each kind for the whole run. Not a parameter itself: in a random order of tests an engine that
    is a session's parameter would be stopped and started for almost every test."""
    engines = Engines(tmp_path_factory.mktemp("engines"))
    yield engines
    engines.close()


@pytest.fixture(params=chosen())
def engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """A running log, of each kind in turn. It is shared, so topics and groups need names of their own; a test may
    kill it and must not leave it suspended."""
    return engines.shared(request.param)


@pytest.fixture(params=chosen()[:1])
def any_engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """One running log, for what does not depend on its kind and is too slow to be shown twice."""
    return engines.shared(request.param)
