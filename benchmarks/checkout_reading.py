"""Orders and payment calls as an external reader of the log sees them."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from benchmarks.orders_reading import POLL_MS, PROMISED
from bopis.names import ORDER_EVENTS_TOPIC, PAYMENT_CALLS_TOPIC, PAYMENTS_TOPIC

PLACED = b'"bopis.orders.order_placed.'
ANSWERED = b'"bopis.payment.call_answered.'
# The notice that asks a customer to confirm a payment, or to name another method.
ASKED = b'"payment_needed"'
CANCELLED = b'"bopis.orders.order_cancelled.'
FETCH_BYTES_MAX = 4 << 20
RECORDS_PER_POLL_MAX = 5_000


class CheckoutReader(threading.Thread):
    """Records when each order was placed, promised, or its customer was asked to pay, and which calls to gateways wait
    for their answer or are under way."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        super().__init__(daemon=True)
        self._events, self._calls, self._payments = (
            f"{prefix}{it}" for it in (ORDER_EVENTS_TOPIC, PAYMENT_CALLS_TOPIC, PAYMENTS_TOPIC)
        )
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, fetch_max_bytes=FETCH_BYTES_MAX,
            max_poll_records=RECORDS_PER_POLL_MAX,
        )  # fmt: skip
        tps = [tp for topic in (self._events, self._calls, self._payments) for tp in partitions(self._consumer, topic)]
        self._consumer.assign(tps)
        self._consumer.seek_to_end()
        for tp in tps:
            self._consumer.position(tp)
        self.placed: dict[str, float] = {}
        self.promised: dict[str, float] = {}
        self.asked: dict[str, float] = {}
        self.cancelled: dict[str, float] = {}
        # Append times in ms since 1970 of requests without an answer, by order; the oldest first.
        self.open_calls: dict[str, int] = {}
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for tp, records in self._consumer.poll(POLL_MS).items():
                now = time.perf_counter()
                for record in records:
                    self._take(tp.topic, record, now)
        self._consumer.close()

    def close(self) -> None:
        """Stop reading."""
        self.over.set()
        self.join()

    def _take(self, topic: str, record: Any, now: float) -> None:
        order, value = record.key.decode(), record.value or b""
        if topic == self._calls:
            self.open_calls.setdefault(order, record.timestamp)
        elif topic == self._payments:
            if ANSWERED in value:
                self.open_calls.pop(order, None)
        else:
            kinds = ((PLACED, self.placed), (PROMISED, self.promised), (CANCELLED, self.cancelled), (ASKED, self.asked))
            for kind, seen in kinds:
                if kind in value:
                    seen.setdefault(order, now)

    def oldest_call_s(self) -> float:
        """How long the oldest call has waited for its answer; 0: none does."""
        oldest_ms = next(iter(self.open_calls.copy().values()), None)
        return 0.0 if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000)


class CallLag:
    """Requests that the payment runner has not committed as done."""

    def __init__(self, bootstrap: str, prefix: str, group: str) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=f"{prefix}{group}", enable_auto_commit=False
        )
        self._partitions = partitions(self._consumer, f"{prefix}{PAYMENT_CALLS_TOPIC}")

    def records(self) -> int:
        """The lag of the runner's group, in records."""
        ends = self._consumer.end_offsets(self._partitions)
        return sum(end - (self._consumer.committed(tp) or 0) for tp, end in ends.items())

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()


def partitions(consumer: KafkaConsumer, topic: str) -> Sequence[TopicPartition]:
    """The partitions of a topic. Raises `RuntimeError` when it does not exist."""
    found = consumer.partitions_for_topic(topic)
    if not found:
        raise RuntimeError(f"{topic} does not exist: no worker that creates it has been ready on this log")
    return [TopicPartition(topic, number) for number in sorted(found)]
