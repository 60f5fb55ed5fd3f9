"""One running installation for the folder; tests use orders, keys and names of their own in it."""

from collections.abc import Iterator

import pytest

from tests.surroundings import clean as clean
from tests.web.shop import Shop


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running installation that no test may stop."""
    shop = Shop(tmp_path_factory.mktemp("shop") / "home")
    yield shop
    shop.close()
