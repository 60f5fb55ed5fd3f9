"""The demonstration over real processes: small, but with everything in it."""

import csv
import io
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from bopis.access.keys import new_key
from bopis.access.roles import Role
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import keys_url
from bopis.adapters.web_process import web_process
from bopis.settings import Settings
from tests.faults.payment_ledger import LedgerFile
from tests.services.replay.programs import run

LOOK_SECONDS = 1.0


class Visitor(threading.Thread):
    """Looks at the pages of a demonstration from their start to their end, and keeps what was shown last."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(daemon=True)
        self._data_dir = data_dir
        self.orders: list[dict[str, str]] = []
        self.books: list[dict[str, str]] = []
        self.statuses: dict[str, set[int]] = {}
        self.looks = 0

    def run(self) -> None:
        while (web := web_process(self._data_dir)) is None:
            time.sleep(LOOK_SECONDS)
        text, record = new_key("visitor", Role.HQ_OPERATOR)
        with closing(AccessTable(keys_url(Settings(data_dir=self._data_dir)))) as access:
            access.put_key(record)
        with httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {text}"}, timeout=60) as client:
            # Until the demonstration has ended them.
            while self._look(client):
                time.sleep(LOOK_SECONDS)

    def _look(self, client: httpx.Client) -> bool:
        try:
            for path in ("/", "/counter?store=S01", "/shop/", "/shop/api/v1/catalogue"):
                self.statuses.setdefault(path, set()).add(client.get(path).status_code)
            books, orders = client.get("/inventory.csv"), client.get("/orders.csv?ended=true")
        except httpx.TransportError:
            return False
        if (books.status_code, orders.status_code) == (200, 200):
            self.books, self.orders = (list(csv.DictReader(io.StringIO(it.text))) for it in (books, orders))
            self.looks += 1
        return True


def test_a_small_day_with_kills_pickup_orders_and_an_offline_shop_ends_right(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path / "demo")
    visitor.start()

    told = run(tmp_path / "unused", "demo", "--data-dir", tmp_path / "demo", "--stores", "5", "--seconds", "8")
    visitor.join(60)

    assert told["wrong"] == []
    assert told["ok"]
    assert told["oversold"] == told["gaps"] == told["dead_letters"] == told["mismatches"] == 0
    assert told["verify"] == "clean"
    holds = told["holds"]
    assert holds["granted"] > 0 < holds["refused"]["not_enough_stock"]
    assert holds["asked"] == holds["granted"] + sum(holds["refused"].values())
    assert holds["granted"] == holds["active"] + sum(holds["ended"].values())
    assert told["offline"]["late_baskets"] > 0
    for kill in (told["kill"], told["kill_of_orders"], told["kill_of_payment_runner"]):
        assert kill["successor_pid"] not in (0, kill["pid"])
    assert told["latency_ms"]["samples"] > 0
    pickups = told["pickups"]
    assert pickups["placed"] == pickups["collected"] + pickups["cancelled"] + pickups["no_shows"] == 32
    assert pickups["mismatches"] == pickups["refused"] == pickups["unsent"] == 0
    assert 0 < pickups["late"] == pickups["ready"] - pickups["kept"]
    assert pickups["p95_minutes"] > 120 > pickups["p50_minutes"] > 0
    assert pickups["mails"] == len(list((tmp_path / "demo" / "outbox").rglob("*.eml"))) > 2 * 32
    assert not (tmp_path / "unused").exists()
    assert_payments_are_right(told["payments"], tmp_path / "demo" / "demo-gateway.jsonl")
    assert_pages_show_the_report(visitor, told)


def assert_pages_show_the_report(visitor: Visitor, told: dict[str, Any]) -> None:
    """The pages worked all day, and what they showed last is what the report says."""
    states = Counter(it["state"] for it in visitor.orders)
    pickups = told["pickups"]
    ends = {"handed_over": "collected", "cancelled": "cancelled", "expired": "no_shows"}
    assert states == {state: pickups[figure] for state, figure in ends.items()}
    assert len(visitor.books) == told["holds"]["cells"]
    assert sum(int(it["held"]) for it in visitor.books) >= told["holds"]["active"]
    assert visitor.looks > 1
    assert all(200 in it for it in visitor.statuses.values()), visitor.statuses


def assert_payments_are_right(told: dict[str, Any], ledger: Path) -> None:
    """Half of the orders are paid in advance, in every way that there is, and both ledgers tell the same."""
    assert told["orders"] == 16
    assert told["by_next"] == 8
    assert (told["asked"], told["unpaid"], told["at_till"]) == (3, 1, 1)
    assert told["declines"].keys() == {"soft", "hard", "never", "data", "technical", "authenticate"}
    assert told["books"] == told["gateway"]
    assert told["books"]["authorised"] > told["books"]["captured"] > told["books"]["refunded"] > 0
    assert told["books"]["open"] == told["differences"] == told["unplanned"] == told["wrong_prices"] == 0
    assert told["unpaid_handovers"] == told["owed_cents"] == 0
    assert told["reconcile"] == "equal"
    sums = LedgerFile(ledger).refresh().sums().values()
    assert told["gateway"]["captured"] == sum(it.captured for it in sums)
    assert told["gateway"]["refunded"] == sum(it.refunded for it in sums)


def test_it_does_not_play_on_books_that_are_kept(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite3").touch()

    told = run(tmp_path, "demo", "--data-dir", tmp_path, code=4)

    assert "empty directory" in told["error"]["message"]
