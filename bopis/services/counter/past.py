"""What was said about one order, read from the log: where the read side says it stands, and what came after that."""

from collections.abc import Iterator

from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.orders.state import Order
from bopis.domain.sourcing.decision import Decision
from bopis.ports import KnownOrders, Log, Offsets
from bopis.services.counter.answers import EVENTS_TOPIC, ORDERS_TOPIC
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS, ORDERS

TOPICS = (EVENTS_TOPIC, ORDERS_TOPIC)
NEAR_RECORDS = 200


class Past(Struct, frozen=True):
    """Conclusions of an order in their order, and the decisions that routing answered with."""

    events: tuple[Message, ...]
    decisions: tuple[Decision, ...]


def read_past(log: Log, order: Order, known: KnownOrders | None = None) -> Past:
    """The story of an order. What repeats word for word after a crash is told once.

    Without a read side that has this log everything since the order was placed is read.
    """
    events: dict[str, Message] = {}
    decisions: dict[tuple[int, str], Decision] = {}
    key = order.order.encode()
    for record in (it for first, end in _spans(log, order, known) for it in log.read(first, end)):
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


def _spans(log: Log, order: Order, known: KnownOrders | None) -> Iterator[tuple[Offsets, Offsets]]:
    """What of the log has to be read, in the log's order."""
    begin, ends = log.offsets_at(TOPICS, order.placed_ms), log.end_offsets(TOPICS)
    after = {} if known is None else known.read_up_to(TOPICS)
    if known is None or any(it >= ends.get(where, 0) for where, it in after.items()):
        yield begin, ends
        return
    for where, offsets in known.places(order.order).items():
        for first, last in _runs(offsets):
            yield {where: first}, {where: last + 1}
    yield begin | {where: it + 1 for where, it in after.items()}, ends


def _runs(offsets: list[int]) -> Iterator[tuple[int, int]]:
    """Rising offsets as spans, one for those that lie so near that asking twice would cost more."""
    first = last = offsets[0]
    for it in offsets[1:]:
        if it - last > NEAR_RECORDS:
            yield first, last
            first = it
        last = it
    yield first, last
