"""One running installation for the folder; tests use orders, keys and names of their own in it."""

from collections.abc import Iterator

import pytest

from tests.surroundings import clean as clean
from tests.web.access.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.web.shop import Shop
from tests.webhooks.conftest import receiver as receiver


@pytest.fixture(scope="package")
def accounts() -> Iterator[IdentityProvider]:
    """The identity provider of the installation, on another site than its pages."""
    provider = IdentityProvider("localhost")
    yield provider
    provider.close()


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory, accounts: IdentityProvider) -> Iterator[Shop]:
    """A running installation that no test may stop."""
    settings = {
        "BOPIS_WEB_OIDC_ISSUER": accounts.issuer, "BOPIS_WEB_OIDC_CLIENT": CLIENT, "BOPIS_WEB_OIDC_SECRET": SECRET,
    }  # fmt: skip
    shop = Shop(tmp_path_factory.mktemp("shop") / "home", **settings)
    yield shop
    shop.close()
