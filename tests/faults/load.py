"""Tills that sell and shoppers who reserve all the time, and what of it the log took, remembered on their own."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from bopis.domain.inventory.messages import OrderLine, PosSale, ReserveStock, SaleLine, StockLine, StockReceived
from bopis.domain.message import Message
from tests.faults.judge import Judge

STORES = tuple(f"S{number}" for number in range(8))
REQUESTS_SHARE = 0.2
TWICE_SHARE = 0.02
# What every store has enough of, so that many requests are granted; most others are refused.
PLENTY = "PLENTY"


class Load:
    """Tills that sell and shoppers who reserve; some send a message twice."""

    def __init__(self, world: Judge, seed: int, pause_s: float = 0.0005, stores: Sequence[str] = STORES) -> None:
        self._world = world
        self._chance = random.Random(seed)
        self._pause_s = pause_s
        self._stores = stores
        self._sequences: dict[str, int] = {}
        self._requests = 0
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
        for store in self._stores:
            self._say(self._receipt(store))
        while not self._over.is_set():
            store = self._chance.choice(self._stores)
            message = self._request(store) if self._chance.random() < REQUESTS_SHARE else self._sale(store)
            self._say(message)
            if self._chance.random() < TWICE_SHARE:
                self._world.publish(message)
            time.sleep(self._pause_s)

    def _say(self, message: Message) -> None:
        self._sent.append((message, self._world.publish(message)))

    def _receipt(self, store: str) -> Message:
        goods = StockReceived(document="d", lines=(StockLine(sku=PLENTY, quantity=1_000_000),))
        return Message(id=f"goods-{store}", source="desk", time=datetime.now(UTC), subject=store, data=goods)

    def _request(self, store: str) -> Message:
        self._requests += 1
        now, sku = datetime.now(UTC), self._chance.choice((PLENTY, f"K{self._chance.randrange(200)}"))
        wanted = ReserveStock(
            hold=f"h{self._requests}",
            order=f"o{self._requests}",
            lines=(OrderLine(line=1, sku=sku, quantity=self._chance.randint(1, 2)),),
            hold_until=now + timedelta(hours=1),
        )
        return Message(id=f"m{self._requests}", source="checkout", time=now, subject=store, data=wanted)

    def _sale(self, store: str) -> Message:
        chance = self._chance
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

    def asked(self) -> set[str]:
        """The holds that were asked for by requests that the log took."""
        return {it.data.hold for it in self.acknowledged() if isinstance(it.data, ReserveStock)}

    def acknowledged(self) -> list[Message]:
        """The messages that the log took; raises when one was given up."""
        self._world.producer.flush(120)
        for _, future in self._sent:
            future.get(30)  # type: ignore[attr-defined]  # kafka-python's future
        return [message for message, _ in self._sent]
