"""The messages about one order, read from the log: at the offsets that a projection knows, and everything beyond it."""

from collections.abc import Iterator

from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.orders.state import Order
from bopis.domain.sourcing.decision import Decision
from bopis.names import ORDER_EVENTS_TOPIC, ORDERS_TOPIC
from bopis.ports import Log, Offsets, OrderProjection
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS, ORDERS

TOPICS = (ORDER_EVENTS_TOPIC, ORDERS_TOPIC)
NEAR_RECORDS = 200


class OrderEventHistory(Struct, frozen=True):
    """Events of an order in the log's order, and the decisions of routing."""

    events: tuple[Message, ...]
    decisions: tuple[Decision, ...]


def read_order_history(log: Log, order: Order, projection: OrderProjection | None = None) -> OrderEventHistory:
    """The events and decisions of an order. Repeats after a crash count once.

    Without a projection of this log, everything since the order was placed is read.
    """
    events: dict[str, Message] = {}
    decisions: dict[tuple[int, str], Decision] = {}
    key = order.order.encode()
    for record in (it for first, end in _spans(log, order, projection) for it in log.read(first, end)):
        if record.key != key:
            continue
        try:
            family = ORDER_EVENTS if record.topic == ORDER_EVENTS_TOPIC else ORDERS
            message = family.decode(record.value or b"")
        except WireError:
            continue
        if record.topic == ORDER_EVENTS_TOPIC:
            events.setdefault(message.id, message)
        elif isinstance(message.data, OrderRouted | RoutingFailed):
            decision = message.data.decision
            decisions.setdefault((decision.attempt, decision.digest), decision)
    return OrderEventHistory(tuple(events.values()), tuple(decisions.values()))


def _spans(log: Log, order: Order, projection: OrderProjection | None) -> Iterator[tuple[Offsets, Offsets]]:
    """The spans of the log to read, as first and end offsets, in the log's order."""
    read: dict[tuple[str, int], int] = {}
    known: dict[tuple[str, int], list[int]] = {}
    if projection is not None:
        with projection.snapshot() as projected:
            read, known = projected.positions(TOPICS), projected.history_offsets(order.order)
    begin, ends = log.offsets_at(TOPICS, order.placed_ms), log.end_offsets(TOPICS)
    if any(position >= ends.get(where, 0) for where, position in read.items()):
        read, known = {}, {}  # a projection of another log
    for where, offsets in known.items():
        for first, last in _runs(offsets):
            yield {where: first}, {where: last + 1}
    yield {where: max(first, read.get(where, -1) + 1) for where, first in begin.items()}, ends


def _runs(offsets: list[int]) -> Iterator[tuple[int, int]]:
    """Rising offsets as spans (first, last). Offsets that lie near each other share one: reading over the gap is
    cheaper than another request."""
    first = last = offsets[0]
    for offset in offsets[1:]:
        if offset - last > NEAR_RECORDS:
            yield first, last
            first = offset
        last = offset
    yield first, last
