"""One running installation for the folder; tests use orders, keys and names of their own in it."""

from collections.abc import Iterator

import pytest

from tests.surroundings import clean as clean
from tests.web.shop import Shop
from tests.webhooks.conftest import receiver as receiver


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running installation that no test may stop."""
    shop = Shop(tmp_path_factory.mktemp("shop") / "home")
    yield shop
    shop.close()
