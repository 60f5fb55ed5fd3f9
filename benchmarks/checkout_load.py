"""Checkouts at a constant rate: does a queue of payment calls grow, and how long does it take to drain?"""

import threading
import time
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaProducer

from benchmarks.checkout_customers import CURRENCY, OK
from benchmarks.checkout_installation import Installation
from benchmarks.checkout_reading import CallLag, CheckoutReader
from benchmarks.orders_traffic import BURST_SECONDS
from benchmarks.orders_world import Placed, World
from bopis.domain.message import Message
from bopis.domain.orders.messages import PaymentPlan
from bopis.domain.payments.gateway import PaymentMethod
from bopis.names import ORDERS_TOPIC
from bopis.quantiles import quantile
from bopis.wire.orders import ORDERS

SAMPLE_SECONDS = 0.5
PATIENCE_SECONDS = 240.0
WARM_UP_ORDERS = 100
RUNNER_GROUP = "payment-runner"
# A queue grows when it gets longer by more than this share of the arrivals.
GROWTH_SHARE_MAX = 0.02
# Less than this is chance: how many calls are under way varies with the provider's times.
GROWTH_PER_S_LEAST = 2.0
THIRDS = 3


class Sample(NamedTuple):
    """The queues at an instant, counted from the first arrival."""

    at_s: float
    lag: int
    open_calls: int
    oldest_s: float
    unpromised: int


class Load:
    """Places orders that are paid by card, at constant rates."""

    def __init__(self, installed: Installation, world: World) -> None:
        self._installed, self._world = installed, world
        bootstrap, prefix = installed.log.bootstrap, installed.prefix
        self._topic = f"{prefix}{ORDERS_TOPIC}"
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
        self._reader = CheckoutReader(bootstrap, prefix)
        self._reader.start()
        self._lag = CallLag(bootstrap, prefix, RUNNER_GROUP)
        self._sent: dict[str, float] = {}

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()
        self._producer.close()
        self._lag.close()

    def warm_up(self) -> None:
        """Place orders until all of one round are promised. Raises `RuntimeError` when they never are."""
        end = time.perf_counter() + PATIENCE_SECONDS
        while time.perf_counter() < end:
            orders = self._orders(WARM_UP_ORDERS)
            for order, value in orders:
                self._send(order, value)
            if self._drained([order for order, _ in orders]):
                return
        raise RuntimeError("no store could promise anything; see the log of the workers")

    def at_rate(self, rate: float, seconds: float) -> dict[str, Any]:
        """Place orders for some seconds, then wait until every call is answered and every order has its end."""
        orders = self._orders(int(rate * seconds))
        self._sent = {}
        cpu_s, samples, over = self._installed.cpu_s(), list[Sample](), threading.Event()
        began = time.perf_counter()
        sampling = threading.Thread(target=self._sample, args=(began, samples, over), daemon=True)
        sampling.start()
        for number, (order, value) in enumerate(orders):
            if (wait := began + number / rate - time.perf_counter()) > BURST_SECONDS:
                time.sleep(wait)
            self._send(order, value)
        arrivals_s = time.perf_counter() - began
        is_drained = self._drained([order for order, _ in orders])
        whole_s = time.perf_counter() - began
        time.sleep(2 * SAMPLE_SECONDS)
        over.set()
        sampling.join()
        used = {name: it - cpu_s[name] for name, it in self._installed.cpu_s().items()}
        return {
            "checkouts": len(orders),
            "arrivals_per_s": len(orders) / arrivals_s,
            **growth(samples, arrivals_s, rate),
            **_at_end(samples, arrivals_s),
            "drain_s": drain_s(samples, arrivals_s),
            "is_drained": is_drained,
            **self._waits(),
            "without_promise": len(self._sent.keys() - self._reader.promised.keys()),
            "cpu_ms_per_checkout": {name: it * 1000 / len(orders) for name, it in used.items()},
            "cores_used": sum(used.values()) / whole_s,
        }

    def _orders(self, number: int) -> list[Placed]:
        plan = PaymentPlan(methods=(PaymentMethod(token=OK),), consent=True)
        return [(order, _paid_by_card(value, plan)) for order, value in self._world.orders(number)]

    def _send(self, order: str, value: bytes) -> None:
        self._sent[order] = time.perf_counter()
        self._producer.send(self._topic, key=order.encode(), value=value)

    def _drained(self, orders: list[str]) -> bool:
        """Wait until all of these orders have a promise, or were cancelled; False if it takes too long."""
        self._producer.flush()
        end = time.perf_counter() + PATIENCE_SECONDS
        left = set(orders)
        while left and time.perf_counter() < end:
            time.sleep(0.02)
            left -= self._reader.promised.keys()
            left -= self._reader.cancelled.keys()
        return not left

    def _sample(self, began: float, samples: list[Sample], over: threading.Event) -> None:
        reader = self._reader
        while not over.wait(SAMPLE_SECONDS):
            unpromised = len(self._sent.keys() - reader.promised.keys())
            lag, calls, oldest_s = self._lag.records(), len(reader.open_calls), reader.oldest_call_s()
            samples.append(Sample(time.perf_counter() - began, lag, calls, oldest_s, unpromised))

    def _waits(self) -> dict[str, float]:
        placed, promised = self._reader.placed, self._reader.promised
        accepted = [(placed[it] - at) * 1000 for it, at in self._sent.items() if it in placed]
        firm = [(promised[it] - at) * 1000 for it, at in self._sent.items() if it in promised]
        shares = {"p50": 0.50, "p99": 0.99}
        found = {f"accepted_{name}_ms": quantile(accepted, share) for name, share in shares.items()}
        found |= {f"promise_{name}_ms": quantile(firm, share) for name, share in shares.items()}
        return {name: it for name, it in found.items() if it is not None}


