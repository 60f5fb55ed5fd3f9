"""What an operator meets at night: one sentence, and an exit code after which nothing is tried again."""

import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from bopis.adapters.secrets.errors import MasterKeyDiffers, MasterKeyInvalid, MasterKeyLost, MasterKeyMissing
from bopis.adapters.secrets.vault import check_master_key, open_vault
from bopis.adapters.supervision import ChildStatus
from bopis.errors import CONFIGURATION
from bopis.readside import migrate
from bopis.readside.engine import connect, reading
from bopis.readside.schema import consumed
from bopis.settings import Settings, load
from streams.__main__ import _print_all_ready, main
from tests.cli.program import run

NOW = datetime(2026, 11, 29, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("variable", "near"), [("BOPIS_PARTITONS", "BOPIS_PARTITIONS"), ("BOPIS_DATADIR", "BOPIS_DATA_DIR")]
)
def test_an_unknown_variable_is_refused_with_the_nearest_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, near: str
) -> None:
    monkeypatch.setenv(variable, "8")

    answer = run("status")

    assert (answer.code, answer.out) == (CONFIGURATION, "")
    assert f"No setting '{variable}' (environment); did you mean {near}?" in answer.err


@pytest.mark.parametrize("variable", ["BOPIS_ACTOR", "BOPIS_SERVICE_HOST", "BOPIS_PORT_19092_TCP_ADDR"])
def test_variables_that_are_no_settings_are_left_alone(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "x")

    assert load().partitions == 4


def test_an_unknown_name_in_the_file_is_refused_with_the_nearest_setting(tmp_path: Path) -> None:
    (tmp_path / "bopis.toml").write_text("partitons = 8\n")

    answer = run("status")

    assert answer.code == CONFIGURATION
    assert f"No setting 'partitons' ({tmp_path / 'bopis.toml'}); did you mean partitions?" in answer.err


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "bopis.toml").write_text("partitions = \n")

    answer = run("status")

    assert (answer.code, str(tmp_path / "bopis.toml") in answer.err) == (CONFIGURATION, True)


def test_a_form_that_does_not_fit_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOPIS_NOTICE_QUIET_HOURS", "9 to 5")

    answer = run("status")

    assert answer.code == CONFIGURATION
    assert "does not fit its form: Hours on the store's clock" in answer.err
    assert "[0-9]" not in answer.err


def test_the_workers_refuse_a_setting_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOPIS_PARTITIONS", "many")

    assert main(["up"]) == CONFIGURATION
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("place", ["a-file", "a-file/below", "/proc/nowhere"])
def test_a_data_directory_that_cannot_be_is_refused_in_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("")

    answer = run("up", "--data-dir", str(tmp_path / place))

    assert answer.code == CONFIGURATION
    assert "cannot be written" in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("url", ["nonsense", "mysql://db/bopis", "postgresql+nothing://db/x"])
def test_a_database_url_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("BOPIS_DATABASE", url)
    monkeypatch.setenv("BOPIS_DATA_DIR", str(tmp_path / "data"))

    assert main(["up"]) == CONFIGURATION
    assert "setting database is not the URL" in capsys.readouterr().err


def test_a_damaged_read_side_is_set_aside_and_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "readside.sqlite3"
    file.write_bytes(b"no database" * 1000)
    engine = connect(f"sqlite:///{file}")

    aside = migrate.upgrade_or_rebuild(engine, NOW)

    assert aside == tmp_path / "readside.sqlite3.damaged-20261129T030000"
    assert aside.read_bytes() == b"no database" * 1000
    with reading(engine) as connection:
        assert connection.execute(consumed.select()).all() == []
    assert migrate.upgrade_or_rebuild(engine, NOW) is None
    engine.dispose()


