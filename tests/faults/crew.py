"""Worker processes on a log of any kind, started, killed and paused one by one, without a supervisor between."""

import json
import os
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Self

from kafka import KafkaConsumer, TopicPartition

from tests.engines import Engine
from tests.engines.forks import fork
from tests.faults.judge import Judge

PARTITIONS = 4
START_SECONDS_MAX = 240.0
LEAVE_SECONDS_MAX = 180.0
SESSION_SECONDS = 4
SETTLE_SECONDS = 0.5


class Hand:
    """One worker process. What it says goes to a file of its own."""

    def __init__(
        self, name: str, processor: str, home: Path, settings: dict[str, str], program: tuple[str, ...]
    ) -> None:
        self.name = name
        self.processor = processor
        self.log = home / f"{name}-{uuid.uuid4().hex[:6]}.log"
        environment = {**os.environ, **settings, "BOPIS_INSTANCE": name, "BOPIS_LOG_LEVEL": "info"}
        with self.log.open("wb") as sink:
            words = [*program, "worker", processor, "--json"]
            self.process = fork(words, env=environment, stdout=sink, stderr=sink)

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        return '"event":"ready"' in self.text

    def signal(self, number: int) -> None:
        if self.lives:
            self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        """A clean stop, by force when it takes too long; the exit code."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(LEAVE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Crew(Judge):
    """The workers of one test on topics of their own, and the judge of what they did."""

    def __init__(self, engine: Engine, home: Path, **settings: object) -> None:
        super().__init__(engine.bootstrap, f"f{uuid.uuid4().hex[:8]}.")
        self.engine = engine
        self.home = home
        copies = engine.processes
        told: dict[str, object] = {
            "broker": f"kafka://{engine.bootstrap}",
            "topic_prefix": self.prefix,
            "partitions": PARTITIONS,
            "data_dir": home,
            "session_timeout_seconds": SESSION_SECONDS,
            "heartbeat_seconds": 1,
            "replication_factor": copies,
            "min_insync_replicas": max(1, copies - 1),
            **settings,
        }
        self._settings = {f"BOPIS_{name.upper()}": str(value) for name, value in told.items()}
        # The module that runs a worker, and its first arguments.
        self.program: tuple[str, ...] = ("streams",)
        self.hands: dict[str, Hand] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self.hands.values():
            hand.signal(signal.SIGCONT)
            hand.kill()
        self.close()

    def talk(self) -> str:
        return "\n".join(f"--- {hand.name}\n{hand.text[-1500:]}" for hand in self.hands.values())

    def change(self, **settings: object) -> None:
        """Settings of the workers that are started from now on."""
        self._settings |= {f"BOPIS_{name.upper()}": str(value) for name, value in settings.items()}

    def start(self, name: str, processor: str = "inventory", wait: bool = True) -> Hand:
        """A worker of this name, in place of the one that had it."""
        hand = self.hands[name] = Hand(name, processor, self.home, self._settings, self.program)
        if wait:
            self.wait(lambda: hand.is_ready or not hand.lives, f"{name} is ready", START_SECONDS_MAX)
            assert hand.is_ready, f"{name} ended with {hand.process.returncode}: {hand.text[-3000:]}"
        return hand

    def mend(self) -> None:
        """Start again every worker that ended."""
        for name, hand in list(self.hands.items()):
            if not hand.lives:
                self.start(name, hand.processor, wait=False)


class Watch:
    """Follows the changelog all the time and knows since when which position is decided."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._positions: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def seconds_until_all_go_on(self, seconds_max: float = 90.0) -> float:
        """From now until every partition has decided something that it had not, under a load that never rests."""
        began = time.monotonic()
        # What was on its way before the fault is no sign of life after it.
        time.sleep(SETTLE_SECONDS)
        before = dict(self._positions)
        numbers = range(PARTITIONS)
        self._crew.wait(
            lambda: all(self._positions.get(it, -1) > before.get(it, -1) for it in numbers),
            f"every partition goes on from {before}",
            seconds_max,
        )
        return time.monotonic() - began

    def _follow(self) -> None:
        topic = self._crew.prefix + "inventory-levels"
        consumer = KafkaConsumer(
            bootstrap_servers=self._crew.engine.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=15_000,
            reconnect_backoff_max_ms=500,
        )
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        while not self._over.is_set():
            for records in consumer.poll(100).values():
                for record in records:
                    if record.key == b"\x00position":
                        self._positions[record.partition] = json.loads(record.value)["position"]
        consumer.close()
