"""Topics, groups and clients of their own for each test of the contract."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient

from tests.contract.reading import until
from tests.engines import Engine
from tests.engines.wire import Wire

KCAT_SECONDS = 30
KEEPING = {"cleanup.policy", "retention.ms", "retention.bytes"}


@pytest.fixture
def admin(engine: Engine) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=engine.bootstrap)
    yield client
    client.close()


@pytest.fixture
def make_topic(engine: Engine) -> Iterator[Callable[..., str]]:
    """Make a topic with a name that nobody had before, and wait until it can be written and read."""
    made: list[str] = []

    def make(partitions: int = 1, **settings: Any) -> str:
        name = f"topic-{uuid.uuid4().hex[:12]}"
        configs = {key.replace("_", "."): str(value) for key, value in settings.items()}
        if KEEPING & set(configs):
            configs = dict(engine.small_steps) | configs
        with Wire(engine.address) as wire:
            assert wire.create_topic(name, partitions, configs) == 0
            made.append(name)
            assert until(lambda: wire.is_ready(name, partitions))
        return name

    yield make
    engine.start()
    with Wire(engine.address) as wire:
        wire.delete_topics(made)


@pytest.fixture
def wire(engine: Engine) -> Iterator[Wire]:
    with Wire(engine.address) as client:
        yield client


@pytest.fixture
def group() -> str:
    return f"group-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def kcat(engine: Engine) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run kcat against the log. Where it is not installed the test is skipped, except in CI."""
    if shutil.which("kcat") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("kcat is not installed: apt-get install kcat")
        pytest.skip("kcat is not installed: apt-get install kcat")

    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = ["kcat", "-b", engine.bootstrap, *arguments]
        return subprocess.run(command, input=given, capture_output=True, timeout=KCAT_SECONDS, check=True)

    return run
