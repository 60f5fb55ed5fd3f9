"""Secrets: sealed values, the table of keys, erasing, back-ups, codes."""

import os
import sqlite3
import stat
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import SecretStr

from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.codes import Lookups, PickupCodes
from bopis.adapters.secrets.errors import MasterKeyDiffers, MasterKeyInvalid, MasterKeyMissing, SealInvalid
from bopis.adapters.secrets.key_table import KeyTable, has_keys
from bopis.adapters.secrets.master import MasterKey, Purpose, make_master_key, master_key
from bopis.adapters.secrets.sealing import new_key, seal, unseal
from bopis.adapters.secrets.vault import Vault, master_key_of, open_vault
from bopis.adapters.webhooks.table import WebhookTable
from bopis.settings import Settings

CANARY = "Zebulon Quastenflosser"
STARTS, TURNS = 8, 12
ANNA = {"name": CANARY, "email": "zq@example.org", "phone": "+49 30 1234567"}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(Settings(data_dir=tmp_path))


def everything_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_was_sealed_opens_for_the_same_customer_only(vault: Vault) -> None:
    sealed = vault.seal("C1", ANNA)
    vault.seal("C2", {"name": "other"})

    assert vault.open("C1", sealed) == ANNA
    with pytest.raises(SealInvalid):
        vault.open("C2", sealed)


def test_the_same_data_look_different_each_time(vault: Vault) -> None:
    assert vault.seal("C1", ANNA) != vault.seal("C1", ANNA)


@given(flipped=some.integers(min_value=0))
def test_a_changed_value_does_not_open(flipped: int) -> None:
    key = new_key()
    sealed = seal(key, "C1", ANNA)
    at = flipped % len(sealed)
    other = "A" if sealed[at] != "A" else "Q"
    changed = sealed[:at] + other + sealed[at + 1 :]

    try:
        opened = unseal(key, "C1", changed)
    except SealInvalid:
        return
    # The last character of base64 carries bits that belong to nothing.
    assert opened == ANNA
    assert at == len(sealed) - 1


def test_nothing_readable_is_on_disk_and_after_erasing_nothing_opens(vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal("C1", ANNA)
    vault.keys.remember("C1", [vault.lookups.email(ANNA["email"])])
    assert vault.keys.find(vault.lookups.email("ZQ@Example.org ")) == "C1"

    assert vault.erase("C1") is True

    assert vault.open("C1", sealed) is None
    assert vault.keys.find(vault.lookups.email(ANNA["email"])) is None
    assert vault.erase("C1") is False
    for words in ANNA.values():
        assert words.encode() not in everything_on_disk(tmp_path)


def test_an_erased_key_leaves_no_bytes_in_the_table_or_its_back_ups(vault: Vault, tmp_path: Path) -> None:
    # Names so long are never in random bytes by chance.
    vault.seal("erased-customer", ANNA)
    vault.seal("other-customer", ANNA)
    backup = vault.keys.back_up(vault.backups, 7)
    assert b"erased-customer" in backup.read_bytes()

    vault.erase("erased-customer")

    vault.close()
    kept = everything_on_disk(tmp_path)
    assert b"erased-customer" not in kept
    assert b"other-customer" in kept


def test_keys_come_back_from_a_back_up_but_not_those_of_the_erased(vault: Vault, tmp_path: Path) -> None:
    sealed = {customer: vault.seal(customer, ANNA) for customer in ("C1", "C2")}
    backup = vault.keys.back_up(vault.backups, 7)
    vault.erase("C1")
    vault.close()
    (tmp_path / "keys.sqlite3").unlink()

    again = open_vault(Settings(data_dir=tmp_path))
    restored = again.keys.restore(backup)

    assert restored == 1
    assert again.open("C2", sealed["C2"]) == ANNA
    assert again.open("C1", sealed["C1"]) is None


def test_back_ups_live_only_so_long(vault: Vault) -> None:
    vault.seal("C1", ANNA)
    vault.backups.mkdir()
    old = vault.backups / "keys-1000000.json"
    old.write_text('{"keys":{},"lookups":{}}')

    kept = vault.keys.back_up(vault.backups, 7)

    assert list(vault.backups.iterdir()) == [kept]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_master_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = make_master_key(tmp_path)
    second = make_master_key(tmp_path)

    assert first.secret == second.secret
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]
    assert first.secret.hex() not in repr(first)


def test_a_log_of_several_machines_wants_its_master_key_set(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, broker="kafka://127.0.0.1:9092")

    with pytest.raises(MasterKeyMissing, match="BOPIS_MASTER_KEY_FILE"):
        open_vault(settings)


@pytest.mark.parametrize("text", ["short", "", "ö" * 44, b64encode(b"x" * 31).decode()])
def test_what_is_no_key_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "master.key"
    file.write_text(text)

    with pytest.raises(MasterKeyInvalid, match=r"master\.key"):
        master_key("", file, tmp_path)


