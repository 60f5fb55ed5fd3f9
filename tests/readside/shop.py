"""Everything running in a directory of its own: the log, the inventory, the projection. And what must hold then."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from kafka import KafkaProducer
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from bopis.adapters.supervision import STATE_FILE, read_status
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.readside import queries
from bopis.readside.schema import levels
from bopis.wire.stock import STOCK
from tests.engines.forks import fork
from tests.readside.world import at

PATIENCE_S = 240.0
PARTITIONS = 2
LINES = 2


class Shop:
    """The running processes, and what was sold through them."""

    def __init__(self, home: Path, url: str, **environment: str) -> None:
        self.environment = {
            **os.environ,
            "BOPIS_DATA_DIR": str(home),
            "BOPIS_BROKER_PORT": "0",
            "BOPIS_PARTITIONS": str(PARTITIONS),
            "BOPIS_DATABASE": url,
            "BOPIS_LOG_LEVEL": "info",
            "BOPIS_WEB_ENABLED": "false",
            **environment,
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
        children = read_status(self._home / STATE_FILE).children
        for child in [psutil.Process(it.pid) for it in children if it.name == "projection"]:
            child.send_signal(signal.SIGKILL)
            child.wait()

    def start_projection(self) -> "Worker":
        """Another worker of the same group."""
        return Worker(self._home, self.environment)

    def wait_for_word(self, word: str, times: int) -> None:
        """Until the processes have said a word so many times."""
        end, path = time.monotonic() + PATIENCE_S, self._home / "log.txt"
        while path.read_text().count(word) < times:
            assert time.monotonic() < end, path.read_text()[-3000:]
            time.sleep(0.05)

    def close(self) -> None:
        self._producer.close()
        self.up.send_signal(signal.SIGTERM)
        self.up.communicate(timeout=PATIENCE_S)


class Worker:
    """A projection of its own, beside that of the supervisor."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._log = home / f"projection-{time.monotonic_ns()}.txt"
        words = ["streams", "worker", "projection", "--json"]
        with self._log.open("ab") as sink:
            self.process = fork(words, env=environment, stdout=sink, stderr=sink, cwd=home)

    def partitions(self) -> set[str]:
        """What it was given at the newest rebalance."""
        lines = [line for line in self._log.read_text().splitlines() if '"projection.assigned"' in line]
        return set(json.loads(lines[-1])["positions"]) if lines else set()

    def wait_for_partitions(self) -> set[str]:
        """Until it has a share that is neither nothing nor all."""
        end = time.monotonic() + PATIENCE_S
        while not (partitions := self.partitions()) and time.monotonic() < end:
            time.sleep(0.05)
        assert partitions, self._log.read_text()[-2000:]
        return partitions

    def kill(self) -> None:
        """End it without warning; nobody starts it again."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it in order; its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


def wait_for(engine: Engine, shop: Shop) -> None:
    """Until both feeds have everything that was sold."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = {"stock": 0, "inventory-levels": 0}
        try:
            for it in queries.positions(engine):
                if it.topic in found:
                    found[it.topic] += (it.position if it.source_position is None else it.source_position) + 1
        except OperationalError:
            pass  # The server may be down just now.
        if min(found.values()) >= shop.sold:
            return
        time.sleep(0.05)
    raise AssertionError(f"{found} after {PATIENCE_S} s, sold {shop.sold}")


def assert_exact(engine: Engine, shop: Shop) -> None:
    verified = queries.verify(engine)
    with engine.connect() as connection:
        on_hand = connection.execute(select(func.sum(levels.c.on_hand))).scalar()
    assert verified.differences == ()
    assert all(it.compared for it in verified.partitions)
    assert on_hand == -3 * shop.sold
    for store in range(6):
        page = queries.history(engine, f"S{store}", "A", queries.HistorySpan(limit=10_000))
        assert sorted(it.sequence or 0 for it in page.movements) == list(range(1, len(page.movements) + 1))
