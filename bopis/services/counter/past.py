"""What was said about one order, read from the log from when it was placed on."""

from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.orders.state import Order
from bopis.domain.sourcing.decision import Decision
from bopis.ports import Log
from bopis.services.counter.answers import EVENTS_TOPIC, ORDERS_TOPIC
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS, ORDERS


class Past(Struct, frozen=True):
    """Conclusions of an order in their order, and the decisions that routing answered with."""

    events: tuple[Message, ...]
    decisions: tuple[Decision, ...]


def read_past(log: Log, order: Order) -> Past:
    """The story of an order. What repeats word for word after a crash is told once."""
    events: dict[str, Message] = {}
    decisions: dict[tuple[int, str], Decision] = {}
    topics, key = (EVENTS_TOPIC, ORDERS_TOPIC), order.order.encode()
    for record in log.read(log.offsets_at(topics, order.placed_ms), log.end_offsets(topics)):
        if record.key != key:
            continue
        try:
            family = ORDER_EVENTS if record.topic == EVENTS_TOPIC else ORDERS
            message = family.decode(record.value or b"")
        except WireError:
            continue
        if record.topic == EVENTS_TOPIC:
            events.setdefault(message.id, message)
        elif isinstance(message.data, OrderRouted | RoutingFailed):
            decision = message.data.decision
            decisions.setdefault((decision.attempt, decision.digest), decision)
    return Past(tuple(events.values()), tuple(decisions.values()))
