"""The supervisor, with children that are ten-line scripts."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from bopis.adapters.supervision import SupervisorStatus, read_status
from streams.limits import SupervisorLimits
from streams.process.supervisor import Child, ChildState, Supervisor, meaning

QUICK = SupervisorLimits(
    ready_s_max=60, stop_s_max=30, restart_backoff_s=0.05, restart_backoff_s_max=0.2, restarts_max=3
)
# Ready is printed last: a signal may come at once.
STEADY = "import signal, time, sys\n{more}\nprint('ready', flush=True)\ntime.sleep(60)"
NOTES_ITS_END = (
    "def end(*_):\n    open({path!r}, 'a').write({name!r})\n    sys.exit(0)\nsignal.signal(signal.SIGTERM, end)"
)


def child(name: str, code: str, essential: bool = False) -> Child:
    return Child(name=name, command=(sys.executable, "-c", code), essential=essential)


async def until(state_file: Path, wanted: dict[str, ChildState]) -> SupervisorStatus:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if state_file.exists():
            status = read_status(state_file)
            if {c.name: c.state for c in status.children} == wanted:
                return status
        await asyncio.sleep(0.02)
    raise AssertionError(f"{wanted} not reached: {state_file.read_text()}")


async def test_the_essential_child_starts_first_and_stops_last(tmp_path: Path) -> None:
    ends, state = tmp_path / "ends", tmp_path / "state.json"
    children = [
        child(name, STEADY.format(more=NOTES_ITS_END.format(path=str(ends), name=name)), essential=name == "a")
        for name in ("a", "b", "c")
    ]
    begun: list[tuple[str, str]] = []
    supervisor = Supervisor(children, state, QUICK, changed=lambda it: begun.append((it.name, it.state)))
    running = asyncio.create_task(supervisor.run())
    await until(state, dict.fromkeys("abc", ChildState.READY))

    os.kill(os.getpid(), signal.SIGTERM)
    code = await running

    assert code == 0
    assert begun[:2] == [("a", ChildState.STARTING), ("a", ChildState.READY)]
    assert sorted(ends.read_text()[:2]) == ["b", "c"]
    assert ends.read_text()[2:] == "a"
    assert [c.state for c in read_status(state).children] == [ChildState.STOPPED] * 3


async def test_a_child_that_falls_is_started_again_and_counted(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    supervisor = Supervisor([child("a", STEADY.format(more="")), child("b", STEADY.format(more=""))], state, QUICK)
    running = asyncio.create_task(supervisor.run())
    before = await until(state, dict.fromkeys("ab", ChildState.READY))

    fallen, other = before.children
    os.kill(fallen.pid or 0, signal.SIGKILL)
    await asyncio.sleep(0.1)
    after = await until(state, dict.fromkeys("ab", ChildState.READY))

    assert after.children[0].pid != fallen.pid
    assert after.children[0].restarts == 1
    assert after.children[0].exit_code == -signal.SIGKILL
    assert after.children[1].pid == other.pid
    supervisor.stop()
    await running


async def test_a_child_that_always_falls_is_tried_for_ever_and_the_others_go_on(tmp_path: Path) -> None:
    """The cause may pass: a disk is freed, a log takes writes again. Until then the child is reported as failing."""
    state, mended = tmp_path / "state.json", tmp_path / "mended"
    code = f"import os\nif not os.path.exists({str(mended)!r}): raise SystemExit(81)\n" + STEADY.format(more="")
    supervisor = Supervisor([child("a", code), child("b", STEADY.format(more=""))], state, QUICK)
    running = asyncio.create_task(supervisor.run())
    status = await until(state, {"a": ChildState.FAILING, "b": ChildState.READY})

    assert status.children[0].restarts > QUICK.restarts_max
    assert status.children[0].cause == "the log refused a request of a worker; the error names it"

    mended.touch()

    await until(state, {"a": ChildState.READY, "b": ChildState.READY})
    supervisor.stop()
    assert await running == 0


async def test_the_last_error_of_a_child_is_reported_with_its_end(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    line = '{"event":"error","name":"worker.fell","error":"worker.fell: no luck today"}'
    supervisor = Supervisor([child("a", f"print({line!r}, flush=True)\nraise SystemExit(78)")], state, QUICK)
    running = asyncio.create_task(supervisor.run())

    status = await until(state, {"a": ChildState.GAVE_UP})

    assert status.children[0].last_error == "worker.fell: no luck today"
    assert "starting again would not help" in status.children[0].cause
    supervisor.stop()
    await running


@pytest.mark.parametrize(
    ("code", "words"),
    [(-9, "SIGKILL"), (75, "another worker"), (80, "made no progress"), (81, "refused"), (9, "code 9")],
)
def test_an_exit_code_has_a_meaning(code: int, words: str) -> None:
    assert words in meaning(code)


async def test_without_an_essential_child_everything_stops(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    children = [child("a", STEADY.format(more="")), child("b", "raise SystemExit(78)", essential=True)]

    code = await asyncio.wait_for(Supervisor(children, state, QUICK).run(), 60)

    assert code == 78
    assert [c.state for c in read_status(state).children] == [ChildState.STOPPED, ChildState.GAVE_UP]
    assert read_status(state).children[1].restarts == 0


async def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    deaf = STEADY.format(more="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    limits = msgspec.structs.replace(QUICK, stop_s_max=0.3)
    supervisor = Supervisor([child("a", deaf)], state, limits)
    running = asyncio.create_task(supervisor.run())
    status = await until(state, {"a": ChildState.READY})

    supervisor.stop()
    await asyncio.wait_for(running, 60)

    assert not psutil.pid_exists(status.children[0].pid or 0)


async def test_a_child_ended_cleanly_by_its_operator_stays_ended(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    code = STEADY.format(more="signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))")
    supervisor = Supervisor([child("a", code), child("b", STEADY.format(more=""))], state, QUICK)
    running = asyncio.create_task(supervisor.run())
    status = await until(state, dict.fromkeys("ab", ChildState.READY))

    os.kill(status.children[0].pid or 0, signal.SIGTERM)

    await until(state, {"a": ChildState.STOPPED, "b": ChildState.READY})
    supervisor.stop()
    await running