def growth(samples: list[Sample], arrivals_s: float, rate: float) -> dict[str, Any]:
    """By how much open calls and orders without a promise became more, per second, from the middle third of the
    arrivals to the last one."""
    parts: list[list[Sample]] = [[], [], []]
    for it in samples:
        if it.at_s < arrivals_s:
            parts[int(it.at_s * THIRDS / arrivals_s)].append(it)
    _, middle, last = parts
    if not middle or not last:
        return {}
    between_s = arrivals_s / THIRDS
    calls = (_mean([it.open_calls for it in last]) - _mean([it.open_calls for it in middle])) / between_s
    orders = (_mean([it.unpromised for it in last]) - _mean([it.unpromised for it in middle])) / between_s
    is_growing = max(calls, orders) > max(GROWTH_PER_S_LEAST, rate * GROWTH_SHARE_MAX)
    return {"calls_growth_per_s": calls, "orders_growth_per_s": orders, "grows": is_growing}


def drain_s(samples: list[Sample], arrivals_s: float) -> float | None:
    """How long after the last arrival every call is answered; None if it never is while it is looked."""
    return next((it.at_s - arrivals_s for it in samples if it.at_s > arrivals_s and not it.open_calls), None)


def _at_end(samples: list[Sample], arrivals_s: float) -> dict[str, Any]:
    during = [it for it in samples if it.at_s <= arrivals_s]
    if not during:
        return {}
    last = during[-1]
    return {
        "lag_at_end": last.lag,
        "open_calls_at_end": last.open_calls,
        "open_calls_most": max(it.open_calls for it in samples),
        "oldest_call_at_end_s": last.oldest_s,
        "oldest_call_most_s": max(it.oldest_s for it in samples),
        "unpromised_at_end": last.unpromised,
    }


def _mean(values: list[int]) -> float:
    return sum(values) / len(values)


def _paid_by_card(value: bytes, plan: PaymentPlan) -> bytes:
    message = ORDERS.decode(value)
    body = msgspec.structs.replace(message.data, currency=CURRENCY, payment=plan)
    paid: Message = msgspec.structs.replace(message, data=body)
    return ORDERS.encode_trusted(paid)
