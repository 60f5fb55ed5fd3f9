"""Outcomes of orders, read from the log by readers that share no code with the engine."""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from bopis.names import INVENTORY_EVENTS_TOPIC, ORDER_EVENTS_TOPIC

PROMISED = b'"bopis.orders.order_promised.'
ENDED = (PROMISED, b'"bopis.orders.order_cancelled.', b'"bopis.orders.alternative_offered.', b'"bopis.orders.lines_wai')
Event = dict[str, Any]
POLL_MS = 100
COUNT_POLL_MS = 2_000


class PromiseReader(threading.Thread):
    """Reads the events of all orders as an external subscriber; records when each order was promised or settled."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(daemon=True)
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, fetch_max_bytes=1 << 20)
        partitions = self._consumer.partitions_for_topic(topic)
        if not partitions:
            raise RuntimeError(f"{topic} does not exist: no orders worker has been ready on this log")
        self._consumer.assign([TopicPartition(topic, number) for number in sorted(partitions)])
        self._consumer.seek_to_end()
        for number in partitions:
            self._consumer.position(TopicPartition(topic, number))
        self.promised: dict[str, float] = {}
        self.settled: dict[str, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for records in self._consumer.poll(POLL_MS).values():
                now = time.perf_counter()
                for record in records:
                    self._take(record, now)
        self._consumer.close()

    def _take(self, record: Any, now: float) -> None:
        value = record.value or b""
        if any(kind in value for kind in ENDED):
            order = record.key.decode()
            self.settled.setdefault(order, now)
            if PROMISED in value:
                self.promised.setdefault(order, now)


def events_of(bootstrap: str, topic: str) -> Iterator[Event]:
    """Every message of a topic, from the first up to its present end, as plain JSON."""
    for record in records_of(bootstrap, topic):
        yield json.loads(record.value)


def records_of(bootstrap: str, topic: str) -> Iterator[Any]:
    """Every record of a topic, from the first up to its present end."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(it) < ends[it] for it in partitions):
        for records in consumer.poll(COUNT_POLL_MS).values():
            yield from records
    consumer.close()


def count_promises(bootstrap: str, prefix: str, buyers: set[str]) -> dict[str, int]:
    """Counts of `promises_among` over the whole log. Call it when nothing is published any more."""
    of_orders, of_stock = (events_of(bootstrap, f"{prefix}{it}") for it in (ORDER_EVENTS_TOPIC, INVENTORY_EVENTS_TOPIC))
    return promises_among(of_orders, of_stock, buyers)


def promises_among(of_orders: Iterable[Event], of_stock: Iterable[Event], buyers: set[str]) -> dict[str, int]:
    """Number of buyers with a promise, and units that stores reserved for buyers and released again.

    Events with an equal id count once, because a repeat after a crash has the same id. Errors are visible in the
    counts: an order promised under two ids makes ``promises`` greater than ``promised``, and a unit held twice makes
    the units held more than the units in stock.
    """
    promises = [it["subject"] for it in _once(of_orders, "bopis.orders.order_promised.") if it["subject"] in buyers]
    units = {
        kind: sum(line["quantity"] for it in events if it.get("correlation") in buyers for line in it["data"]["lines"])
        for kind, events in _stock_of_holds(of_stock).items()
    }
    return {"promised": len(set(promises)), "promises": len(promises), **units}


def _stock_of_holds(events: Iterable[Event]) -> dict[str, list[Event]]:
    kinds = {"units_reserved": "bopis.inventory.stock_reserved.", "units_given_back": "bopis.inventory.hold_changed."}
    found = list(_once(events, "bopis.inventory."))
    return {name: [it for it in found if it["type"].startswith(kind)] for name, kind in kinds.items()}


def _once(events: Iterable[Event], kind: str) -> Iterator[Event]:
    seen: set[tuple[str, str]] = set()
    for event in events:
        name = (event["source"], event["id"])
        if event["type"].startswith(kind) and name not in seen:
            seen.add(name)
            yield event
