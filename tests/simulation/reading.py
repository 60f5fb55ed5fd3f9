"""The log as an auditor reads it: every message once, in the order in which it was first said."""

from typing import Any, NamedTuple

from bopis.domain.message import Message
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.payments import PAYMENT_EVENTS, PAYMENTS
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from tests.simulation.findings import must
from tests.simulation.log import Kept, Log

RUNNER = "payment-runner"
FAMILIES: dict[str, Any] = {
    "stock": STOCK,
    "orders": ORDERS,
    "order-events": ORDER_EVENTS,
    "notices": NOTICES,
    "notice-events": NOTICE_EVENTS,
    "inventory-events": INVENTORY_EVENTS,
    "payments": PAYMENTS,
    "payment-events": PAYMENT_EVENTS,
}


class Said(NamedTuple):
    """One message and the record that first said it."""

    message: Message
    record: Kept
    partition: int


class Reading(NamedTuple):
    """Every topic of messages, each message once, and how many records were no message at all."""

    said: dict[str, list[Said]]
    nonsense: int


def read(log: Log) -> Reading:
    """Decode everything once. The same id with other bytes is a finding: what is decided again must be the same."""
    nonsense = 0
    topics = {}
    for topic, family in FAMILIES.items():
        first: dict[tuple[str, str, str], Any] = {}
        known: set[bytes] = set()
        found = []
        for partition, records in enumerate(log.topics[topic]):
            for record in records:
                assert record.value is not None
                if record.value in known:
                    continue
                try:
                    message = family.decode(record.value)
                except WireError:
                    nonsense += 1
                    continue
                known.add(record.value)
                name = (message.subject, message.source, message.id)
                if message.source == RUNNER and first.get(name) == message.data:
                    continue  # two runners gave the same answer, each at its own time
                must(name not in first, "same id, same content", f"{topic} {name}")
                first[name] = message.data
                found.append(Said(message, record, partition))
        topics[topic] = sorted(found, key=lambda it: it.record.place)
    return Reading(topics, nonsense)
