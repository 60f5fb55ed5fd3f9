"""One running installation for the folder; tests use orders, keys and names of their own in it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.shop import Shop


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests, and no file of theirs."""
    for name in list(os.environ):
        if name.startswith("BOPIS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running installation that no test may stop."""
    shop = Shop(tmp_path_factory.mktemp("shop") / "home")
    yield shop
    shop.close()
