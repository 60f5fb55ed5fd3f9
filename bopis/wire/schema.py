"""JSON Schema of every type on the wire, generated from the code."""

import json
from typing import Any

import msgspec

from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.routing import SHADOW
from bopis.wire.stock import INVENTORY_EVENTS, STOCK


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (draft 2020-12) of each type's whole message, by type name."""
    made = {}
    for family in (STOCK, INVENTORY_EVENTS, ORDERS, ORDER_EVENTS, NOTICES, NOTICE_EVENTS, SHADOW):
        for name, envelope in family.envelopes.items():
            schema = msgspec.json.schema(envelope)
            made[name] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **schema}
    plain: dict[str, dict[str, Any]] = json.loads(json.dumps(made))
    return plain
