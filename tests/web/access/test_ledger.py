"""A shop's journal and the books of a running centre drift apart, and are brought together again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bopis.access.roles import Role
from bopis.adapters.agent_process import HttpsOptions
from bopis.journal.journal import Journal
from bopis.uplink.https import HttpsUplink
from bopis.uplink.sender import Sender, SenderOptions
from bopis.wire.ledger import PATH
from tests.cli.program import run
from tests.store_agent.baskets import sold
from tests.web.shop import OTHER, OWN, SKUS, Shop, new_name


@contextmanager
def sending(shop: Shop, journal: Journal, key_file: Path) -> Iterator[None]:
    """The uplink of an agent, which compares as soon as it can."""
    options = HttpsOptions(url=shop.url, key_file=key_file, ca_file=None)
    chosen = SenderOptions(version="1.2", heartbeat_seconds=0.5, ledger_seconds=0.5, pause_seconds_max=0.5)
    sender = Sender(chosen, journal, HttpsUplink(options, journal.store, 60.0), lambda *_, **__: None)
    thread = threading.Thread(target=sender.run)
    thread.start()
    try:
        yield
    finally:
        sender.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def pier(shop: Shop, tmp_path: Path) -> str:
    """A store of its own: with one heartbeat the stock of a store is stale when no other one follows."""
    store, file = new_name("drift"), tmp_path / "stores.csv"
    file.write_text(f"store_id,name,time_zone\n{store},Pier,America/Chicago\n")
    assert shop.bopis("stores", "import", str(file)).code == 0
    shop.eventually(lambda: shop.ask("GET", f"/v1/stores/{store}").status_code == 200)
    return store


def drift(shop: Shop, store: str, *words: str) -> Any:
    """`bopis stock drift` at the centre, which has no journal."""
    return shop.bopis("stock", "drift", store, *words, "--json")


def kinds(shop: Shop, store: str) -> dict[str, str]:
    answer = drift(shop, store)
    if answer.code not in (0, 1):
        return {"no comparison": str(answer.code)}
    return {it["id"] or it["centre_id"]: it["kind"] for it in answer.document["differences"]}


def on_hand(shop: Shop, store: str) -> dict[str, int]:
    answer = shop.ask("GET", f"/v1/stores/{store}/stock")
    return {it["sku"]: it["terms"]["on_hand"] for it in answer.json()["levels"]}


def test_drift_is_located_named_closed_and_gone(shop: Shop, pier: str, tmp_path: Path) -> None:
    banana, pepper, avocado = SKUS
    # Adjustments have no sequence, so their repeats are known for a month only: the day must be a recent one.
    sold_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    since = sold_at.isoformat().replace("+00:00", ".000Z")
    key_file = tmp_path / "key"
    key_file.write_text(shop.key(Role.TILL, pier))
    with Journal(tmp_path / "home" / "agent", pier) as journal:
        lines = {"lost": {banana: 2}, "altered": {pepper: 1}, "gone": {avocado: 4}, "alike": {banana: 1}}
        baskets = [sold(it, **units) for it, units in lines.items()]
        journal.take("till", [msgspec.structs.replace(it, time=sold_at) for it in baskets])
        assert drift(shop, pier).code == 3, "nobody has compared yet"
        # The first one is acknowledged and never sent, as after a centre that went back to an older back-up.
        journal.acknowledge(1)
        with sending(shop, journal, key_file):
            shop.eventually(lambda: kinds(shop, pier) == {"lost": "missing_at_centre"}, seconds=180)
        [(value,)] = journal.ask("SELECT value FROM entry WHERE position = 2")
        with journal.writing() as writer:
            writer.execute("UPDATE entry SET value = ? WHERE position = 2", (_with_units(value, 3),))
            writer.execute("DELETE FROM entry WHERE position = 3")
        located = {"lost": "missing_at_centre", "altered": "different", "gone": "missing_in_shop"}
        with sending(shop, journal, key_file):
            shop.eventually(lambda: kinds(shop, pier) == located, seconds=180)
            page = shop.ask("GET", f"/stores/{pier}").text
            stores, operations = (shop.ask("GET", path).text for path in ("/stores", "/operations"))
            status = shop.bopis("status", "--json").document

            unconfirmed = drift(shop, pier, "--close", "--reason", "disk replaced", "--no-input")
            closed = drift(shop, pier, "--close", "--reason", "disk replaced", "--yes")
            still = kinds(shop, pier)
            journal.send_again(closed.document["differences"][0]["position"])
            shop.eventually(lambda: kinds(shop, pier) == {}, seconds=180)
        before = on_hand(shop, pier)
        # One that the inventory would park each time: its units are adjusted instead.
        parked = msgspec.structs.replace(sold("parked", **{banana: 5}), time=sold_at)
        [taken] = journal.take("till", [parked])
        journal.acknowledge(taken.position)
        with sending(shop, journal, key_file):
            shop.eventually(lambda: kinds(shop, pier) == {"parked": "missing_at_centre"}, seconds=180)
            adjusted = drift(shop, pier, "--close", "--adjust", "--reason", "parked", "--yes")
            compared_at = adjusted.document["compared_at"]
            shop.eventually(lambda: drift(shop, pier).document["compared_at"] > compared_at, seconds=180)
            after = kinds(shop, pier)
    # On a machine with the journal and the read side nobody has to wait for the agent.
    database = f"sqlite:///{shop.home / 'readside.sqlite3'}"
    here = run("stock", "drift", pier, "--data-dir", str(tmp_path / "home"), "--database", database, "--json")

    assert (unconfirmed.code, closed.code) == (2, 1)
    assert [it for it in closed.document["units"] if it["change"]] == [
        {"sku": banana, "change": -2, "since": since},
        {"sku": pepper, "change": -2, "since": since},
    ]
    assert sorted(it.split("#")[1] for it in closed.document["adjusted"]) == ["2", "3"]
    assert still == {"lost": "missing_at_centre"}, "only the shop can send it again"
    assert before == {banana: -3, pepper: -3, avocado: -4}
    assert (adjusted.code, after) == (0, {})
    assert (here.code, here.document["compared_now"], here.document["messages"]) == (0, True, 4)
    assert on_hand(shop, pier) == {banana: -8, pepper: -3, avocado: -4}
    assert "in its journal, not in the books" in page
    assert f'/stores/{pier}#agent"' in stores
    assert f'/stores/{pier}#agent"' in operations
    assert any(f"bopis stock drift {pier}" in it for it in status["to_look_at"])
    history = shop.ask("GET", f"/v1/stores/{pier}/stock/{pepper}/history").json()["movements"]
    assert ("drift", "drift", -2) in [(it["source"], it["reference"], it["change"]) for it in history]


def _with_units(value: bytes, units: int) -> bytes:
    message = msgspec.json.decode(value)
    for line in message["data"]["lines"]:
        line["quantity"] = units
    return msgspec.json.encode(message)


def test_the_ledger_of_another_store_is_not_shown(shop: Shop) -> None:
    spans = [{"source": "till/00000000", "first": 1, "last": 5}]
    question = {"store": OTHER, "sources": ["till/00000000"], "spans": spans, "entries": True}

    theirs = shop.ask("POST", PATH, Role.TILL, json=question)
    mine = shop.ask("POST", PATH, Role.TILL, json=question | {"store": OWN})
    nobody = shop.ask("POST", PATH, None, json=question)
    long = shop.ask("POST", PATH, Role.TILL, json=question | {"store": OWN, "spans": [spans[0] | {"last": 200_000}]})

    assert (theirs.status_code, nobody.status_code, long.status_code) == (403, 401, 422)
    assert (mine.status_code, mine.json()) == (200, {"sources": [], "digests": [], "entries": [[]]})
