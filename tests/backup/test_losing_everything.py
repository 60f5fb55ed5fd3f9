"""A back-up made while tills sell, the loss of everything, a restore: the books are those of the cut."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bopis.adapters.address import bootstrap_address, is_alive
from bopis.adapters.publisher import LogPublisher
from bopis.adapters.secrets.vault import open_vault
from bopis.adapters.supervision import STATE_FILE, read_status
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.names import STOCK_TOPIC
from bopis.settings import Settings
from bopis.wire.stock import STOCK
from tests.cli.program import Installation, run

STORES = ("319", "367")
SKU = "852159"
RECEIVED = 100_000
PREFIX = "bopis."
CONFLICT = 4


class Sold(NamedTuple):
    """One acknowledged sale, and where it is in the log."""

    store: str
    quantity: int
    partition: int
    offset: int


class Tills:
    """Sell one SKU in both stores until they are stopped, and note what the log acknowledged."""

    def __init__(self, home: Path) -> None:
        self.sold: list[Sold] = []
        self.over = threading.Event()
        self._bootstrap = bootstrap_address(Settings(data_dir=home))

    def sell(self) -> None:
        with LogPublisher(self._bootstrap, PREFIX) as publisher:
            number = 0
            while not self.over.is_set():
                number += 1
                for store in STORES:
                    quantity = number % 3 + 1
                    basket = PosSale(basket=f"{store}-{number}", lines=(SaleLine(SKU, quantity, 100 * quantity),))
                    source = f"till/{store}/1"
                    said = Message(
                        id=f"{source}/{number}", source=source, seq=number, time=datetime.now(UTC), subject=store,
                        data=basket,
                    )  # fmt: skip
                    placed = publisher.publish(STOCK_TOPIC, store, STOCK.encode(said)).wait()
                    self.sold.append(Sold(store, quantity, placed.partition, placed.offset))

    def wait_for(self, count: int) -> None:
        until(lambda: len(self.sold) >= count)


@contextmanager
def selling(home: Path) -> Iterator[Tills]:
    tills = Tills(home)
    thread = threading.Thread(target=tills.sell)
    thread.start()
    try:
        yield tills
    finally:
        tills.over.set()
        thread.join(60)


def prepare(bopis: Installation, folder: Path) -> None:
    rows = "\n".join(f"{store},Store {store},38.7,-88.1,America/Chicago" for store in STORES)
    file = folder / "stores.csv"
    file.write_text(f"store_id,name,latitude,longitude,time_zone\n{rows}\n")
    assert bopis("stores", "import", str(file)).code == 0
    for store in STORES:
        assert bopis("stock", "receive", store, f"{SKU}={RECEIVED}", "--document", f"PO-{store}").code == 0


def cut_power(bopis: Installation) -> None:
    """End all its processes at once, without a word."""
    children = read_status(bopis.home / STATE_FILE).children
    bopis.stop(signal.SIGKILL)
    pids = [it.pid for it in children if it.pid]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(is_alive(pid) for pid in pids))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def on_hand(bopis: Installation, store: str) -> int:
    (level,) = bopis.ask("stock", "show", store, SKU)["levels"]
    return int(level["terms"]["on_hand"])


def test_everything_is_lost_and_the_back_up_brings_it_back_as_of_its_cut(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "backup"
    bopis = Installation(home)
    try:
        prepare(bopis, tmp_path)
        orders = {
            name: bopis.ask("order", "place", "319", f"{SKU}=1", "--name", name, "--email", f"{name}@example.org")
            for name in ("anna", "bert")
        }
        key = bopis.ask("keys", "create", "shop", "--role", "shop-front")["key"]
        with selling(home) as tills:
            tills.wait_for(20)
            before = list(tills.sold)
            made = bopis.ask("backup", str(folder), "--with-master-key")
            tills.wait_for(len(tills.sold) + 10)
        erased = bopis.ask("order", "show", orders["bert"]["order"])["customer"]["id"]
        assert bopis("privacy", "erase", erased, "--yes").code == 0
    finally:
        cut_power(bopis)

    shutil.rmtree(home)
    restored = run("restore", str(folder), "--data-dir", str(home), "--yes", "--json")
    again = run("restore", str(folder), "--data-dir", str(home), "--yes")

    assert restored.code == 0, restored.err
    assert restored.document["restored"]["customers"] == 1
    assert again.code == CONFLICT
    cut = {int(number): offset for number, offset in made["cut"][f"{PREFIX}{STOCK_TOPIC}"].items()}
    kept = [it for it in tills.sold if it.offset < cut[it.partition]]
    assert before == kept[: len(before)]
    assert len(kept) < len(tills.sold)
    bopis = Installation(home)
    try:
        assert bopis.ask("verify")["violations"] == []
        for store in STORES:
            left = RECEIVED - sum(it.quantity for it in kept if it.store == store)
            until(lambda store=store, left=left: on_hand(bopis, store) == left)  # type: ignore[misc]  # bound here
        anna = bopis.ask("order", "show", orders["anna"]["order"], "--customer")
        assert "anna@example.org" in json.dumps(anna)
        assert "bert@example.org" not in json.dumps(bopis.ask("order", "show", orders["bert"]["order"], "--customer"))
        assert [it["name"] for it in bopis.ask("keys", "list")["keys"]] == ["shop"]
        assert key not in (folder / "access.json").read_text()
    finally:
        assert bopis.stop() == 0
    vault = open_vault(Settings(data_dir=home))
    assert vault.keys.key_of(erased) is None
    vault.close()
