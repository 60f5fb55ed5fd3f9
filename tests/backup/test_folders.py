"""Back-ups of a log, of keys and of access: complete, checked, and never over something else."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, insert, select

from bopis.access.keys import new_key
from bopis.access.roles import Role
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import Vault, keys_url, open_vault
from bopis.broker.storage.copying import copy_log
from bopis.readside.engine import connect, writing
from bopis.readside.migrate import upgrade
from bopis.readside.schema import consumed
from bopis.settings import Settings
from tests.cli.program import Answer, run
from tests.engines import Engine
from tests.engines.embedded import EmbeddedEngine
from tests.engines.wire import Wire, batch

TOPIC = "bopis.stock"
ANNA = {"name": "Anna", "email": "anna@example.org"}
RECORDS = 20
CONFLICT, INVALID, CONFIGURATION, NOT_FOUND = 4, 5, 78, 3


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    """A log with two partitions of twenty records each, which runs."""
    engine = EmbeddedEngine(tmp_path_factory.mktemp("home") / "data")
    engine.start()
    with Wire(engine.address) as wire:
        assert wire.create_topic(TOPIC, 2, {}) == 0
        for _ in range(RECORDS):
            for partition in (0, 1):
                assert wire.produce(TOPIC, batch((b"key", b"value")), partition).error_code == 0
    yield engine
    assert engine.stop() == 0


@pytest.fixture
def home(log: EmbeddedEngine) -> Path:
    return log.directory


@pytest.fixture
def sealed(home: Path) -> str:
    """A value of the customer C1, who has a key in the installation."""
    vault = open_vault(Settings(data_dir=home))
    sealed = vault.seal("C1", ANNA)
    vault.close()
    return sealed


@pytest.fixture
def made(home: Path, sealed: str, tmp_path: Path) -> Path:
    """A complete back-up with the master key."""
    assert backup(home, tmp_path / "made", "--with-master-key").code == 0
    return tmp_path / "made"


def backup(home: Path, folder: Path, *words: str) -> Answer:
    return run("backup", str(folder), "--json", "--data-dir", str(home), *words)


def restore(folder: Path, home: Path, *words: str, **environment: str) -> Answer:
    return run("restore", str(folder), "--json", "--yes", "--data-dir", str(home), *words, **environment)


def opened(home: Path) -> Vault:
    return open_vault(Settings(data_dir=home))


def test_every_record_comes_back(made: Path, sealed: str, tmp_path: Path) -> None:
    restored = restore(made, tmp_path / "new")

    assert restored.code == 0, restored.err
    engine = EmbeddedEngine(tmp_path / "new")
    engine.start()
    try:
        with Wire(engine.address) as wire:
            assert [wire.offset(TOPIC, -1, partition) for partition in (0, 1)] == [RECORDS, RECORDS]
            assert wire.produce(TOPIC, batch((b"key", b"more"))).base_offset == RECORDS
    finally:
        assert engine.stop() == 0
    vault = opened(tmp_path / "new")
    assert vault.open("C1", sealed) == ANNA
    vault.close()


def test_a_copy_is_one_instant_of_all_partitions(home: Path, log: EmbeddedEngine, tmp_path: Path) -> None:
    over = threading.Event()

    def append() -> None:
        with Wire(log.address) as wire:
            assert wire.create_topic("turns", 2, {}) == 0
            while not over.is_set():
                for partition in (0, 1):
                    wire.produce("turns", batch((b"k", b"v" * 5_000)), partition)

    thread = threading.Thread(target=append)
    thread.start()
    try:
        ends = [
            {it.partition: it.offset for it in copy_log(home / "log.sqlite3", tmp_path / f"{n}", lambda *_: None)
             if it.topic == "turns"}
            for n in range(8)
        ]  # fmt: skip
    finally:
        over.set()
        thread.join()

    appended = [it for it in ends if it]
    assert appended[-1][0] > appended[0][0]
    assert all(it[0] - it[1] in (0, 1) for it in appended), appended


@pytest.mark.parametrize("name", ["log.sqlite3", "access.json", "settings.json", "master.key"])
def test_a_changed_file_is_found_before_anything_is_restored(name: str, made: Path, tmp_path: Path) -> None:
    content = bytearray((made / name).read_bytes())
    content[len(content) // 2] ^= 1
    (made / name).write_bytes(content)

    refused = restore(made, tmp_path / "new")

    assert refused.code == INVALID
    assert name in refused.out + refused.err
    assert not (tmp_path / "new").exists()


def test_changed_keys_are_found_also_after_an_erasure(home: Path, made: Path, tmp_path: Path) -> None:
    (file,) = made.glob("keys-*.json")
    file.write_bytes(file.read_bytes().replace(b'"C1"', b'"C9"'))

    refused = restore(made, tmp_path / "new")
    vault = opened(home)
    vault.erase("C9")
    vault.close()

    assert refused.code == INVALID
    assert b'"C9"' not in file.read_bytes()
    assert restore(made, tmp_path / "new").code == INVALID
    assert not (tmp_path / "new" / "log.sqlite3").exists()


def test_an_interrupted_back_up_is_none(made: Path, tmp_path: Path) -> None:
    (made / "backup.json").unlink()

    assert restore(made, tmp_path / "new").code == INVALID


def test_each_back_up_has_a_folder_of_its_own(home: Path, made: Path) -> None:
    assert backup(home, made).code == CONFLICT


def test_a_directory_without_a_log_is_no_installation(tmp_path: Path) -> None:
    refused = backup(tmp_path / "empty", tmp_path / "made")

    assert refused.code == NOT_FOUND
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("left", ["log.sqlite3", "log.sqlite3-wal"])
def test_nothing_is_overwritten(left: str, made: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / left).write_bytes(b"what is left")

    refused = restore(made, tmp_path / "new")

    assert refused.code == CONFLICT
    assert (tmp_path / "new" / left).read_bytes() == b"what is left"


def test_a_log_of_other_settings_is_refused(made: Path, tmp_path: Path) -> None:
    refused = restore(made, tmp_path / "new", "--prefix", "other.")

    assert refused.code == CONFIGURATION
    assert "topic_prefix" in refused.out + refused.err


def test_without_the_master_key_the_error_names_it_and_nothing_is_restored(
    home: Path, sealed: str, tmp_path: Path
) -> None:
    assert backup(home, tmp_path / "made").code == 0
    assert not (tmp_path / "made" / "master.key").exists()

    refused = restore(tmp_path / "made", tmp_path / "new")
    shutil.copy(home / "master.key", tmp_path / "kept")
    restored = run(
        "restore", str(tmp_path / "made"), "--yes", "--data-dir", str(tmp_path / "new"),
        BOPIS_MASTER_KEY_FILE=str(tmp_path / "kept"),
    )  # fmt: skip

    assert refused.code == CONFIGURATION
    assert restored.code == 0


def test_the_read_side_is_emptied(made: Path, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'new' / 'readside.sqlite3'}")
    upgrade(engine)
    with writing(engine) as connection:
        row = {"topic": "stock", "partition": 0, "position": 99_999, "recorded_ms": 0, "updated_ms": 0}
        connection.execute(insert(consumed).values(row | {"source_position": -1, "claim": 0, "stale": False}))

    assert restore(made, tmp_path / "new").code == 0

    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(consumed)) == 0
    engine.dispose()


def test_a_customer_erased_after_the_back_up_stays_erased(home: Path, made: Path, sealed: str, tmp_path: Path) -> None:
    vault = opened(home)
    vault.seal("C2", ANNA)
    assert backup(home, tmp_path / "second").code == 0
    vault.erase("C2")
    vault.close()

    restored = restore(tmp_path / "second", tmp_path / "new", BOPIS_MASTER_KEY_FILE=str(home / "master.key"))

    assert restored.code == 0
    assert "C2" not in "".join(it.read_text() for it in (tmp_path / "second").glob("keys-*.json"))


def test_a_later_back_up_erases_what_an_unreached_one_brings_back(home: Path, sealed: str, tmp_path: Path) -> None:
    vault = opened(home)
    kept = vault.seal("C3", ANNA)
    assert backup(home, tmp_path / "made", "--with-master-key").code == 0
    shutil.move(tmp_path / "made", tmp_path / "moved")
    vault.erase("C3")
    unreached = vault.keys.unreached_backups()
    later = vault.keys.back_up(tmp_path / "later", 7)
    vault.close()

    assert restore(tmp_path / "moved", tmp_path / "new").code == 0
    new = opened(tmp_path / "new")
    brought_back = new.open("C3", kept)
    assert run("privacy", "restore", str(later), "--yes", "--data-dir", str(tmp_path / "new")).code == 0

    assert tmp_path / "made" in unreached
    assert brought_back == ANNA
    assert new.open("C3", kept) is None
    (older,) = (tmp_path / "moved").glob("keys-*.json")
    assert new.keys.restore(older) == 0
    assert new.open("C3", kept) is None
    assert new.open("C1", sealed) == ANNA
    new.close()


def test_what_was_revoked_here_stays_revoked(home: Path, made: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    (tmp_path / "new").mkdir()
    source, target = AccessTable(keys_url(Settings(data_dir=home))), AccessTable(keys_url(settings))
    _, record = new_key("shop", Role.SHOP_FRONT, created_ms=1)
    _, other = new_key("till", Role.TILL, created_ms=2)
    source.put_key(record)
    source.put_key(other)
    target.put_key(msgspec.structs.replace(record, revoked_ms=5))

    stored = target.restore(source.exported())

    assert stored == len(source.keys()) - 1
    assert [target.key(it.id).revoked_ms for it in (record, other)] == [5, 0]  # type: ignore[union-attr]  # both are there
    source.close()
    target.close()


def test_on_apache_kafka_keys_and_offsets_are_kept_and_the_topics_must_be_there(engine: Engine, tmp_path: Path) -> None:
    prefix, home = f"{tmp_path.name}.", tmp_path / "home"
    words = ("--broker", f"kafka://{engine.bootstrap}", "--data-dir", str(home))
    key = {"BOPIS_MASTER_KEY": "A" * 43 + "="}
    with Wire(engine.address) as wire:
        assert wire.create_topic(f"{prefix}stock", 1, {}) == 0
        wire.produce(f"{prefix}stock", batch((b"k", b"v")))

    made = run("backup", str(tmp_path / "made"), "--json", "--prefix", prefix, *words, **key)
    restored = run("restore", str(tmp_path / "made"), "--json", "--yes", "--prefix", prefix, *words, **key)
    with Wire(engine.address) as wire:
        wire.delete_topics([f"{prefix}stock"])
    behind = run("restore", str(tmp_path / "made"), "--yes", "--prefix", prefix, *words, **key)

    assert made.document["cut"] == {f"{prefix}stock": {"0": 1}}
    assert made.document["has_keys"]
    assert restored.code == 0, restored.err
    assert behind.code == CONFLICT
    assert f"{prefix}stock/0 at 0 of 1" in behind.out + behind.err


def test_a_back_up_is_for_its_owner_only(made: Path) -> None:
    assert made.stat().st_mode & 0o077 == 0
    assert not [it.name for it in made.iterdir() if it.stat().st_mode & 0o077]
    connection = sqlite3.connect(made / "log.sqlite3")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
