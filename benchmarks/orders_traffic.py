"""Tills and customers at once: an even rate of orders, a full house, and a rush on a few units."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from kafka import KafkaProducer

from benchmarks.orders_hearing import Hearer
from benchmarks.orders_world import LINES_PER_BASKET, Keyed, Placed, World

PATIENCE_SECONDS = 180.0
BURST_SECONDS = 0.001
POLL_SECONDS = 0.002
# Orders under way at a time in a full house: enough that no processor ever waits for work.
IN_FLIGHT = 256
ORDERS_PER_S_MAX = 2_000
WARM_UP_SHARE = 0.2
SHARES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}


class Due(NamedTuple):
    """What is sent when; ``order`` is the number of an order, empty for a basket."""

    at: float
    record: Keyed
    order: str = ""


class Traffic:
    """Sends baskets of tills at one rate of lines, and orders beside them. Everything is made before it is sent."""

    def __init__(self, bootstrap: str, prefix: str, world: World, till_lines: float) -> None:
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
        self._prefix = prefix
        self._world = world
        self._baskets_per_s = till_lines / LINES_PER_BASKET
        self._hearer = Hearer(bootstrap, f"{prefix}order-events")
        self._hearer.start()
        self._sent: dict[str, float] = {}
        self._refused: list[BaseException] = []

    def close(self) -> None:
        """Stop listening. Raises `RuntimeError` when the log refused a message."""
        self._producer.close()
        self._hearer.over.set()
        self._hearer.join()
        if self._refused:
            raise RuntimeError(f"the log refused {len(self._refused)} messages, the first with {self._refused[0]!r}")

    def at_rate(self, rate: float, seconds: float) -> dict[str, Any]:
        """Orders at an even rate for so long, then until all of them are promised. A rate of 0 is tills alone."""
        baskets = self._world.baskets(int(self._baskets_per_s * seconds))
        orders = self._world.orders(int(rate * seconds))
        began = self._begin()
        plan = [Due(began + number / self._baskets_per_s, it) for number, it in enumerate(baskets)]
        plan += [Due(began + number / rate, *_keyed(it)) for number, it in enumerate(orders)]
        plan.sort(key=lambda it: it.at)
        half = sum(it.at < began + seconds / 2 for it in plan)
        backlogs = [self._play(part) for part in (plan[:half], plan[half:])]
        self._finish(self._hearer.promised)
        promised, warm = self._hearer.promised, began + seconds * WARM_UP_SHARE
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
        """As many orders as are promised: whenever one is, the next one comes. The rate after the warm-up."""
        baskets = self._world.baskets(int(self._baskets_per_s * seconds))
        waiting = iter(self._world.orders(int(ORDERS_PER_S_MAX * seconds)))
        began, sold, done = self._begin(), 0, self._hearer.promised
        from_s, from_done = began, 0
        while (now := time.perf_counter()) < began + seconds:
            due = int((now - began) * self._baskets_per_s)
            for basket in baskets[sold:due]:
                self._send(basket)
            sold = due
            for _, order in zip(range(IN_FLIGHT - self._open(done)), waiting, strict=False):
                self._send(*_keyed(order))
            if from_s == began and now >= began + seconds * WARM_UP_SHARE:
                from_s, from_done = now, len(self._sent) - self._open(done)
            time.sleep(POLL_SECONDS)
        rate = (len(self._sent) - self._open(done) - from_done) / (time.perf_counter() - from_s)
        self._finish(done)
        told = {"orders_per_s": rate, "orders": len(self._sent), "baskets": sold, "lost": self._open(done)}
        return {**told, "seconds": time.perf_counter() - began}

    def rush(self, deliveries: Sequence[Keyed], buyers: Sequence[Placed]) -> dict[str, Any]:
        """Everybody at once, for what was delivered a moment before; the seconds until everybody has an answer."""
        for delivery in deliveries:
            self._send(delivery)
        self.at_rate(0, 1.0)
        began = self._begin()
        for buyer in buyers:
            self._send(*_keyed(buyer))
        self._finish(self._hearer.settled)
        return {"seconds": time.perf_counter() - began, "without_answer": self._open(self._hearer.settled)}

    @property
    def placed(self) -> list[str]:
        """The orders that were placed last."""
        return list(self._sent)

    def warm_up(self, orders: int) -> None:
        """Until every order is promised: stores and stock are known then to all that have to know."""
        end = time.perf_counter() + PATIENCE_SECONDS
        while time.perf_counter() < end:
            for order in self._world.orders(orders):
                self._send(*_keyed(order))
            self._finish(self._hearer.settled)
            if not self._open(self._hearer.promised):
                return
            self._begin()
        raise RuntimeError("no store could promise anything; see what the workers wrote")

    def _begin(self) -> float:
        self._sent = {}
        self._hearer.promised.clear()
        self._hearer.settled.clear()
        return time.perf_counter()

    def _finish(self, ended: dict[str, float]) -> None:
        """Until everything that was sent has come to an end, within patience."""
        self._producer.flush()
        end = time.perf_counter() + PATIENCE_SECONDS
        while self._open(ended) and time.perf_counter() < end:
            time.sleep(POLL_SECONDS)

    def _open(self, ended: dict[str, float]) -> int:
        return len(self._sent) - len(ended)

    def _play(self, plan: Sequence[Due]) -> int:
        """Send each when it is due; how many orders had no promise when the last one was sent."""
        for it in plan:
            if (wait := it.at - time.perf_counter()) > BURST_SECONDS:
                time.sleep(wait)
            self._send(it.record, it.order)
        return self._open(self._hearer.promised)

    def _send(self, record: Keyed, order: str = "") -> None:
        if order:
            self._sent[order] = time.perf_counter()
        sending = self._producer.send(f"{self._prefix}{record.topic}", key=record.key, value=record.value)
        sending.add_errback(self._refused.append)


def _keyed(order: Placed) -> tuple[Keyed, str]:
    number, value = order
    return Keyed("orders", number.encode(), value), number
