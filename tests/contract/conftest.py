"""One log for all tests of the contract, and topics of their own for each."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient

from tests.contract.engines import EmbeddedEngine
from tests.contract.wire import Wire

KCAT_SECONDS = 30


@pytest.fixture(scope="session", params=["embedded"])
def log_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp(request.param))
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def admin(log_engine: EmbeddedEngine) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=log_engine.bootstrap)
    yield client
    client.close()


@pytest.fixture
def make_topic(log_engine: EmbeddedEngine) -> Callable[..., str]:
    """Make a topic with a name that nobody had before."""

    def make(partitions: int = 1, **settings: Any) -> str:
        name = f"topic-{uuid.uuid4().hex[:12]}"
        configs = {key.replace("_", "."): str(value) for key, value in settings.items()}
        with Wire(log_engine.address) as wire:
            assert wire.create_topic(name, partitions, configs) == 0
        return name

    return make


@pytest.fixture
def wire(log_engine: EmbeddedEngine) -> Iterator[Wire]:
    with Wire(log_engine.address) as client:
        yield client


@pytest.fixture
def group() -> str:
    return f"group-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def kcat(log_engine: EmbeddedEngine) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run kcat against the log. Where it is not installed the test is skipped, except in CI."""
    if shutil.which("kcat") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("kcat is not installed: apt-get install kcat")
        pytest.skip("kcat is not installed: apt-get install kcat")

    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = ["kcat", "-b", log_engine.bootstrap, *arguments]
        return subprocess.run(command, input=given, capture_output=True, timeout=KCAT_SECONDS, check=True)

    return run