def test_another_master_key_is_named_before_anything_is_written(vault: Vault, tmp_path: Path) -> None:
    vault.seal("C1", ANNA)
    vault.close()
    other = SecretStr(b64encode(os.urandom(32)).decode())

    with pytest.raises(MasterKeyDiffers, match="BOPIS_MASTER_KEY"):
        open_vault(Settings(data_dir=tmp_path, master_key=other))


def test_two_that_make_a_key_for_one_customer_get_the_same_one(tmp_path: Path) -> None:
    master = make_master_key(tmp_path)
    url = f"sqlite:///{tmp_path / 'keys.sqlite3'}"
    one, two = KeyTable(url, master), KeyTable(url, master)

    assert one.key_for("C1") == two.key_for("C1")


def test_keys_of_different_purposes_have_nothing_in_common() -> None:
    master = MasterKey("test", b"\x01" * 32)

    derived = {master.derive(purpose) for purpose in Purpose}

    assert len(derived) == len(Purpose)
    assert all(len(key) == 32 for key in derived)


def test_a_code_is_spoken_or_typed_in_any_spacing() -> None:
    codes = PickupCodes(b"k" * 32)
    code = codes.code("4K7P92QX", 1)

    spoken = f" {code[:3]} {code[3:]}-"

    assert len(code) == 6
    assert codes.hash_of_code("4K7P92QX", spoken) == codes.hashes("4K7P92QX", 1)[0]
    assert codes.hash_of_token("4K7P92QX", codes.token("4K7P92QX", 1).lower()) == codes.hashes("4K7P92QX", 1)[1]


def test_codes_of_other_orders_versions_and_keys_differ() -> None:
    codes, others = PickupCodes(b"k" * 32), PickupCodes(b"o" * 32)

    tokens = {codes.token("A", 1), codes.token("A", 2), codes.token("B", 1), others.token("A", 1)}
    hashes = {codes.hashes("A", 1), codes.hashes("A", 2), codes.hashes("B", 1), others.hashes("A", 1)}

    assert len(tokens) == len(hashes) == 4
    assert codes.hash_of_code("A", "123456") != codes.hash_of_code("B", "123456")


def test_codes_are_spread_over_all_digits() -> None:
    codes = PickupCodes(b"k" * 32)

    first = {codes.code(f"order-{number}", 1)[0] for number in range(300)}

    assert first == set("0123456789")


def test_a_phone_number_is_found_however_it_is_written() -> None:
    lookups = Lookups(b"k" * 32)

    assert lookups.phone("+49 (30) 123-4567") == lookups.phone("0049301234567")
    assert lookups.phone("+49 30 1234567") != lookups.phone("+49 30 1234568")


def test_a_value_cannot_be_moved_to_somebody_else_even_under_one_key() -> None:
    key = new_key()
    sealed = seal(key, "C1", ANNA)

    with pytest.raises(SealInvalid):
        unseal(key, "C2", sealed)


def test_keys_of_many_threads_are_stored_once_each(vault: Vault) -> None:
    """They are committed together; each thread must find its own key, and equal customers share one."""
    names = [f"customer-{number % 30}" for number in range(120)]
    with ThreadPoolExecutor(24) as threads:
        sealed = list(threads.map(lambda name: (name, vault.seal(name, ANNA)), names))

    assert all(vault.open(name, text) == ANNA for name, text in sealed)


@pytest.mark.parametrize("table", [lambda url: KeyTable(url, MasterKey("here", bytes(32))), AccessTable, WebhookTable])
def test_processes_that_start_together_create_the_tables_together(
    tmp_path: Path, table: Callable[[str], KeyTable | AccessTable | WebhookTable]
) -> None:
    together = Barrier(STARTS)

    def start(number: int) -> None:
        for turn in range(TURNS):
            together.wait(60)
            table(f"sqlite:///{tmp_path / f'{turn}.sqlite3'}").close()

    with ThreadPoolExecutor(STARTS) as pool:
        list(pool.map(start, range(STARTS)))

    made = [tables_of(tmp_path / f"{turn}.sqlite3") for turn in range(TURNS)]
    assert made[0]
    assert made == [made[0]] * TURNS


def tables_of(file: Path) -> set[str]:
    """Names of the tables and indexes of an SQLite file."""
    with closing(sqlite3.connect(file)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


@pytest.mark.parametrize("read", [open_vault, master_key_of])
def test_a_master_key_that_another_process_makes_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Settings], Vault | MasterKey]
) -> None:
    settings = Settings(data_dir=tmp_path)

    def other_process_is_faster(url: str) -> bool:
        with closing(open_vault(settings)) as vault:
            vault.seal("C1", ANNA)
        return has_keys(url)

    real, looks = has_keys, [other_process_is_faster]
    monkeypatch.setattr("bopis.adapters.secrets.vault.has_keys", lambda url: (looks.pop() if looks else real)(url))

    assert read(settings) is not None
