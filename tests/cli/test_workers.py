"""Several workers of one processor on one machine, and what `status` tells of them."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cli
from bopis.cli.operate.status_workers import problems
from tests.cli.program import clean_environment, run

QUICK = {
    "BOPIS_STATUS_SECONDS": "1",
    "BOPIS_SESSION_TIMEOUT_SECONDS": "4",
    "BOPIS_HEARTBEAT_SECONDS": "1",
    "BOPIS_STANDBY": "1",
}


class Site:
    """A log alone, and whoever is started beside it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.started: list[subprocess.Popen[str]] = []
        self.start("broker", "--port", "0")

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a program and wait for its ready line."""
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", *words, "--json", "--data-dir", str(self.home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(**QUICK),
            cwd=Path(cli.__file__).parent,
            text=True,
        )
        self.started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline(), "it ended before it was ready"
        return process

    def workers(self) -> dict[str, Any]:
        """What status tells of the workers, by name."""
        answer = run("status", "--json", "--data-dir", str(self.home))
        assert answer.code == 0, answer.err
        return {it["instance"]: it for it in answer.document["workers"]}

    def until(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + 40
        while True:
            found = self.workers()
            if reached(found):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.3)

    def close(self) -> None:
        for process in reversed(self.started):
            process.terminate()
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home")
    yield site
    site.close()


def roles(worker: dict[str, Any], role: str) -> set[int]:
    return {it["partition"] for it in worker["partitions"] if it["role"] == role and it["state"] == "ready"}


def shared(found: dict[str, Any]) -> bool:
    """Two workers own half of the partitions each, and keep copies of the other half."""
    return len(found) == 2 and all(
        len(roles(it, "owner")) == 2 and len(roles(it, "standby")) == 2 for it in found.values()
    )


def test_workers_share_the_work_under_names_of_their_own_and_status_tells_who_has_what(site: Site) -> None:
    first = site.start("worker", "inventory")
    second = site.start("worker", "inventory")
    found = site.until(shared)

    assert set(found) == {"inventory-1", "inventory-2"}
    assert roles(found["inventory-1"], "owner") == roles(found["inventory-2"], "standby")
    assert not roles(found["inventory-1"], "owner") & roles(found["inventory-1"], "standby"), "nothing is kept twice"
    assert all(it["epoch"] is not None for it in found["inventory-2"]["partitions"] if it["role"] == "owner")
    assert {it["pid"] for it in found.values()} == {first.pid, second.pid}

    second.kill()
    second.wait(10)
    found = site.until(
        lambda told: told["inventory-2"]["state"] == "silent" and len(roles(told["inventory-1"], "owner")) == 4
    )
    words = run("status", "--data-dir", str(site.home)).out

    assert roles(found["inventory-1"], "standby") == set()
    assert "inventory-2: no report for" in words

    named = site.start("worker", "inventory", "--instance", "corner", "--standby", "1")
    site.until(lambda told: "corner" in told and len(roles(told["corner"], "owner")) == 2)
    named.terminate()
    named.wait(20)
    found = site.until(lambda told: "corner" not in told and len(roles(told["inventory-1"], "owner")) == 4)

    assert found["inventory-1"]["state"] == "running"


def test_what_needs_a_person_is_said_in_a_line_each() -> None:
    worker = {"processor": "inventory", "instance": "one", "pid": 7, "heard_ms_ago": 90_000}
    trouble = {"name": "watchdog.disk_low", "words": "free some space"}
    silent = worker | {"state": "silent", "trouble": []}
    low = worker | {"state": "running", "trouble": [trouble]}
    fell = {"name": "projection", "restarts": 3, "state": "failing", "cause": "the log refused", "last_error": "no"}
    well = {"name": "inventory", "restarts": 0, "state": "ready", "cause": "", "last_error": ""}

    log = {"name": "log", "restarts": None, "state": None, "cause": None, "last_error": None}
    # The web alone may be left out: nothing is missing then.
    web = {"name": "web", "restarts": None, "state": "not running", "cause": "", "last_error": ""}
    document = {"at": datetime.now(UTC), "workers": [silent, low], "processors": [fell, well], "log": log, "web": web}

    assert problems(document) == [
        "inventory/one: no report for 90 s; is process 7 alive?",
        "inventory/one: watchdog.disk_low: free some space",
        "projection failing: the log refused: no",
    ]
