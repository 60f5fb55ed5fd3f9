"""JSON Schema of every type on the wire, generated from the code."""

import json
from typing import Any

import msgspec

from bopis.domain.inventory import events as inventory_events
from bopis.domain.inventory import messages as stock
from bopis.domain.notices import messages as notices
from bopis.domain.notices import vocabulary as notice_words
from bopis.domain.orders import messages as orders
from bopis.domain.orders import vocabulary as order_words
from bopis.domain.sourcing import decision, facts, request
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.payments import PAYMENT_EVENTS, PAYMENTS
from bopis.wire.routing import SHADOW
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

# Published definitions keep their names when a class is renamed: others generate code from the schemas.
PUBLISHED_NAMES = {
    stock.StockTick: "Tick",
    stock.AdjustmentReason: "Reason",
    inventory_events.StockRefusal: "Refusal",
    orders.OrderTick: "Tick",
    order_words.Initiator: "By",
    notices.NoticeTick: "Tick",
    notices.NoticeRequest: "NoticeDue",
    notice_words.SendOutcome: "Outcome",
    notice_words.ResendRefusal: "Refusal",
    decision.RoutingOutcome: "Outcome",
    decision.EliminationReason: "Reason",
    decision.PlannedTransfer: "Transfer",
    decision.StockNeed: "Need",
    facts.QueuedWork: "Queue",
    request.GeoPoint: "Place",
}
_PUBLISHED = {kind.__name__: name for kind, name in PUBLISHED_NAMES.items()}

# In this order: a type that two topics have is described once.
FAMILIES = (
    STOCK,
    INVENTORY_EVENTS,
    ORDERS,
    ORDER_EVENTS,
    PAYMENTS,
    PAYMENT_EVENTS,
    NOTICES,
    NOTICE_EVENTS,
    SHADOW,
)


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (draft 2020-12) of each type's whole message, by type name."""
    made = {}
    for family in FAMILIES:
        for name, envelope in family.envelopes.items():
            schema = _with_published_names(json.loads(json.dumps(msgspec.json.schema(envelope))))
            made[name] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **schema}
    return made


def _with_published_names(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with each definition, its title and the references to it under the published name."""
    names = {name: _published(name) for name in schema["$defs"]}
    assert len(set(names.values())) == len(names), f"two definitions of one name: {sorted(names.values())}"
    references = {f"#/$defs/{name}": f"#/$defs/{published}" for name, published in names.items()}

    def rename(node: Any) -> Any:
        if isinstance(node, list):
            return [rename(it) for it in node]
        if isinstance(node, dict):
            return {
                key: references.get(value, value) if key == "$ref" else rename(value) for key, value in node.items()
            }
        return node

    renamed: dict[str, Any] = rename(schema)
    renamed["$defs"] = {
        names[name]: {**definition, "title": names[name]} if "title" in definition else definition
        for name, definition in renamed["$defs"].items()
    }
    return renamed


def _published(name: str) -> str:
    """The published name of a class, or of the envelope that is made for it (``Tick_v1``)."""
    kind, _, version = name.partition("_")
    published = _PUBLISHED.get(kind, kind)
    return f"{published}_{version}" if version else published
