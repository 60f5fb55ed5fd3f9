"""Tills that sell all the time, and remember on their own what the log took."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from tests.faults.judge import Judge


class Load:
    """Tills that sell all the time; some send a message twice."""

    def __init__(self, world: Judge, seed: int, pause_s: float = 0.0005) -> None:
        self._world = world
        self._chance = random.Random(seed)
        self._pause_s = pause_s
        self._sequences: dict[str, int] = {}
        self._sent: list[tuple[Message, object]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join(60)

    def _run(self) -> None:
        while not self._over.is_set():
            message = self._sale()
            self._sent.append((message, self._world.publish(message)))
            if self._chance.random() < 0.02:
                self._world.publish(message)
            time.sleep(self._pause_s)

    def _sale(self) -> Message:
        chance = self._chance
        store = f"S{chance.randrange(8)}"
        till = f"till-{store}-{chance.randrange(2)}"
        self._sequences[till] = sequence = self._sequences.get(till, 0) + 1
        lines = tuple(
            SaleLine(f"K{chance.randrange(200)}", chance.choice((1, 1, 2, -1))) for _ in range(chance.randint(1, 5))
        )
        return Message(
            id=f"{till}/{sequence}",
            source=till,
            seq=sequence,
            time=datetime.now(UTC),
            subject=store,
            data=PosSale(basket="b", lines=lines),
        )

    def acknowledged(self) -> list[Message]:
        """The messages that the log took; raises when one was given up."""
        self._world.producer.flush(120)
        for _, future in self._sent:
            future.get(30)  # type: ignore[attr-defined]  # kafka-python's future
        return [message for message, _ in self._sent]
