"""Write the AsyncAPI document of the log: ``python -m bopis.reference.asyncapi docs/asyncapi.json``.

Its messages refer to the JSON Schemas in `docs/schemas`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bopis.names import (
    INVENTORY_EVENTS_TOPIC,
    NOTICE_EVENTS_TOPIC,
    NOTICES_TOPIC,
    ORDER_EVENTS_TOPIC,
    ORDERS_TOPIC,
    PAYMENT_CALLS_TOPIC,
    PAYMENT_EVENTS_TOPIC,
    PAYMENTS_TOPIC,
    ROUTING_SHADOW_TOPIC,
    STOCK_TOPIC,
)
from bopis.topics.definitions import TOPICS, TopicDefinition
from bopis.wire.envelope import Family
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.payments import PAYMENT_CALLS, PAYMENT_EVENTS, PAYMENTS
from bopis.wire.routing import SHADOW
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

PREFIX = "bopis."
FAMILIES: dict[str, Family] = {
    STOCK_TOPIC: STOCK,
    INVENTORY_EVENTS_TOPIC: INVENTORY_EVENTS,
    ORDERS_TOPIC: ORDERS,
    ORDER_EVENTS_TOPIC: ORDER_EVENTS,
    PAYMENTS_TOPIC: PAYMENTS,
    PAYMENT_EVENTS_TOPIC: PAYMENT_EVENTS,
    PAYMENT_CALLS_TOPIC: PAYMENT_CALLS,
    NOTICES_TOPIC: NOTICES,
    NOTICE_EVENTS_TOPIC: NOTICE_EVENTS,
    ROUTING_SHADOW_TOPIC: SHADOW,
}
DESCRIPTION = (
    "Topics of the log, under the default prefix. Messages of the topics of requests and events are CloudEvents 1.0 in "
    "JSON; the other topics have rows by key, whose form may change with a release."
)


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document."""
    messages = {name: _message(name) for family in FAMILIES.values() for name in family.envelopes}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "bopis", "version": "1.0.0", "description": DESCRIPTION, "license": {"name": "MIT"}},
        "defaultContentType": "application/cloudevents+json",
        "servers": {"log": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "The setting broker"}},
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            f"{action}-{topic.name}": {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}, "summary": by}
            for topic in TOPICS
            for action, by in (("send", f"By {topic.written_by}"), ("receive", f"By {topic.read_by}"))
        },
        "components": {"messages": messages},
    }


def _channel(topic: TopicDefinition) -> dict[str, Any]:
    family = FAMILIES.get(topic.name)
    names = list(family.envelopes) if family is not None else []
    return {
        "address": PREFIX + topic.name,
        "description": f"Key: {topic.key}. Kept: {topic.retention.value}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": PREFIX + topic.name,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup], "max.message.bytes": topic.bytes_max},
            }
        },
    }


def _message(name: str) -> dict[str, Any]:
    return {"name": name, "contentType": "application/cloudevents+json", "payload": {"$ref": f"./schemas/{name}.json"}}


def write(file: Path) -> None:
    """Write the document."""
    file.write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    print(f"{sys.argv[1]} is written")
