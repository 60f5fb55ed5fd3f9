"""The judgement of `bopis status`: one line for people and monitors."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from bopis.cli.operate.status import _view, judgement, to_look_at
from bopis.names import PROCESSORS

NOW = datetime(2026, 11, 29, 3, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MINUTE_MS = 60_000


def process(name: str, **changes: Any) -> dict[str, Any]:
    row = {"name": name, "state": "ready", "pid": 7, "restarts": 0, "members": 1, "lag": 0}
    return row | {"cause": "", "last_error": "", "since_ms": NOW_MS - 90 * MINUTE_MS} | changes


def web(**changes: Any) -> dict[str, Any]:
    row = process("web") | {"url": "http://127.0.0.1:8080", "alive": True, "ready": True, "age_ms": 40, "detail": ""}
    return row | changes


def document(*changed: dict[str, Any], **more: Any) -> dict[str, Any]:
    rows = {name: process(name) for name in PROCESSORS} | {it["name"]: it for it in changed if it["name"] != "log"}
    log = next((it for it in changed if it["name"] == "log"), process("log"))
    made: dict[str, Any] = {
        "at": NOW,
        "log": {"address": "127.0.0.1:19092", "embedded": True} | log,
        "web": web(),
        "processors": list(rows.values()),
        "workers": [],
        "data_age": {"stores": 0, "heard": 0},
        "dead_letters_open": 0,
        "misplaced_by_source": {},
        "unknown": None,
        "agents": None,
        "disk": {"free_bytes": 1 << 30, "log_bytes": None, "database_bytes": None},
    } | more
    return made | {"to_look_at": to_look_at(made)}


def test_all_is_well_in_one_line() -> None:
    assert judgement(document()) == f"All well: {len(PROCESSORS)} processors, lag 0, 0 dead letters"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (process("routing", state="not running"), "routing does not run"),
        (process("notifier", state="gave up", last_error="no key"), "notifier gave up: no key"),
        (process("orders", state="failing", cause="code 9"), "orders failing: code 9"),
        (
            process("inventory", restarts=1, since_ms=NOW_MS - 12 * MINUTE_MS, cause="ended by signal SIGKILL"),
            "inventory was started again 12 min ago: ended by signal SIGKILL",
        ),
        (
            process("log", restarts=1, since_ms=NOW_MS - 12 * MINUTE_MS, cause="ended by signal SIGKILL"),
            "log was started again 12 min ago: ended by signal SIGKILL",
        ),
    ],
    ids=lambda it: it["name"] + " " + it["state"] if isinstance(it, dict) else "",
)
def test_what_is_not_well_is_named_and_counted(changed: dict[str, Any], said: str) -> None:
    found = document(changed)

    assert found["to_look_at"] == [said]
    assert judgement(found) == "1 thing to look at"


@pytest.mark.parametrize("name", ["inventory", "log"])
def test_a_fall_is_forgotten_after_an_hour(name: str) -> None:
    fallen = process(name, restarts=3, cause="ended by signal SIGKILL", since_ms=NOW_MS - 61 * MINUTE_MS)

    assert document(fallen)["to_look_at"] == []


def test_o2_01_misplaced_messages_are_named_by_their_source_and_the_setting() -> None:
    found = document(dead_letters_open=5, misplaced_by_source={"till/319/7": 3})

    assert judgement(found) == "2 things to look at"
    assert found["to_look_at"][0].startswith("till/319/7: 3 messages in a wrong partition")
    assert "partitioner=murmur2_random" in found["to_look_at"][0]
    assert found["to_look_at"][1] == "2 open dead letters: `bopis dead-letters list`"


@pytest.mark.parametrize("workers", [0, 12])
def test_it_fits_eighty_columns(workers: int) -> None:
    partitions = [
        {"topic": "inventory-levels", "partition": n, "role": "owner", "state": "ready", "epoch": 1, "lag": 0}
        for n in range(4)
    ]
    rows = [
        {"instance": f"inventory-{n}", "processor": "inventory", "state": "running", "host": "x" * 30, "pid": 99_999}
        | {"partitions": partitions, "trouble": [], "heard_ms_ago": 5}
        for n in range(workers)
    ]
    console = Console(width=80, record=True, file=StringIO())

    console.print(_view(document(workers=rows)))

    lines = console.export_text().splitlines()
    assert lines[0] == f"All well: {len(PROCESSORS)} processors, lag 0, 0 dead letters"
    assert len(lines) < 11 + len(PROCESSORS) + workers
    assert max(map(len, lines)) <= 80


NOT_RUNNING = web(state="not running", pid=None, url=None, alive=False, ready=False, restarts=None, since_ms=None)


@pytest.mark.parametrize(
    ("changed", "looked_at", "line"),
    [
        (web(), [], "http://127.0.0.1:8080, ready, its data are"),
        (NOT_RUNNING, [], "does not run here; `bopis up` or `bopis web serve` starts it"),
        (
            web(ready=False, detail="The log is away."),
            ["web at http://127.0.0.1:8080 is not ready: The log is away."],
            "http://127.0.0.1:8080, alive, not ready: The log is away.",
        ),
        (
            web(alive=False, ready=False, detail="it does not answer (timed out)"),
            ["web at http://127.0.0.1:8080 is not ready: it does not answer (timed out)"],
            "not alive, not ready: it does not answer",
        ),
        (
            web(state="gave up", pid=None, url=None, ready=False, cause="configuration", last_error="8080 is taken"),
            ["web gave up: configuration: 8080 is taken"],
            "does not run here",
        ),
        (web(restarts=2, since_ms=NOW_MS - 5 * MINUTE_MS), ["web was started again 5 min ago"], "ready"),
    ],
    ids=["ready", "none", "not ready", "silent", "given up", "restarted"],
)
def test_the_web_process_is_shown_and_what_is_wrong_with_it_is_named(
    changed: dict[str, Any], looked_at: list[str], line: str
) -> None:
    found = document(web=changed)
    out = StringIO()
    Console(file=out, width=200).print(_view(found))

    assert found["to_look_at"] == looked_at
    assert line in next(it for it in out.getvalue().splitlines() if it.startswith("web  "))


def agent(store: str, **changes: Any) -> dict[str, Any]:
    row = {"store": store, "version": "1", "clock_ahead_ms": 0, "depth": 0, "rejects": 0, "changed": 0, "drift": 0}
    return row | {"reported_at": NOW} | changes


def test_drift_of_a_store_is_something_to_look_at_and_rejects_are_counted() -> None:
    made = document(agents=[agent("S1", drift=2), agent("S2", rejects=1), agent("S3")])
    out = StringIO()

    Console(file=out, width=200).print(_view(made))

    assert made["to_look_at"] == ["store S1: 2 differences between its journal and the books: `bopis stock drift S1`"]
    assert "agents        3 stores, 1 with drift, 1 with rejects, oldest report 0 ms ago" in out.getvalue()
