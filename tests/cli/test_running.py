"""Starting and stopping, as a person at a terminal and as a service manager do it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import cli
from bopis.cli.app.interrupts import interruptible
from tests.cli.program import Installation, clean_environment, run

FOLLOW_TRIES_MAX, FOLLOW_SECONDS = 40, 1.0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose processes the tests of this module may hurt."""
    installation = Installation(tmp_path_factory.mktemp("own") / "home")
    yield installation
    installation.stop()


def processor(installation: Installation, name: str) -> Any:
    """What `status` says about a processor."""
    return {it["name"]: it for it in installation.ask("status")["processors"]}[name]


def test_it_says_one_ready_line_stops_at_ctrl_c_and_goes_on_after_a_new_start(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    children = psutil.Process(installation.process.pid).children(recursive=True)
    installation.ask("stock", "receive", "319", "4011=24", "--new-store")

    code = installation.stop(signal.SIGINT)

    shown, status = installation("stock", "show", "319", "4011"), installation("status")
    second = Installation(tmp_path / "home")
    after = second.ask("stock", "receive", "319", "4011=1")
    verdict = second.ask("verify")
    assert second.stop(signal.SIGTERM) == 0
    assert installation.ready["event"] == "ready"
    assert code == 0
    assert "Traceback" not in installation.err.read_text()
    assert not [it for it in children if it.is_running() and it.status() != psutil.STATUS_ZOMBIE]
    assert shown.out.startswith("4011 in 319: 24 available")
    assert "this was the state when it stopped" in shown.err
    assert status.code == 69
    assert after["levels"][0]["terms"]["on_hand"] == 25
    assert verdict["clean"] is True


def test_a_second_one_on_the_same_directory_is_refused(bopis: Installation) -> None:
    up = bopis("up")
    broker = bopis("broker", "--port", "0")

    assert up.code == 4
    assert f"process {bopis.process.pid}" in up.err
    assert broker.code == 75


def test_the_log_alone_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    log = subprocess.Popen(
        [sys.executable, "-m", "cli", "broker", "--data-dir", str(tmp_path / "home"), "--port", "0"],
        stdout=subprocess.PIPE,
        env=clean_environment(),
        cwd=Path(cli.__file__).parent,
        text=True,
    )
    assert log.stdout is not None
    try:
        line = log.stdout.readline()
        listed = run("topics", "list", "--data-dir", str(tmp_path / "home"))
        up = run("up", "--data-dir", str(tmp_path / "home"))
        sold = run(
            "stock", "receive", "319", "4011=1", "--new-store", "--no-wait", "--data-dir", str(tmp_path / "home")
        )
    finally:
        log.send_signal(signal.SIGINT)
        code = log.wait(10)
        log.stdout.close()

    assert "this machine only" in line
    assert (listed.code, "No topic begins with 'bopis.'" in listed.err) == (0, True)
    assert (up.code, "bopis worker" in up.err) == (4, True)
    assert (sold.code, "bopis up" in sold.err) == (69, True)
    assert code == 0


def test_a_worker_that_was_killed_is_counted_and_comes_back(own: Installation) -> None:
    own.ask("stock", "receive", "319", "4011=24", "--new-store")
    before = processor(own, "inventory")
    os.kill(before["pid"], signal.SIGKILL)
    after = own.ask("stock", "receive", "319", "4011=1")

    restarted = processor(own, "inventory")

    assert after["levels"][0]["terms"]["on_hand"] == 25
    assert restarted["restarts"] == before["restarts"] + 1
    assert restarted["pid"] != before["pid"]


def test_without_the_projection_a_command_says_that_it_does_not_know(own: Installation) -> None:
    projection = processor(own, "projection")["pid"]
    os.kill(projection, signal.SIGSTOP)
    try:
        told = own("stock", "receive", "367", "4011=24", "--new-store", "--json", BOPIS_READ_WAIT_SECONDS="0.5")
        lag = {it["name"]: it["lag"] for it in own.ask("status")["processors"]}
    finally:
        os.kill(projection, signal.SIGCONT)

    assert told.code == 75
    assert "do not send it again" in told.document["error"]["message"]
    assert (lag["inventory"], lag["projection"] > 0) == (0, True)
    assert seen_in_time(own, "367") == 24


def seen_in_time(installation: Installation, store: str) -> int:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        shown = installation("stock", "show", store, "4011", "--json")
        if shown.code == 0:
            return int(shown.document["levels"][0]["atp"])
        time.sleep(0.1)
    raise AssertionError("the projection did not catch up")


def test_following_a_topic_shows_records_as_they_come_until_told_to_stop(bopis: Installation, store: str) -> None:
    following = subprocess.Popen(
        [sys.executable, "-m", "cli", "topics", "tail", "stock", "-n", "0", "--follow", "--key", store, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(BOPIS_DATA_DIR=str(bopis.home)),
        cwd=Path(cli.__file__).parent,
        text=True,
    )
    assert following.stdout is not None
    assert following.stderr is not None
    try:
        # Again and again: what came before the command had looked for the end of the topic is not shown.
        for number in range(FOLLOW_TRIES_MAX):
            bopis.ask("stock", "receive", store, "4011=1", "--id", f"followed-{store}-{number}")
            if select.select([following.stdout], [], [], FOLLOW_SECONDS)[0]:
                line = following.stdout.readline()
                break
        else:
            raise AssertionError("nothing is shown")
    finally:
        following.send_signal(signal.SIGINT)
        code = _exit_code(following, 20)
        said = following.stderr.read()
        following.stdout.close()
        following.stderr.close()

    assert f"followed-{store}-" in line
    # A shell shows 130 for both: the program's own code, and an interpreter that was interrupted while it ended.
    assert code in (130, -signal.SIGINT)
    assert "Traceback" not in said


def _exit_code(process: "subprocess.Popen[str]", seconds: float) -> int | None:
    """The exit code of a process that was asked to leave; None when it had to be killed."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def test_an_interrupt_comes_through_although_a_library_swallows_the_first_one() -> None:
    swallowed, before = [], signal.getsignal(signal.SIGINT)

    @interruptible()
    def follow() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as interrupt:
            swallowed.append(interrupt)
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        follow()

    assert len(swallowed) == 1
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
