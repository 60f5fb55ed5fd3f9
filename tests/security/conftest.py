"""One secured cluster for the folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka import jars
from tests.engines import chosen
from tests.security.fortress import Fortress


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests, and no file of theirs."""
    for name in list(os.environ):
        if name.startswith("BOPIS_") and name != "BOPIS_TEST_ENGINES":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def can_run_kafka() -> None:
    """Skips where Apache Kafka cannot run or is not asked for, as other tests on it do."""
    missing = jars.missing() if chosen(("kafka",)) else "BOPIS_TEST_ENGINES leaves Apache Kafka out"
    if missing is not None:
        if os.environ.get("CI") == "true" and chosen(("kafka",)):
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="session")
def fortress(tmp_path_factory: pytest.TempPathFactory, can_run_kafka: None) -> Iterator[Fortress]:
    """A cluster that lets in who has a name, a password and rights."""
    found = Fortress(tmp_path_factory.mktemp("fortress"))
    found.start()
    yield found
    found.stop()
