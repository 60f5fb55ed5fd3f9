"""The suite itself: what it takes for granted about its own files."""

import pytest

from tests.house.reading import ROOT
from tests.scheduling import APART, LONG, ROOMS, room_of


def test_rooms_and_files_that_are_named_exist() -> None:
    assert [name for name in LONG if not (ROOT / name).exists()] == []
    assert [name for name in APART if not (ROOT / name).is_file()] == []
    assert [name for name in ROOMS if not (ROOT / name).is_dir()] == []


@pytest.mark.parametrize(
    ("test", "room"),
    [
        ("tests/cli/test_orders.py::test_a[x/y::z]", "tests/cli/"),
        ("tests/cli/test_running.py::test_a", "tests/cli/test_running.py"),
        ("tests/web/pages/test_now.py::test_a", "tests/web/"),
        ("tests/domain/test_holds.py::test_a", "tests/domain/test_holds.py"),
    ],
)
def test_a_folder_with_a_server_is_one_unit_except_files_with_their_own(test: str, room: str) -> None:
    assert room_of(test) == room
