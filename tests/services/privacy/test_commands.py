"""Customers' data at the keyboard, and key figures, over a read side that is there without anything running."""

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from bopis.adapters.notices.folders import FOLDER, customer_folder
from bopis.adapters.secrets.database import transaction
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.domain.orders.vocabulary import CustomerRef
from bopis.domain.values import HOUR_MS
from bopis.readside.engine import connect, writing
from bopis.readside.migrate import upgrade
from bopis.readside.schema import stores
from bopis.settings import Settings
from tests.cli.program import Answer, run
from tests.domain.orders import recipes
from tests.domain.orders.world import number
from tests.readside.orderlog import OrderLog
from tests.services.privacy import canaries

ANNA = canaries.customer(1)
EMAIL = canaries.contact(1)["email"]
NOT_FOUND, USAGE, REFUSED = 3, 2, 1


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation in which one customer ordered and collected, with a note, and another one ordered."""
    vault = open_vault(Settings(data_dir=tmp_path))
    log = OrderLog()
    log.now_ms = int(time.time() * 1000) - HOUR_MS
    for n in (1, 2):
        sealed = vault.seal(canaries.customer(n), canaries.contact(n))
        noted = vault.seal(canaries.customer(n), {"note": canaries.note(n)})
        vault.remember(canaries.customer(n), [vault.lookups.email(canaries.contact(n)["email"])])
        who = CustomerRef(id=canaries.customer(n), sealed=sealed)
        log.place(n, customer=who, note=noted)
    recipes.handed_over(log)
    engine = connect(f"sqlite:///{tmp_path / 'readside.sqlite3'}")
    upgrade(engine)
    log.project(engine)
    engine.dispose()
    vault.close()
    return tmp_path


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    vault = open_vault(Settings(data_dir=home))
    yield vault
    vault.close()


def _ask(home: Path, *words: str) -> Answer:
    return run(*words, "--json", "--data-dir", str(home))


def test_a_customer_is_found_by_mail_and_handed_out_whole(home: Path) -> None:
    found = _ask(home, "privacy", "find", "--email", EMAIL.upper()).document
    told = _ask(home, "privacy", "export", ANNA).document

    assert found == {"customer": ANNA, "orders": [number(1)]}
    assert told["contact"] == canaries.contact(1)
    (order,) = told["orders"]
    assert order["note"] == {"note": canaries.note(1)}
    assert order["state"] == "handed_over"
    assert order["timeline"][0]["data"]["customer"]["sealed"] == canaries.contact(1)
    assert "s1." not in json.dumps(told)
    assert canaries.contact(2)["name"] not in json.dumps(told)


def test_who_need_not_know_sees_enough_to_recognise_and_too_little_to_use(home: Path) -> None:
    told = _ask(home, "privacy", "export", ANNA, "--masked").document

    text = json.dumps(told)
    assert told["contact"]["email"] == "z…@quasten.example"
    assert not [it for it in canaries.strings([1]) if it.decode() in text]


def test_an_export_into_a_file_is_for_its_owner_only(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "anna.json"

    said = _ask(home, "privacy", "export", ANNA, "-o", str(path)).document

    assert said["orders"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["contact"]["name"] == canaries.contact(1)["name"]


def test_an_erased_customer_is_without_a_name_everywhere_and_found_no_more(home: Path, vault: Vault) -> None:
    letters = customer_folder(home / FOLDER, ANNA)
    letters.mkdir(parents=True)
    (letters / "letter.eml").write_text(canaries.contact(1)["name"])
    figures = _ask(home, "kpi", "show", "--since", "1d").document["groups"]

    erased = _ask(home, "privacy", "erase", ANNA, "--yes").document

    assert erased == {"customer": ANNA, "had_key": True, "copies": 1, "orders": 1}
    assert not letters.exists()
    told = _ask(home, "privacy", "export", ANNA).document
    assert (told["readable"], told["contact"], told["orders"][0]["note"]) == (False, {}, "erased")
    assert _ask(home, "privacy", "find", "--email", EMAIL).code == NOT_FOUND
    assert _ask(home, "privacy", "erase", ANNA, "--yes").document["had_key"] is False
    assert _ask(home, "kpi", "show", "--since", "1d").document["groups"][0]["kpis"].keys() == figures[0]["kpis"].keys()
    assert _ask(home, "kpi", "show", "--since", "1d").document["groups"][0]["visits"] == figures[0]["visits"] == 2
    other = _ask(home, "privacy", "export", canaries.customer(2)).document
    assert other["contact"] == canaries.contact(2)


def test_erasing_asks_first_and_nobody_is_erased_by_a_slip(home: Path, vault: Vault) -> None:
    unasked = _ask(home, "privacy", "erase", ANNA, "--no-input")
    unknown = _ask(home, "privacy", "erase", "c-unknown", "--yes")

    assert unasked.code != 0
    assert unknown.code == NOT_FOUND
    assert vault.keys.key_of(ANNA) is not None
    assert _ask(home, "privacy", "find").code == USAGE


def test_a_backup_from_elsewhere_brings_back_lost_keys_but_not_who_was_erased(
    home: Path, vault: Vault, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    kept = _ask(home, "privacy", "backup", "--folder", str(away)).document["file"]
    _ask(home, "privacy", "erase", ANNA, "--yes")
    (home / "keys.sqlite3").touch()
    with transaction(vault.keys._engine) as connection:
        connection.exec_driver_sql(f"DELETE FROM customer_key WHERE customer = '{canaries.customer(2)}'")

    restored = _ask(home, "privacy", "restore", kept, "--yes").document

    assert restored["restored"] == 1
    assert vault.keys.key_of(ANNA) is None
    assert vault.keys.key_of(canaries.customer(2)) is not None
    assert vault.find(vault.lookups.email(EMAIL)) is None


def test_a_phone_number_is_found_as_the_country_of_a_store_writes_it(home: Path, vault: Vault) -> None:
    hours = b'{"opening_hours":"24/7","time_zone":"America/Chicago"}'
    engine = connect(f"sqlite:///{home / 'readside.sqlite3'}")
    store = {it.name: "" for it in stores.columns if not it.nullable} | {"store": "S1", "hours": hours.decode()}
    with writing(engine) as connection:
        connection.execute(insert(stores).values(store))
    engine.dispose()
    vault.remember(ANNA, [vault.lookups.phone("+1 270 555 0100")])
    vault.remember(canaries.customer(2), [vault.lookups.phone_digits("270 555 0199")])

    found = [_ask(home, "privacy", "find", "--phone", it) for it in ("(270) 555-0100", "+12705550100", "2705550199")]

    assert [it.document["customer"] for it in found] == [ANNA, ANNA, canaries.customer(2)]


def test_key_figures_are_told_by_store_and_each_is_explained(home: Path) -> None:
    shown = _ask(home, "kpi", "show", "--since", "1d", "--by", "store")
    one = _ask(home, "kpi", "define", "no_show").document["definitions"]
    every = _ask(home, "kpi", "define").document["definitions"]

    assert shown.code == 0
    assert [(it["name"], it["kpis"]["no_show"]) for it in shown.document["groups"]] == [
        ("S1", {"ended": 1, "rate": 0.0}),
    ]
    assert set(shown.document["definitions"]) == {it["name"] for it in every}
    assert [it["name"] for it in one] == ["no_show"]
    assert _ask(home, "kpi", "define", "nonsense").code == NOT_FOUND
