"""Workers of one machine have lasting names, each held by one process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from streams.errors import InstanceNamesTaken
from streams.process import instance_names

LEASE = """
import sys
from pathlib import Path
from streams.process.instance_names import leased_name
print(leased_name(Path(sys.argv[1]), "inventory"), leased_name(Path(sys.argv[1]), "inventory"), flush=True)
sys.stdin.read()
"""


def lease(folder: Path) -> "subprocess.Popen[str]":
    """A process that leases a name and keeps it until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-c", LEASE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def name(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    first, again = process.stdout.readline().split()
    assert first == again
    return first


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_each_worker_has_the_lowest_name_that_nobody_holds_and_a_dead_one_lets_go(tmp_path: Path) -> None:
    first, second = lease(tmp_path), lease(tmp_path)
    names = {name(first): first, name(second): second}
    assert set(names) == {"inventory-1", "inventory-2"}

    end(names["inventory-1"])
    third = lease(tmp_path)

    assert name(third) == "inventory-1"
    end(third)
    end(names["inventory-2"])


def test_processors_do_not_take_each_other_s_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_names, "_leased", {})

    assert instance_names.leased_name(tmp_path, "inventory") == "inventory-1"
    assert instance_names.leased_name(tmp_path, "projection") == "projection-1"


def test_when_every_name_is_taken_the_worker_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_names, "_leased", {})
    monkeypatch.setattr(instance_names, "NAMES_MAX", 1)
    held = lease(tmp_path)
    assert name(held) == "inventory-1"

    with pytest.raises(InstanceNamesTaken, match="--instance"):
        instance_names.leased_name(tmp_path, "inventory")
    end(held)
