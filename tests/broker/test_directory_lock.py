"""One process per log; its address is in a file while it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.engines import EmbeddedEngine

OwnLog = Callable[..., EmbeddedEngine]


def test_a_second_process_is_refused_and_told_who_owns_the_log(own_log: OwnLog) -> None:
    first = own_log()

    second = subprocess.run(first.command(), capture_output=True, timeout=120, check=False)

    assert second.returncode == 75
    assert str(first.pid) in second.stderr.decode()
    # The supervisor reads it there.
    [said] = map(json.loads, second.stdout.splitlines())
    assert (said["event"], str(first.pid) in said["error"]) == ("error", True)


def test_the_note_tells_where_it_listens_and_goes_with_it(own_log: OwnLog) -> None:
    engine = own_log()
    note = json.loads((engine.directory / "broker.json").read_text())

    assert (note["pid"], note["host"]) == (engine.pid, "127.0.0.1")
    assert note["port"] == engine.address[1]
    assert note["started_at"].endswith("Z")

    assert engine.stop() == 0
    assert not (engine.directory / "broker.json").exists()


def test_a_killed_process_leaves_the_log_free(own_log: OwnLog) -> None:
    engine = own_log()
    engine.kill()

    engine.start()

    assert json.loads((engine.directory / "broker.json").read_text())["pid"] == engine.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_fast_and_stops_fast_and_cleanly(own_log: OwnLog, number: int) -> None:
    started = time.monotonic()
    engine = own_log()
    start_seconds = time.monotonic() - started

    started = time.monotonic()
    engine.signal(number)
    code = engine.stop()

    assert code == 0
    assert time.monotonic() - started < 2.0
    # Generous, because other tests may run beside this one; alone it is about a third of a second.
    assert start_seconds < 3.0
    assert not (engine.directory / "log.sqlite3-wal").exists()


def test_it_does_not_load_what_it_does_not_need() -> None:
    import sys

    script = (
        "import sys, bopis.broker.main; print([m for m in ('faust', 'sqlalchemy', 'aiokafka') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=120).stdout

    assert loaded.strip() == b"[]"


def test_an_impossible_limit_is_refused_with_the_names_of_all(own_log: OwnLog) -> None:
    import sys

    command = [sys.executable, "-m", "bopis.broker", "unused", "--limit", "no_such_limit=1"]
    refused = subprocess.run(command, capture_output=True, timeout=120, check=False)

    assert refused.returncode == 2
    assert b"frame_bytes_max" in refused.stderr
