"""The site of the tests about counter and customer."""

from pathlib import Path

import pytest

from tests.web.counter.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
