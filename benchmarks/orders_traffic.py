"""Traffic of tills and customers: a constant rate of orders, a full house, and a rush on a few units."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from kafka import KafkaProducer

from benchmarks.orders_reading import PromiseReader
from benchmarks.orders_world import LINES_PER_BASKET, KeyedRecord, Placed, World
from bopis.names import ORDER_EVENTS_TOPIC, ORDERS_TOPIC

PATIENCE_SECONDS = 180.0
BURST_SECONDS = 0.001
POLL_SECONDS = 0.002
# Orders in progress at a time in a full house: enough that no processor waits for work.
IN_FLIGHT = 256
ORDERS_PER_S_MAX = 2_000
WARM_UP_SHARE = 0.2
SHARES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}


class Due(NamedTuple):
    """One record and the time to send it; ``order`` is the number of an order, empty for a basket."""

    at: float
    record: KeyedRecord
    order: str = ""


class Traffic:
    """Sends baskets at one rate of lines, and orders at the same time. All messages are encoded before the first one is
    sent."""

    def __init__(self, bootstrap: str, prefix: str, world: World, till_lines: float) -> None:
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
        self._prefix = prefix
        self._world = world
        self._baskets_per_s = till_lines / LINES_PER_BASKET
        self._reader = PromiseReader(bootstrap, f"{prefix}{ORDER_EVENTS_TOPIC}")
        self._reader.start()
        self._sent: dict[str, float] = {}
        self._refused: list[BaseException] = []

    def close(self) -> None:
        """Stop the reader and the producer. Raises `RuntimeError` when the log refused a message."""
        self._producer.close()
        self._reader.over.set()
        self._reader.join()
        if self._refused:
            raise RuntimeError(f"the log refused {len(self._refused)} messages, the first with {self._refused[0]!r}")

    def at_rate(self, rate: float, seconds: float) -> dict[str, Any]:
        """Place orders at a constant rate, then wait for their promises. With a rate of 0 only tills sell."""
        baskets = self._world.baskets(int(self._baskets_per_s * seconds))
        orders = self._world.orders(int(rate * seconds))
        began = self._begin()
        plan = [Due(began + number / self._baskets_per_s, it) for number, it in enumerate(baskets)]
        plan += [Due(began + number / rate, *_keyed(it)) for number, it in enumerate(orders)]
        plan.sort(key=lambda it: it.at)
        half = sum(it.at < began + seconds / 2 for it in plan)
        backlogs = [self._play(part) for part in (plan[:half], plan[half:])]
        self._finish(self._reader.promised)
        promised, warm = self._reader.promised, began + seconds * WARM_UP_SHARE
        waits = sorted((promised[it] - at) * 1000 for it, at in self._sent.items() if at >= warm and it in promised)
        return {
            **({name: waits[int(len(waits) * share)] for name, share in SHARES.items()} if waits else {}),
            "orders": len(orders),
            "baskets": len(baskets),
            "lost": self._open(promised),
            "backlog_half_way": backlogs[0],
            "backlog_at_end": backlogs[1],
            "seconds": time.perf_counter() - began,
        }

    def full_house(self, seconds: float) -> dict[str, Any]:
        """Keep IN_FLIGHT orders in progress for so long, and until some are promised: each promise is followed by a new
        order. The rate counts after warm-up."""
        baskets = self._world.baskets(int(self._baskets_per_s * seconds))
        waiting = iter(self._world.orders(int(ORDERS_PER_S_MAX * seconds)))
        began, sold, done = self._begin(), 0, self._reader.promised
        from_s, from_done, end = began, 0, began + PATIENCE_SECONDS
        while (now := time.perf_counter()) < began + seconds or (len(done) <= from_done and now < end):
            due = int((now - began) * self._baskets_per_s)
            for basket in baskets[sold:due]:
                self._send(basket)
            sold = min(due, len(baskets))
            for _, order in zip(range(IN_FLIGHT - self._open(done)), waiting, strict=False):
                self._send(*_keyed(order))
            if from_s == began and now >= began + seconds * WARM_UP_SHARE:
                from_s, from_done = now, len(self._sent) - self._open(done)
            time.sleep(POLL_SECONDS)
        rate = (len(self._sent) - self._open(done) - from_done) / (time.perf_counter() - from_s)
        self._finish(done)
        figures = {"orders_per_s": rate, "orders": len(self._sent), "baskets": sold, "lost": self._open(done)}
        return {**figures, "seconds": time.perf_counter() - began}

    def rush(self, deliveries: Sequence[KeyedRecord], buyers: Sequence[Placed]) -> dict[str, Any]:
        """Place the orders of all buyers just after the deliveries, and measure until every buyer has an answer."""
        for delivery in deliveries:
            self._send(delivery)
        self.at_rate(0, 1.0)
        began = self._begin()
        for buyer in buyers:
            self._send(*_keyed(buyer))
        self._finish(self._reader.settled)
        return {"seconds": time.perf_counter() - began, "without_answer": self._open(self._reader.settled)}

    @property
    def placed(self) -> list[str]:
        """Numbers of the orders of the last measurement."""
        return list(self._sent)

    def warm_up(self, orders: int) -> None:
        """Place orders until all of one round are promised: then every processor has read the stores and the stock."""
        end = time.perf_counter() + PATIENCE_SECONDS
        while time.perf_counter() < end:
            for order in self._world.orders(orders):
                self._send(*_keyed(order))
            self._finish(self._reader.settled)
            if not self._open(self._reader.promised):
                return
            self._begin()
        raise RuntimeError("no store could promise anything; see the log of the workers")

    def _begin(self) -> float:
        self._sent = {}
        self._reader.promised.clear()
        self._reader.settled.clear()
        return time.perf_counter()

    def _finish(self, ended: dict[str, float]) -> None:
        """Wait until every order sent is in `ended`, for at most PATIENCE_SECONDS."""
        self._producer.flush()
        end = time.perf_counter() + PATIENCE_SECONDS
        while self._open(ended) and time.perf_counter() < end:
            time.sleep(POLL_SECONDS)

    def _open(self, ended: dict[str, float]) -> int:
        return len(self._sent) - len(ended)

    def _play(self, plan: Sequence[Due]) -> int:
        """Send each record when it is due. Returns the number of orders without a promise after the last one."""
        for it in plan:
            if (wait := it.at - time.perf_counter()) > BURST_SECONDS:
                time.sleep(wait)
            self._send(it.record, it.order)
        return self._open(self._reader.promised)

    def _send(self, record: KeyedRecord, order: str = "") -> None:
        if order:
            self._sent[order] = time.perf_counter()
        sending = self._producer.send(f"{self._prefix}{record.topic}", key=record.key, value=record.value)
        sending.add_errback(self._refused.append)


def _keyed(order: Placed) -> tuple[KeyedRecord, str]:
    number, value = order
    return KeyedRecord(ORDERS_TOPIC, number.encode(), value), number
