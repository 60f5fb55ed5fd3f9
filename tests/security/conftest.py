"""One secured cluster for the folder."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka import jars
from tests.engines import chosen
from tests.security.fortress import Fortress

# kafka-python leaves the TLS socket of a door that was not opened to the garbage collector. Ours are closed.
LEFT_OPEN = "ignore:unclosed <ssl.SSLSocket:ResourceWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets that the library leaves open are ignored here alone, where clients are refused all the time."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings(LEFT_OPEN))


@pytest.fixture(autouse=True, scope="module")
def _swept() -> Iterator[None]:
    """Nothing that was left open here is found later, under the stricter rules of others."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings or files of the user who runs the tests."""
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


@pytest.fixture(scope="package")
def fortress(tmp_path_factory: pytest.TempPathFactory, can_run_kafka: None) -> Iterator[Fortress]:
    """A cluster that lets in who has a name, a password and rights."""
    found = Fortress(tmp_path_factory.mktemp("fortress"))
    found.start()
    yield found
    found.stop()
