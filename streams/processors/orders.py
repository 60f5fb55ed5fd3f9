"""The orders processor: messages about orders in; rows, conclusions, notices and requests to stores out.

Only the wiring is here: bytes to message, the domain's `step`, conclusions to bytes.
"""

from collections.abc import Sequence
from zlib import crc32

import msgspec

from bopis.domain.inventory.admission import Rejected, content_digest
from bopis.domain.message import Message
from bopis.domain.orders.events import CommandRefused, Event, NoticeDue, OrderHandedOver
from bopis.domain.orders.messages import OrderTick
from bopis.domain.orders.state import Order
from bopis.domain.orders.step import StepResult, step
from bopis.domain.orders.vocabulary import Refusal
from bopis.domain.repeats import RecordIdentity
from bopis.names import (
    NOTICES_TOPIC,
    ORDER_EVENTS_TOPIC,
    ORDER_STATE_TOPIC,
    ORDERS_TOPIC,
    PAYMENTS_TOPIC,
    STOCK_TOPIC,
)
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS, ORDERS, identity
from bopis.wire.payments import FromOrder
from bopis.wire.stock import STOCK
from streams.engine.processor import LogRecord, Output
from streams.engine.rows import PartitionRows
from streams.processors.wiring import TimedRows, at_instant, cause_id, digest, numbered, poison

NAME = "orders"
# Refusals that no row remembers: the same command may be refused again, or carried out once the order is there.
TRACELESS = frozenset({Refusal.UNKNOWN_ORDER, Refusal.NUMBER_TAKEN, Refusal.REPEATED_LINE, Refusal.TOO_MANY_PARTS})


class OrdersProcessor(TimedRows[Order]):
    """One writer per order: every message about an order is decided here, in the order of the log."""

    name: str = NAME
    source: str = ORDERS_TOPIC
    changelog: str = ORDER_STATE_TOPIC
    outputs: tuple[str, ...] = (ORDER_EVENTS_TOPIC, NOTICES_TOPIC, PAYMENTS_TOPIC, STOCK_TOPIC)

    def __init__(self) -> None:
        super().__init__(NAME, Order, ORDERS, OrderTick)

    def handle(self, rows: PartitionRows, record: LogRecord) -> Sequence[Output]:
        """Decode, decide, evolve; raises `Poison` for a message that can never be handled."""
        value = record.value
        assert value is not None, "the step parks records without a value"
        try:
            message = ORDERS.decode_placed(value, record.key, rows.placement)
            arrival = RecordIdentity(
                recorded_at_ms=record.timestamp,
                identity=identity(message),
                digest=content_digest(message.data),
                bytes_digest=crc32(value),
            )
            concluded = step(rows, message, arrival)
        except (WireError, Rejected) as error:
            raise poison(error) from None
        if not concluded.events:
            return ()
        firing = self.firing(rows, message.subject) if isinstance(message.data, OrderTick) else 0
        order: Order | None = rows.get(message.subject)
        return conclusions(message, concluded, firing, has_payment=order is not None and bool(order.methods))


def conclusions(message: Message, concluded: StepResult, firing: int = 0, *, has_payment: bool = False) -> list[Output]:
    """Events and requests as messages whose ids follow from their cause, so that a repeat has the same ids. A request
    to a store leaves after the event that it follows from.

    `firing`: which firing of its deadline the order decided, when the message is a tick. `has_payment`: the order is
    paid by methods of its customer, so its payment learns what concerns it.
    """
    order, cause = message.subject, cause_id(message)
    stem, request_stem = numbered(cause, firing), numbered(digest(message.cause), firing)
    outputs: list[Output] = []
    for index, event in enumerate(concluded.events):
        published = Message(
            id=f"{stem}#{index}{_refusal_suffix(event)}",
            source=NAME,
            time=at_instant(event.stamp.at_ms),
            subject=order,
            data=event,
            actor=event.stamp.actor or msgspec.UNSET,
            correlation=order,
            causation=cause,
        )
        value = ORDER_EVENTS.encode_trusted(published)
        outputs.append(Output(ORDER_EVENTS_TOPIC, order.encode(), value))
        # The hand-over, too: a customer who has the goods is not asked any more to come and get them.
        if isinstance(event, NoticeDue | OrderHandedOver):
            outputs.append(Output(NOTICES_TOPIC, order.encode(), value))
        elif has_payment and isinstance(event, FromOrder):
            outputs.append(Output(PAYMENTS_TOPIC, order.encode(), value))
    for number, (index, request) in enumerate(concluded.requests):
        requested = Message(
            id=f"{order}/{request_stem}/{number}",
            source=NAME,
            time=at_instant(concluded.events[index].stamp.at_ms),
            subject=request.store,
            data=request.data,
            correlation=order,
            causation=f"{stem}#{index}",
        )
        outputs.append(Output(STOCK_TOPIC, request.store.encode(), STOCK.encode_trusted(requested)))
    return outputs


def _refusal_suffix(event: Event) -> str:
    """Part of the id of a refusal that no row remembers: another reply to the same command has another id."""
    refused = isinstance(event, CommandRefused) and event.reason in TRACELESS
    return f"/{event.stamp.recorded_at_ms}" if refused else ""
