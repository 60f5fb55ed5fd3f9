"""What became of orders, heard from the log by readers that share nothing with the engine but the bytes."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition

PROMISED = b'"bopis.orders.order_promised.'
ENDED = (PROMISED, b'"bopis.orders.order_cancelled.', b'"bopis.orders.alternative_offered.', b'"bopis.orders.lines_wai')
POLL_MS = 100
COUNT_POLL_MS = 2_000


class Hearer(threading.Thread):
    """Reads the events of all orders as an outside subscriber does; notes when each was promised, or ended."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(daemon=True)
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, fetch_max_bytes=1 << 20)
        partitions = self._consumer.partitions_for_topic(topic)
        if not partitions:
            raise RuntimeError(f"{topic} does not exist: no worker of orders has been ready on this log")
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
        if any(words in value for words in ENDED):
            order = record.key.decode()
            self.settled.setdefault(order, now)
            if PROMISED in value:
                self.promised.setdefault(order, now)


def events_of(bootstrap: str, topic: str) -> Iterator[dict[str, Any]]:
    """Every message of a topic, from the first to where it ends now, as plain JSON."""
    for record in records_of(bootstrap, topic):
        yield json.loads(record.value)


def records_of(bootstrap: str, topic: str) -> Iterator[Any]:
    """Every record of a topic, from the first to where it ends now."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    while any(consumer.position(it) < ends[it] for it in places):
        for records in consumer.poll(COUNT_POLL_MS).values():
            yield from records
    consumer.close()


def count_promises(bootstrap: str, prefix: str, buyers: set[str]) -> dict[str, int]:
    """How many of the buyers were promised, and how many units the stores reserved for them and gave back since.

    Counted from the whole log once all is over: an order that was promised twice, or a unit held twice, shows.
    """
    promises = [
        event["subject"]
        for event in events_of(bootstrap, f"{prefix}order-events")
        if event["type"].startswith("bopis.orders.order_promised.") and event["subject"] in buyers
    ]
    reserved = given_back = 0
    seen: set[tuple[str, str]] = set()
    for event in events_of(bootstrap, f"{prefix}inventory-events"):
        if event.get("correlation") not in buyers or (event["source"], event["id"]) in seen:
            continue
        seen.add((event["source"], event["id"]))
        units = sum(line["quantity"] for line in event["data"].get("lines", ()))
        if event["type"].startswith("bopis.inventory.stock_reserved."):
            reserved += units
        elif event["type"].startswith("bopis.inventory.hold_changed."):
            given_back += units
    return {"promised": len(set(promises)), "units_reserved": reserved, "units_given_back": given_back}
