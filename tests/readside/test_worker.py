"""The projection worker over the embedded log: killed again and again, with its database restarted, beside another."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.readside import queries
from bopis.readside.engine import connect
from bopis.wire.stock import STOCK
from tests.readside.databases import Databases, PostgresqlDatabases
from tests.readside.world import at

PATIENCE_S = 40.0
PARTITIONS = 2
LINES = 2


class Shop:
    """Everything running in a directory of its own: the log, the inventory, the projection."""

    def __init__(self, home: Path, url: str) -> None:
        self.environment = {
            **os.environ,
            "BOPIS_DATA_DIR": str(home),
            "BOPIS_BROKER_PORT": "0",
            "BOPIS_PARTITIONS": str(PARTITIONS),
            "BOPIS_DATABASE": url,
        }
        self._home = home
        self._said = dict.fromkeys(range(6), 0)
        command = [sys.executable, "-m", "streams", "up", "--json"]
        with (home / "log.txt").open("ab") as sink:
            self.up = subprocess.Popen(
                command, env=self.environment, stdout=subprocess.PIPE, stderr=sink, text=True, cwd=home
            )
        assert self.up.stdout is not None
        told = json.loads(self.up.stdout.readline() or "{}")
        assert told, (home / "log.txt").read_text()[-2000:]
        self._producer = KafkaProducer(bootstrap_servers=told["bootstrap"], linger_ms=2)

    def sell(self, baskets: int) -> None:
        """So many baskets of two lines, spread over six stores."""
        for number in range(baskets):
            store = number % 6
            self._said[store] += 1
            sale = PosSale(
                basket=f"b{number}",
                lines=(SaleLine(sku="A", quantity=1), SaleLine(sku=f"B{number % 7}", quantity=2)),
            )
            message = Message(
                id=f"m{self._said[store]}", source=f"till/{store}", time=at(number), subject=f"S{store}",
                seq=self._said[store], data=sale,
            )  # fmt: skip
            self._producer.send("bopis.stock", key=f"S{store}".encode(), value=STOCK.encode(message))
        self._producer.flush()

    @property
    def sold(self) -> int:
        return sum(self._said.values())

    def kill_projection(self) -> None:
        """End the worker without warning; the supervisor starts it again."""
        found = [child for child in psutil.Process(self.up.pid).children() if "projection" in child.cmdline()]
        for child in found:
            child.send_signal(signal.SIGKILL)
            child.wait()

    def close(self) -> None:
        self._producer.close()
        self.up.send_signal(signal.SIGTERM)
        self.up.communicate(timeout=PATIENCE_S)


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    opened: list[Shop] = []

    def open_one(url: str) -> Shop:
        opened.append(Shop(tmp_path, url))
        return opened[-1]

    yield open_one
    for shop in opened:
        shop.close()


def _wait_for(engine: Engine, shop: Shop) -> None:
    """Until both feeds have everything that was sold."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = {"stock": 0, "inventory-levels": 0}
        for it in queries.positions(engine):
            found[it.topic] += (it.position if it.source_position is None else it.source_position) + 1
        if min(found.values()) >= shop.sold:
            return
        time.sleep(0.05)
    raise AssertionError(f"{found} after {PATIENCE_S} s, sold {shop.sold}")


def _assert_exact(engine: Engine, shop: Shop) -> None:
    verified = queries.verify(engine)
    totals = queries.totals(engine)
    assert verified.differences == ()
    assert all(it.compared for it in verified.partitions)
    assert totals.on_hand == -3 * shop.sold
    for store in range(6):
        page = queries.history(engine, f"S{store}", "A", queries.Span(limit=10_000))
        assert sorted(it.sequence or 0 for it in page.movements) == list(range(1, len(page.movements) + 1))


def test_a_worker_killed_again_and_again_is_exact(sqlite: Databases, open_shop: Callable[[str], Shop]) -> None:
    url = sqlite.fresh_url()
    shop, engine = open_shop(url), connect(url)

    for _ in range(3):
        shop.sell(300)
        time.sleep(0.4)
        shop.kill_projection()
        shop.sell(100)
        time.sleep(0.8)
    _wait_for(engine, shop)

    _assert_exact(engine, shop)
    engine.dispose()


def test_two_workers_by_mistake_on_one_database_double_nothing(
    sqlite: Databases, open_shop: Callable[[str], Shop], tmp_path: Path
) -> None:
    url = sqlite.fresh_url()
    shop, engine = open_shop(url), connect(url)
    # Another group name makes the second one believe that every partition is its own.
    program = (
        "import sys; from streams import projection, compose; from bopis.settings import load;"
        "projection.NAME = 'again';"
        "s = load(); sys.exit(projection.run(compose.connection(s, 'again'), compose.limits(s), s.database_url))"
    )
    with (tmp_path / "second.txt").open("ab") as sink:
        second = subprocess.Popen([sys.executable, "-c", program], env=shop.environment, stderr=sink, stdout=sink)

    for _ in range(6):
        shop.sell(200)
        time.sleep(0.3)
    _wait_for(engine, shop)
    second.terminate()
    code = second.wait(PATIENCE_S)

    assert code == 0, (tmp_path / "second.txt").read_text()[-2000:]
    _assert_exact(engine, shop)
    engine.dispose()


@pytest.mark.postgresql
def test_a_database_that_restarts_is_waited_for_by_a_worker_that_is_killed_too(
    postgresql: PostgresqlDatabases, open_shop: Callable[[str], Shop]
) -> None:
    url = postgresql.fresh_url()
    shop = open_shop(url)

    shop.sell(300)
    postgresql.restart()
    shop.sell(300)
    shop.kill_projection()
    shop.sell(300)
    engine = connect(url)
    _wait_for(engine, shop)

    _assert_exact(engine, shop)
    engine.dispose()
