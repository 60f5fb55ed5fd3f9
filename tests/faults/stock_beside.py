"""What the first three faults do to stock Faust, by the same clock and the same arithmetic: measured, not judged.

::

    python -m tests.faults.stock_beside --engine embedded --engine kafka [--kills 10] [--nodes-killed 4] [--sleeps 2]
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from tests.engines import Engine, Engines
from tests.faults.stock_worker import PARTITIONS, SESSION_SECONDS

PER_SECOND = 200
SETTLED_SECONDS = 12
SETTLE_SECONDS_MAX = 300
START_SECONDS = 8


class Stock:
    """Two stock workers, a producer that remembers what was acknowledged, and the changelog they leave."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine = engine
        self.name = f"stock{uuid.uuid4().hex[:8]}"
        self._home = home
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._sent: list[tuple[str, Any]] = []
        admin = KafkaAdminClient(bootstrap_servers=engine.bootstrap)
        admin.create_topics([NewTopic(f"{self.name}-sales", PARTITIONS, 1)])
        admin.close()
        self._thread = threading.Thread(target=self._sell, daemon=True)

    def start(self, name: str) -> None:
        place = [self.engine.bootstrap, self.name, str(self._home / name)]
        with (self._home / f"{name}.log").open("ab") as sink:
            command = [sys.executable, "-m", "tests.faults.stock_worker", *place]
            self._workers[name] = subprocess.Popen(command, stdout=sink, stderr=sink)

    def worker(self, name: str) -> "subprocess.Popen[bytes]":
        return self._workers[name]

    def mend(self) -> None:
        for name, worker in list(self._workers.items()):
            if worker.poll() is not None:
                self.start(name)

    def open(self) -> None:
        self.start("one")
        self.start("two")
        time.sleep(START_SECONDS)
        self._thread.start()
        time.sleep(2)

    def close(self) -> dict[str, int]:
        """Let everything come to rest, end the workers, and compare."""
        self._over.set()
        self._thread.join()
        for _, future in self._sent:
            future.get(60)
        wanted = Counter(key for key, _ in self._sent)
        began = changed = time.monotonic()
        counted = self._counted()
        while time.monotonic() - changed < SETTLED_SECONDS and time.monotonic() - began < SETTLE_SECONDS_MAX:
            self.mend()
            time.sleep(1)
            if (now := self._counted()) != counted:
                counted, changed = now, time.monotonic()
        for worker in self._workers.values():
            worker.kill()
            worker.wait()
        twice = sum(max(0, counted.get(key, 0) - count) for key, count in wanted.items())
        lost = sum(max(0, count - counted.get(key, 0)) for key, count in wanted.items())
        return {"messages": wanted.total(), "lost": lost, "twice": twice}

    def _sell(self) -> None:
        producer = KafkaProducer(bootstrap_servers=self.engine.bootstrap, linger_ms=2, delivery_timeout_ms=120_000)
        number = 0
        while not self._over.is_set():
            number += 1
            key = f"k{number % 40}"
            self._sent.append((key, producer.send(f"{self.name}-sales", key=key.encode(), value=b"1")))
            time.sleep(1 / PER_SECOND)
        producer.flush(120)
        producer.close()

    def _counted(self) -> dict[str, int]:
        topic = f"{self.name}-totals-changelog"
        consumer = KafkaConsumer(bootstrap_servers=self.engine.bootstrap, enable_auto_commit=False)
        partitions = [TopicPartition(topic, it) for it in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        found: dict[str, int] = {}
        while any(consumer.position(it) < ends[it] for it in partitions):
            for records in consumer.poll(500).values():
                found |= {json.loads(it.key): json.loads(it.value) for it in records if it.value is not None}
        consumer.close()
        return found


def kill_workers(stock: Stock, count: int) -> None:
    chance = random.Random(1)
    for _ in range(count):
        time.sleep(chance.uniform(1, 3))
        name = chance.choice(("one", "two"))
        stock.worker(name).kill()
        stock.worker(name).wait()
        stock.start(name)
        time.sleep(START_SECONDS)


def kill_the_log(stock: Stock, count: int) -> None:
    for _ in range(count):
        time.sleep(2)
        stock.engine.kill()
        stock.engine.start()
        time.sleep(START_SECONDS)
        stock.mend()


def sleep_through_a_takeover(stock: Stock, count: int) -> None:
    for number in range(count):
        sleeper = stock.worker(("one", "two")[number % 2])
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(SESSION_SECONDS * 3)
        sleeper.send_signal(signal.SIGCONT)
        time.sleep(START_SECONDS)
        stock.mend()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="append", choices=("embedded", "kafka"), required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--nodes-killed", type=int, default=4)
    parser.add_argument("--sleeps", type=int, default=2)
    asked = parser.parse_args()
    faults = {
        "kill -9 worker": (kill_workers, asked.kills),
        "kill -9 node of the log": (kill_the_log, asked.nodes_killed),
        "SIGSTOP, takeover, SIGCONT": (sleep_through_a_takeover, asked.sleeps),
    }
    with tempfile.TemporaryDirectory(prefix="bopis-stock-") as folder:
        engines = Engines(Path(folder) / "engines")
        try:
            for name in asked.engine:
                for fault, (break_it, count) in faults.items():
                    home = Path(folder) / uuid.uuid4().hex
                    home.mkdir()
                    stock = Stock(engines.shared(name), home)
                    stock.open()
                    break_it(stock, count)
                    line = {"fault": fault, "engine": name, "count": count, "stock_faust": stock.close()}
                    print(json.dumps(line), flush=True)
        finally:
            engines.close()


if __name__ == "__main__":
    main()
