"""The suite itself: what it takes for granted about its own files."""

from tests.conftest import LONG_FILES
from tests.house.reading import ROOT


def test_the_long_files_exist() -> None:
    assert [name for name in LONG_FILES if not (ROOT / name).is_file()] == []
