"""Processes end with their parent, and the supervisor's state file tells whether it runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bopis.adapters.supervision import STATE_FILE, ChildStatus, read_status, supervisor_of, write_status

PARENT = """
import subprocess, sys, time
from bopis.adapters.supervision import end_with_parent
command = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=end_with_parent())
print(child.pid, flush=True)
time.sleep(60)
"""
ENDS_WITHIN_S = 10.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    give_up = time.monotonic() + ENDS_WITHIN_S
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up, "the child runs on"
        time.sleep(0.05)


def test_a_state_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    children = (
        ChildStatus(name="broker", state="ready", pid=5),
        ChildStatus(name="inventory", restarts=2, exit_code=70),
    )

    write_status(tmp_path / STATE_FILE, children)

    assert read_status(tmp_path / STATE_FILE).children == children
    assert [it.name for it in tmp_path.iterdir()] == [STATE_FILE]


def test_a_supervisor_is_found_while_it_runs(tmp_path: Path) -> None:
    write_status(tmp_path / STATE_FILE, ())
    running = supervisor_of(tmp_path)

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / STATE_FILE).write_text(f'{{"pid":{gone.pid},"children":[]}}')

    assert running is not None
    assert running.pid == os.getpid()
    assert supervisor_of(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", '{"children":[]}'])
def test_a_state_file_that_cannot_be_read_names_no_supervisor(text: str, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text(text)

    assert supervisor_of(tmp_path) is None
