"""The log engines that several suites share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.engines import Engine, Engines, chosen

# Files that take longest, the longest first: none of them is left over at the end when the others are done.
LONG_FILES = (
    "tests/services/replay/test_replay.py",
    "tests/security/test_rights.py",
    "tests/services/topics/test_migrate.py",
    "tests/web/api/test_outages.py",
    "tests/services/privacy/test_erasing.py",
    "tests/faults/test_payments.py",
    "tests/faults/test_logs_die.py",
    "tests/contract/test_groups.py",
    "tests/contract/test_keeping.py",
    "tests/contract/test_restart.py",
    "tests/streams/engine/test_absence.py",
    "tests/faults/test_workers_die.py",
    "tests/services/topics/test_topics.py",
    "tests/store_agent/test_kills.py",
    "tests/readside/history/test_both_clocks.py",
    "tests/cli/test_running.py",
    "tests/web/browser/test_pages.py",
    "tests/streams/engine/test_standby.py",
    "tests/readside/projection/test_side_by_side.py",
    "tests/benchmarks/test_checkout.py",
    "tests/demo/test_demo.py",
    "tests/readside/worker/test_worker.py",
    "tests/readside/worker/test_faults.py",
    "tests/faults/test_orders.py",
    "tests/simulation/test_simulation.py",
    "tests/streams/health/test_watchdogs.py",
    "tests/streams/engine/test_joining_and_leaving.py",
    "tests/cli/test_codes_after_kills.py",
    "tests/faults/test_kills.py",
    "tests/faults/test_disks.py",
    "tests/web/contract/test_schemathesis.py",
    "tests/web/access/test_matrix.py",
    "tests/services/notices/test_notifier.py",
    "tests/streams/engine/test_crashes.py",
    "tests/streams/engine/test_ownership_of_partitions.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the other ones stay in the order of chance (pytest-randomly)."""
    rank = {name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: rank.get(item.nodeid.split("::", 1)[0], len(rank)))


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
