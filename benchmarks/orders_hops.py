"""Time of each step of an order from placed to promised, by the log's append times."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from benchmarks.measure import median
from benchmarks.orders_reading import records_of
from bopis.names import ORDER_EVENTS_TOPIC, ORDERS_TOPIC, STOCK_TOPIC

# Topic and message type of each step, in the order of the steps.
STEPS = {
    "placed": (ORDERS_TOPIC, "bopis.order.place."),
    "routing_asked": (ORDER_EVENTS_TOPIC, "bopis.orders.routing_requested."),
    "routed": (ORDERS_TOPIC, "bopis.order.routed."),
    "hold_asked": (STOCK_TOPIC, "bopis.stock.reserve."),
    "held": (ORDERS_TOPIC, "bopis.inventory.stock_reserved."),
    "promised": (ORDER_EVENTS_TOPIC, "bopis.orders.order_promised."),
}


class Hops:
    """Append times of the steps of every order; read once, at the end of the run."""

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
        """Milliseconds from each step to the next, and from the first to the last: median (``p50``) and first
        percentile (``p1``), which shows the step without the wait for a core."""
        numbers, names = list(orders), list(STEPS)
        pairs = {f"{before}_to_{after}": (before, after) for before, after in pairwise(names)}
        found = {name: self._waits(pair, numbers) for name, pair in pairs.items()}
        found["all"] = self._waits((names[0], names[-1]), numbers)
        return {name: {"p50": median(it), "p1": it[len(it) // 100]} for name, it in found.items() if it}

    def _waits(self, pair: tuple[str, str], orders: list[str]) -> list[float]:
        before, after = (self._times[name] for name in pair)
        return sorted(float(after[it] - before[it]) for it in orders if it in before and it in after)


def _order(record: Any, name: str) -> str:
    if name != "hold_asked":
        return str(record.key.decode())
    # A request to a store has the store as its key; the order is its correlation.
    marker = b'"correlation":"'
    begins = record.value.index(marker) + len(marker)
    return str(record.value[begins : record.value.index(b'"', begins)].decode())
