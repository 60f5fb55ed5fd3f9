"""Where the time of an order goes: when the log appended each message on its way from placed to promised."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from benchmarks.measure import median
from benchmarks.orders_hearing import records_of

# Each step by its topic and the type of its message, in the order in which an order takes them.
STEPS = {
    "placed": ("orders", "bopis.order.place."),
    "routing_asked": ("order-events", "bopis.orders.routing_requested."),
    "routed": ("orders", "bopis.order.routed."),
    "hold_asked": ("stock", "bopis.stock.reserve."),
    "held": ("orders", "bopis.inventory.stock_reserved."),
    "promised": ("order-events", "bopis.orders.order_promised."),
}


class Hops:
    """Append times of every order's steps; read once, when all is over."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._times: dict[str, dict[str, int]] = {name: {} for name in STEPS}
        for topic in dict.fromkeys(topic for topic, _ in STEPS.values()):
            wanted = {name: f'"type":"{kind}'.encode() for name, (of, kind) in STEPS.items() if of == topic}
            for record in records_of(bootstrap, f"{prefix}{topic}"):
                self._take(record, wanted)

    def _take(self, record: Any, wanted: dict[str, bytes]) -> None:
        for name, kind in wanted.items():
            if kind in record.value:
                self._times[name].setdefault(_order(record, name), record.timestamp)

    def waits_ms(self, orders: Iterable[str]) -> dict[str, dict[str, float]]:
        """The waits of each step since the one before it, and of all together: the median, and what the quickest
        of a hundred took, which tells of the way without the waiting for a core."""
        numbers, names = list(orders), list(STEPS)
        ways = {f"{before}_to_{after}": (before, after) for before, after in pairwise(names)}
        found = {name: self._waits(way, numbers) for name, way in ways.items()}
        found["all"] = self._waits((names[0], names[-1]), numbers)
        return {name: {"p50": median(it), "p1": it[len(it) // 100]} for name, it in found.items() if it}

    def _waits(self, way: tuple[str, str], orders: list[str]) -> list[float]:
        before, after = (self._times[name] for name in way)
        return sorted(float(after[it] - before[it]) for it in orders if it in before and it in after)


def _order(record: Any, name: str) -> str:
    if name != "hold_asked":
        return str(record.key.decode())
    # A request to a store is keyed by the store; whom it is about stands beside it.
    marked = b'"correlation":"'
    begins = record.value.index(marked) + len(marked)
    return str(record.value[begins : record.value.index(b'"', begins)].decode())
