"""Commands of the agent: its state, its journal, what waits for people, and reports that need no connection."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bopis.adapters.agent_process import AgentOptions, as_file, from_file
from bopis.journal.entries import Reject
from bopis.journal.journal import Journal, system_ms
from bopis.journal.status import STATE, WARNINGS_MAX, UplinkState, put_state, put_warnings
from bopis.wire.stock import STOCK
from store_agent.runtime import Agent
from tests.cli.program import Answer, clean_environment, run
from tests.engines.embedded import EmbeddedEngine
from tests.store_agent.agents import STORE, AgentUnderTest, options_for, post, sale
from tests.store_agent.baskets import sold


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Journal(tmp_path / "home" / "agent", STORE) as journal:
        journal.take("till", [sold("a", x=1), sold("a", x=3), Reject(place="f:2", cause="no such word", content=b"z")])
    return tmp_path / "home"


def ask(home: Path, *words: str) -> Answer:
    return run("agent", *words, "--data-dir", str(home))


def bodies(home: Path) -> list[object]:
    with Journal(home / "agent") as journal:
        return [STOCK.decode(it.value).data for it in journal.waiting(100, 1 << 20)]


def test_the_status_says_that_the_agent_does_not_run_and_what_waits(home: Path) -> None:
    answer = ask(home, "status", "--json")

    assert answer.code == 1
    assert (answer.document["runs"], answer.document["uplink"]["connected"]) == (False, False)
    assert {name: answer.document["journal"][name] for name in ("depth", "rejects", "changed", "store")} == {
        "depth": 1, "rejects": 1, "changed": 1, "store": STORE,
    }  # fmt: skip
    assert "Waiting: 1 message, the oldest" in ask(home, "status").out
    assert "1 reject, 1 changed basket" in ask(home, "status").out


def test_the_status_says_why_the_centre_is_not_reached(home: Path) -> None:
    with Journal(home / "agent") as journal:
        put_state(journal, STATE, UplinkState(problem="no route", since_ms=1_796_000_000_000, clock_ahead_ms=-2_000))

    out = ask(home, "status").out

    assert "not connected since 2026-" in out
    assert "no route" in out
    assert "-2,000 ms" in out


def test_the_status_names_what_is_missing_in_files_of_tills_for_a_week(home: Path) -> None:
    now = [1_796_000_000_000]
    with Journal(home / "agent", now_ms=lambda: now[0]) as journal:
        put_warnings(journal, "till", ["old.csv: K-01 has no number 7"])
        now[0] = system_ms()
        put_warnings(journal, "till", [f"a.csv: K-01 has no number {it}" for it in range(WARNINGS_MAX + 1)])
        put_warnings(journal, "till", ["a.csv: K-01 has no number 9"])

    out, document = ask(home, "status").out, ask(home, "status", "--json").document

    assert len(document["warnings"]) == WARNINGS_MAX
    assert document["warnings"][-1]["text"].endswith("9")
    assert "K-01 has no number 20" in out
    assert "old.csv" not in out


def test_the_journal_is_listed_and_sent_again(home: Path) -> None:
    with Journal(home / "agent") as journal:
        journal.acknowledge(1)

    [row] = ask(home, "journal", "--json").document["messages"]
    assert (row["acknowledged"], row["message"]["id"], row["sequence"]) == (True, "a", 1)
    assert "till" in ask(home, "journal", "--source", "till").out
    assert ask(home, "journal", "--source", "other", "--json").document["messages"] == []
    assert ask(home, "resend", "1", "--no-input").code == 2
    assert ask(home, "resend", "1", "--yes", "--json").document["messages"] == 1
    assert not ask(home, "journal", "--json").document["messages"][0]["acknowledged"]
    assert ask(home, "resend", "0", "--yes").code == 3


def test_rejects_and_changed_baskets_are_listed_and_accepted(home: Path) -> None:
    found = ask(home, "rejects", "--json").document
    assert [it["cause"] for it in found["rejects"]] == ["no such word"]
    assert [it["basket"] for it in found["changed"]] == ["a"]
    assert "no such word" in ask(home, "rejects").out

    assert ask(home, "accept", "1", "--json").document["messages"] == 1

    assert [it.lines[0].quantity for it in bodies(home)] == [1, 2]  # type: ignore[attr-defined]  # sales
    assert ask(home, "accept", "1").code == 3
    assert ask(home, "rejects", "--done-up-to", "1", "--json").document["rejects"] == []


def test_reports_are_stored_without_a_connection_and_once(home: Path) -> None:
    assert "journal 2" in ask(home, "count", "4011=20", "--id", "c-1").out
    assert "Already recorded" in ask(home, "count", "4011=20", "--id", "c-1").out
    assert ask(home, "count", "4011=21", "--id", "c-1").code == 4
    assert ask(home, "count", "4011=21", "--id", "c-1").code == 4
    assert ask(home, "receive", "4011=24", "--document", "PO-7").code == 0
    assert ask(home, "ship", "367", "4011=5", "--transfer", "T-1").code == 0
    assert ask(home, "arrive", "367", "4011=5", "--transfer", "T-2", "--partly").code == 0
    assert ask(home, "ship", STORE, "4011=5", "--transfer", "T-3").code == 2
    assert ask(home, "count", "4011=x").code == 2

    assert [type(it).__name__ for it in bodies(home)] == [
        "PosSale", "StockCounted", "StockReceived", "TransferShipped", "TransferReceived",
    ]  # fmt: skip


def test_a_scanner_counts_each_code(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = [sys.executable, "-m", "cli", "agent", "scan", "--id", "s-1", "--json", "--data-dir", str(home)]
    root = Path(__file__).parents[2]

    done = subprocess.run(
        program, input="4011\n4011\n\n852159\n", text=True, capture_output=True, cwd=root, env=clean_environment()
    )

    assert done.returncode == 0, done.stderr
    assert [(it.sku, it.counted) for it in bodies(home)[-1].lines] == [("4011", 2), ("852159", 1)]  # type: ignore[attr-defined]  # a count


def test_without_a_journal_the_commands_say_how_to_begin(tmp_path: Path) -> None:
    answer = ask(tmp_path, "status")

    assert answer.code == 3
    assert "bopis agent run" in answer.err


def test_options_pass_through_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    options = options_for(tmp_path, "127.0.0.1:9", "bopis.")

    assert from_file(as_file(options)) == options


WRONG = {
    "no store": ({}, "Name the store", 2),
    "no key": ({"BOPIS_AGENT_STORE": "319", "BOPIS_AGENT_URL": "https://hq.example"}, "agent_key_file", 78),
    "plain http": ({"BOPIS_AGENT_STORE": "319", "BOPIS_AGENT_URL": "http://hq.example"}, "agent_url", 78),
    "no file of sources": ({"BOPIS_AGENT_STORE": "319", "BOPIS_AGENT_SOURCES": "/none.toml"}, "/none.toml", 78),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_agent_that_cannot_start_says_what_to_correct(name: str) -> None:
    environment, words, code = WRONG[name]

    answer = run("agent", "run", **environment)

    assert (answer.code, words in answer.err) == (code, True), answer.err


def test_the_program_runs_takes_messages_and_stops_when_it_is_asked(log: EmbeddedEngine, tmp_path: Path) -> None:
    words = ["agent", "run", "--store", STORE, "--port", "0", "--data-dir", str(tmp_path / "home")]
    environment = clean_environment(BOPIS_BROKER=f"kafka://{log.bootstrap}")
    root = Path(__file__).parents[2]
    with (tmp_path / "err").open("wb") as err:
        program = subprocess.Popen(
            [sys.executable, "-m", "cli", *words], stdout=subprocess.PIPE, stderr=err, env=environment, cwd=root
        )
    assert program.stdout is not None
    try:
        ready = json.loads(program.stdout.readline())
        assert ready["pid"] == program.pid
        assert post(ready["port"], sale("program", 1, {"4011": 1}))[0] == 202
        second = subprocess.run(
            [sys.executable, "-m", "cli", *words], capture_output=True, text=True, env=environment, cwd=root
        )
        command_line = Path(f"/proc/{program.pid}/cmdline").read_bytes()
    finally:
        os.kill(program.pid, signal.SIGTERM)
        code = program.wait(60)
        program.stdout.close()

    assert code == 0, (tmp_path / "err").read_text()
    assert second.returncode == 75
    assert f"as process {ready['pid']}" in second.stderr
    assert b"/dev/fd/" in command_line


def test_a_part_that_ends_by_a_fault_ends_the_process(
    log: EmbeddedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(options: AgentOptions) -> object:
        class Broken:
            def send(self, entries: object) -> object:
                raise RuntimeError("a bug")

            def close(self) -> None:
                pass

        return Broken()

    monkeypatch.setattr("store_agent.runtime.uplink_of", fall)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    options = options_for(tmp_path, log.bootstrap, "bopis.")

    assert Agent(options).run(os.getpid()) == 70


def test_a_message_that_another_program_writes_is_sent_too(log: EmbeddedEngine, tmp_path: Path) -> None:
    options = options_for(tmp_path / "home" / "agent", log.bootstrap, "bopis.")
    with AgentUnderTest(options, tmp_path) as agent:
        assert ask(tmp_path / "home", "count", "4011=20").code == 0
        agent.wait_sent()
        assert ask(tmp_path / "home", "status", "--json").document["runs"]
        assert agent.stop() == 0
