"""One running installation for the folder; each test takes a store of its own in it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Installation
from tests.surroundings import clean as clean

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def bopis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation that no test may stop."""
    installation = Installation(tmp_path_factory.mktemp("installation") / "home")
    yield installation
    assert installation.stop() == 0


@pytest.fixture
def store(bopis: Installation, tmp_path: Path) -> str:
    """A store that nobody has spoken of; its clock is in Chicago."""
    name = f"S{next(_numbers)}"
    file = tmp_path / "stores.csv"
    file.write_text(f"store_id,name,latitude,longitude,time_zone\n{name},Store {name},38.7,-88.1,America/Chicago\n")
    assert bopis("stores", "import", str(file)).code == 0
    return name