def test_a_command_names_a_damaged_read_side(tmp_path: Path) -> None:
    (tmp_path / "bopis-data").mkdir()
    (tmp_path / "bopis-data" / "readside.sqlite3").write_bytes(b"no database" * 1000)

    answer = run("stock", "show", "319")

    assert (answer.code, "is damaged" in answer.err) == (69, True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with one customer."""
    settings = load(data_dir=tmp_path / "home")
    vault = open_vault(settings)
    vault.seal("c1", {"name": "Ada"})
    vault.close()
    return settings


def test_a_lost_master_key_is_not_replaced(settings: Settings) -> None:
    (settings.data_dir / "master.key").unlink()

    for attempt in (check_master_key, open_vault):
        with pytest.raises(MasterKeyLost, match=r"No master key at .*master\.key, but .*keys\.sqlite3"):
            attempt(settings)
    assert not (settings.data_dir / "master.key").exists()


def test_another_master_key_opens_nothing(settings: Settings) -> None:
    (settings.data_dir / "master.key").unlink()
    open_vault(load(data_dir=settings.data_dir.parent / "other")).close()
    (settings.data_dir.parent / "other" / "master.key").rename(settings.data_dir / "master.key")

    for attempt in (check_master_key, open_vault):
        with pytest.raises(MasterKeyDiffers):
            attempt(settings)


def test_up_and_doctor_say_that_the_master_key_is_lost(settings: Settings) -> None:
    (settings.data_dir / "master.key").unlink()

    up = run("up", "--data-dir", str(settings.data_dir), "--port", "0")
    doctor = run("doctor", "--data-dir", str(settings.data_dir))

    assert (up.code, "No master key at" in up.err) == (CONFIGURATION, True)
    assert "customers' keys" in doctor.out
    assert "No master key at" in doctor.out


def test_checking_the_key_of_a_new_installation_makes_nothing(tmp_path: Path) -> None:
    check_master_key(load(data_dir=tmp_path / "new"))

    assert not (tmp_path / "new").exists()


def test_a_master_key_before_the_first_customer_is_made(tmp_path: Path) -> None:
    open_vault(load(data_dir=tmp_path / "home")).close()
    (tmp_path / "home" / "master.key").unlink()

    open_vault(load(data_dir=tmp_path / "home")).close()

    assert (tmp_path / "home" / "master.key").exists()
    with sqlite3.connect(tmp_path / "home" / "keys.sqlite3") as keys:
        assert keys.execute("SELECT count(*) FROM customer_key").fetchone() == (0,)


def test_o2_57_ready_lists_what_runs_and_names_what_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = [
        ChildStatus(name="inventory", state="ready"),
        ChildStatus(name="notifier", state="gave up", cause="configuration", last_error="No master key"),
    ]
    settings = load(data_dir=tmp_path, broker="kafka://127.0.0.1:9092")

    for as_json in (True, False):
        _print_all_ready(settings, statuses, as_json)

    document, ready, absent = capsys.readouterr().out.splitlines()
    assert json.loads(document)["processors"] == ["inventory"]
    assert json.loads(document)["not_running"] == {"notifier": "No master key"}
    assert ready.startswith("bopis is ready: inventory; log at")
    assert absent == "not running: notifier: No master key"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PARTITIONS", "x", "partitions (from environment BOPIS_PARTITIONS): must be a whole number"),
        ("PARTITIONS", "1.5", "must be a whole number"),
        ("PARTITIONS", "0", "must be at least 1"),
        ("BROKER_PORT", "99999", "must be at most 65535"),
        ("READ_WAIT_SECONDS", "soon", "must be a number"),
        ("NOTICE_QUIET_HOURS", "21-8", "postponed; empty: none (for example 21:00-08:00)"),
        ("LOG_LEVEL", "loud", "debug to error"),
        ("LEAVE_ON_STOP", "perhaps", "must be true or false"),
    ],
)
def test_a_value_that_no_setting_has_is_refused_in_the_words_of_an_operator(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"BOPIS_{name}", value)

    answer = run("status")

    assert (answer.code, said in answer.err) == (CONFIGURATION, True), answer.err
    assert "Input should" not in answer.err
    assert ".." not in answer.err.replace("...", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("order", "list", "--limit", "0"), "it must be at least 1"),
        (("order", "list", "--limit", "x"), "it must be a whole number"),
        (("pickup", "substitute", "7K3M", "0"), "it must be at least 1"),
    ],
)
def test_a_value_of_the_command_line_is_refused_in_words(words: tuple[str, ...], said: str) -> None:
    answer = run(*words)

    assert (answer.code, said in answer.err) == (2, True), answer.err
    assert "Input should" not in answer.err


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("postgresql://127.0.0.1:1/bopis", 69, "cannot be opened: connection"),
        ("sqlite:////proc/nowhere/x.sqlite", 69, "cannot be opened: No such file or directory"),
        ("sqlite:////proc/x.sqlite", 69, "cannot be opened: unable to open database file"),
        ("mysql://host/bopis", 78, "mysql://host/bopis is neither SQLite nor PostgreSQL"),
    ],
)
def test_up_says_in_one_sentence_that_the_database_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, code: int, said: str
) -> None:
    monkeypatch.setenv("BOPIS_DATABASE", url)
    monkeypatch.setenv("BOPIS_DATA_DIR", str(tmp_path / "home"))

    left = main(["up"])
    structlog.reset_defaults()  # the program writes its log to this test's standard error

    told = capsys.readouterr().err
    assert (left, said in told) == (code, True), told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("setting", "value", "error"),
    [("master_key", "abc", MasterKeyInvalid), ("master_key_file", "/nowhere/key", MasterKeyMissing)],
)
def test_a_master_key_that_cannot_be_one_is_refused_before_the_first_order(
    tmp_path: Path, setting: str, value: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_master_key(load(data_dir=tmp_path, **{setting: value}))


def test_a_master_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "master.key").mkdir()

    with pytest.raises(MasterKeyInvalid, match="Is a directory"):
        check_master_key(load(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ROUTING_RULES", "/nowhere.toml", "routing_rules (from environment BOPIS_ROUTING_RULES): /nowhere.toml: "),
        ("NOTICE_TEMPLATES", "/nowhere", "notice_templates cannot be used: /nowhere is no folder"),
        ("BRAND_LOGO", "/nowhere.png", "brand_logo cannot be used: /nowhere.png"),
        ("MASTER_KEY", "abc", "is not 32 bytes in base64"),
    ],
)
def test_up_is_refused_for_files_that_a_part_of_it_could_not_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"BOPIS_{name}", value)
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it was started"))

    answer = run("up", "--port", "0", "--data-dir", str(tmp_path / "home"))

    assert (answer.code, said in answer.err) == (CONFIGURATION, True), answer.err


def test_a_url_of_the_keys_that_no_database_has_is_no_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BOPIS_KEYS_DATABASE", "foo://")

    answer = run("up", "--port", "0", "--data-dir", str(tmp_path / "home"))

    assert (answer.code, "Check keys_database" in answer.err) == (69, True), answer.err


def test_a_settings_file_in_another_encoding_is_named_without_words_of_python(tmp_path: Path) -> None:
    (tmp_path / "bopis.toml").write_bytes(b"\xff\xfe")

    answer = run("status")

    assert (answer.code, "it is not UTF-8" in answer.err) == (CONFIGURATION, True), answer.err
