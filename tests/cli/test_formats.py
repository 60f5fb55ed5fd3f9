"""How the program answers whoever asks, with nothing running."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from bopis.cli.app.groups import hoisted
from bopis.domain.notices.vocabulary import Channel
from tests.cli.program import clean_environment, run


def test_global_options_may_stand_anywhere() -> None:
    words = ["stock", "show", "319", "--data-dir", "here", "--prefix=x.", "4011", "--no-input"]

    assert hoisted(words) == ["--data-dir", "here", "--prefix=x.", "--no-input", "stock", "show", "319", "4011"]


def test_nothing_after_two_dashes_is_touched() -> None:
    assert hoisted(["stock", "--", "--data-dir", "x"]) == ["stock", "--", "--data-dir", "x"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["stock", "show", "319", "4011"], 69, "bopis up"),
        (["stock", "receive", "319", "4011=1"], 69, "bopis up"),
        (["status"], 69, "bopis up"),
        (["verify"], 69, "bopis up"),
        (["topics", "list"], 69, "bopis up"),
        (["dead-letters", "list"], 69, "bopis up"),
        (["db", "check"], 69, "bopis up"),
        (["worker", "inventory"], 69, "bopis up"),
        (["worker", "nobody"], 2, "inventory"),
        (["order", "place", "319", "4011=1", "--channel", "chat"], 69, "bopis up"),
        (["stock", "receive", "319", "4011"], 2, "SKU=NUMBER"),
        (["stock", "receive", "319", "4011=0"], 2, "between 1 and"),
        (["stock", "receive", "319", "4011=-1"], 2, "between 1 and"),
        (["stock", "receive", "319", "=1"], 2, "SKU=NUMBER"),
        (["stock", "receive", "319", f"{'9' * 65}=1"], 2, "longer than 64"),
        (["stock", "adjust", "319", "4011=0", "--reason", "found"], 2, "changes nothing"),
        (["stock", "transfer", "319", "319", "4011=1"], 2, "another one"),
        (["stock", "transfer", "319", "367", "4011=1", "--arrived"], 2, "--transfer ID"),
        (["stock", "transfer", "319", "367", "4011=1", "--partly"], 2, "--arrived"),
        (["stock", "transfer", "319", "367", "4011=1", "--transfer", "T", "--arrived", "--on", "1d"], 2, "--arrived"),
        (["stock", "expect", "319", "PO-7", "4011=1"], 2, "--on DATE"),
        (["stock", "expect", "319", "PO-7", "--on", "2099-01-01"], 2, "SKU=NUMBER"),
        (["stock", "expect", "319", "PO-7", "4011=1", "--on", "2020-01-01"], 2, "has passed"),
        (["stock", "expect", "319", "PO-7", "4011=1", "--withdraw"], 2, "without lines"),
        (["stock", "expected"], 69, "bopis up"),
        (["stock", "transfers"], 69, "bopis up"),
        (["stock", "categorise", "319", "4011=", "x=y"], 2, "SKU=CATEGORY"),
        (["stores", "policy", "319", "--sku", "4011"], 2, "--safety-stock"),
        (["stores", "policy", "319", "--sku", "4011", "--category", "x", "--remove"], 2, "not both"),
        (["stores", "policy", "319", "--remove", "--walk-in", "1"], 2, "--remove"),
        (["dead-letters", "discard", "stock/0/1", "--yes"], 2, "--reason"),
        (["dead-letters", "retry"], 2, "--all"),
        (["--broker", "http://x", "topics", "list"], 2, "kafka://HOST:PORT"),
        (["--broker", "kafka://x:1", "broker"], 2, "embedded"),
        (["--broker", "x", "up"], 2, "kafka://HOST:PORT"),
        (["broker", "--limit", "x"], 2, "NAME=VALUE"),
        (["broker", "--limit", "nothing=1"], 2, "limits are"),
        (["--database", "mysql://h/x", "stock", "show", "1"], 78, "SQLite or PostgreSQL"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(words: list[str], code: int, says: str) -> None:
    answer = run(*words)

    assert answer.code == code, answer.err
    assert says in answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err


def test_a_failure_is_one_document_too() -> None:
    answer = run("stock", "show", "319", "--json")

    assert answer.document["error"]["name"] == "ReadSideMissing"
    assert answer.document["error"]["exit_code"] == answer.code == 69


def test_a_fault_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from bopis.cli.operate import config

    def broken(_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(config, "setting_rows", broken)

    answer = run("config", "show")

    assert answer.code == 1
    assert "Unexpected ZeroDivisionError: by zero" in answer.err
    assert "BOPIS_TRACEBACK=1" in answer.err


def test_words_that_do_not_fit_leave_with_two() -> None:
    assert run("nonsense").code == 2
    assert run("stock", "adjust", "319", "4011=1").code == 2
    assert run("stock", "adjust", "319", "4011=1", "--reason", "whim").code == 2


def test_a_wrong_command_line_is_one_sentence_and_one_document() -> None:
    choice = run("stock", "adjust", "319", "4011=1", "--reason", "whim", "--json")
    option = run("--nonsense", "--json")

    assert choice.err.startswith("Error: Invalid value for '--reason': 'whim' is not one of 'damage', 'theft'")
    assert choice.err.endswith("bopis stock adjust --help.\n")
    assert choice.err.count("\n") == 1
    assert choice.document["error"]["exit_code"] == choice.code == 2
    assert (option.code, option.err.startswith("Error: No such option: --nonsense")) == (2, True)
    assert option.document["error"]["exit_code"] == 2


def test_options_offer_what_the_core_knows_but_the_reasons_of_the_system() -> None:
    channel = run("order", "place", "319", "4011=1", "--channel", "pigeon").err
    reason = run("pickup", "reject", "N6PV", "--reason", "store_withdrawn").err

    assert all(repr(it.value) in channel for it in Channel)
    assert "'too_busy'" in reason
    assert "not_accepted" not in reason


def test_settings_name_their_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bopis.toml").write_text('partitions = 7\ndatabase = "postgresql+psycopg://me:secret@db/bopis"\n')
    monkeypatch.setenv("BOPIS_BROKER_PORT", "7777")

    document = run("config", "show", "--json", "--data-dir", "elsewhere").document
    told = {it["name"]: (it["value"], it["source"]) for it in document["settings"]}

    assert told["data_dir"] == ("elsewhere", "flag")
    assert told["broker_port"] == (7777, "environment BOPIS_BROKER_PORT")
    assert told["partitions"] == (7, f"file {tmp_path / 'bopis.toml'}")
    assert told["topic_prefix"] == ("bopis.", "default")
    assert told["database"][0] == "postgresql+psycopg://me:***@db/bopis"


def test_an_unsound_setting_names_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOPIS_PARTITIONS", "many")

    answer = run("status")

    assert answer.code == 78
    assert "partitions (from environment BOPIS_PARTITIONS)" in answer.err


def test_a_settings_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "bopis.toml").write_text("partitions = \n")

    answer = run("status")

    assert answer.code == 78
    assert "A setting is not valid" in answer.err


def test_asking_nobody_makes_nothing(tmp_path: Path) -> None:
    run("stock", "show", "319", "--data-dir", "not-there")
    run("status", "--data-dir", "not-there")
    run("doctor", "--data-dir", "not-there")

    assert not (tmp_path / "not-there").exists()


def test_doctor_says_what_to_do_when_nothing_runs() -> None:
    answer = run("doctor")
    document = run("doctor", "--json").document

    assert answer.code == 1
    assert "failed" in answer.out
    assert "bopis up" in answer.out
    assert document["healthy"] is False


def test_doctor_finds_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("BOPIS_BROKER_PORT", str(taken.getsockname()[1]))

        document = run("doctor", "--json").document
        up = run("up")

    port = next(it for it in document["checks"] if it["check"] == "port")
    assert port["result"] == "failed"
    assert "--port" in port["advice"]
    assert (up.code, "--port 0" in up.err) == (4, True)


def test_a_log_that_is_gone_is_told_apart_from_none(tmp_path: Path) -> None:
    (tmp_path / "bopis-data").mkdir()
    note = {"pid": 4_000_000, "host": "127.0.0.1", "port": 1}
    (tmp_path / "bopis-data" / "broker.json").write_text(json.dumps(note))

    answer = run("doctor")

    assert "process 4000000, which is gone" in answer.out


def test_rows_that_are_not_sound_are_named_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bopis.cli.app.context.CommandContext.bootstrap", "127.0.0.1:1")
    file = tmp_path / "stores.csv"
    file.write_text(
        "store_id,name,latitude,longitude,time_zone\n"
        "1,One,38.7,-88.1,America/Chicago\n"
        "2,Two,98.7,-88.1,America/Chicago\n"
        "3,Three,38.7,,Mars/Olympus\n"
        "a|b,Four,x,-88.1,\n"
        "1,Again,38.7,-88.1,America/Chicago\n"
    )

    answer = run("stores", "import", str(file))

    assert answer.code == 5
    assert "stores.csv:3: latitude 98.7 lies outside -90 to 90" in answer.err
    assert "stores.csv:4: time_zone 'Mars/Olympus' is not in the time zone database" in answer.err
    assert "stores.csv:5: store_id 'a|b' may not contain '|'" in answer.err
    assert "latitude 'x' is not a number" in answer.err
    assert "stores.csv:6: store_id 1 is in the file twice" in answer.err
    assert "4 of 5 rows are not valid" in answer.err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.csv", None, "No such file"),
        ("bytes.csv", b"\xff\xfe\x00", "UTF-8"),
        ("lines.ndjson", b'{"store_id": "1"}\n{"store_id": [1]}\n', "line 2"),
        ("quotes.csv", b'store_id,name\n1,"x\n', "not CSV"),
    ],
)
def test_files_that_cannot_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, says: str
) -> None:
    monkeypatch.setattr("bopis.cli.app.context.CommandContext.bootstrap", "127.0.0.1:1")
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)

    answer = run("stores", "import", str(file))

    assert answer.code == 5
    assert says in answer.err


def test_the_shell_completes_commands() -> None:
    program = Path(sys.executable).with_name("bopis")
    words = {"_BOPIS_COMPLETE": "complete_bash", "COMP_WORDS": "bopis stock h", "COMP_CWORD": "2"}

    completed = subprocess.run([program], env=clean_environment(**words), capture_output=True, text=True, check=False)

    assert completed.stdout.split() == ["history"]


def test_a_pipe_that_closes_early_is_no_error() -> None:
    piped = subprocess.run(
        f"{sys.executable} -m cli config show | head -1",
        shell=True,
        env=clean_environment(),
        cwd=Path(cli.__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )

    assert piped.stderr == ""


def test_answers_are_plain_where_no_person_looks() -> None:
    assert "\x1b[" not in run("config", "show").out
