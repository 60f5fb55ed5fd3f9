"""The orders processor: what is said to an order in, its row, conclusions, notices and requests to stores out.

Only the wiring stands here: bytes to message, the domain's ``step``, conclusions to bytes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any
from zlib import crc32

import msgspec

from bopis.domain.inventory.admission import Rejected
from bopis.domain.message import Message
from bopis.domain.orders.events import CommandRefused
from bopis.domain.orders.messages import Tick
from bopis.domain.orders.outcomes import Event, NoticeDue, OrderHandedOver
from bopis.domain.orders.state import Order
from bopis.domain.orders.step import Arrival, Concluded, step
from bopis.domain.orders.terms import Refusal
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS, ORDERS, identity
from bopis.wire.stock import STOCK
from streams.processor import Output, Poison, Record
from streams.rows import Rows

NAME = "orders"
ORDERS_TOPIC = "orders"
STATE_TOPIC = "order-state"
EVENTS_TOPIC = "order-events"
NOTICES_TOPIC = "notices"
STOCK_TOPIC = "stock"
CAUSE_LENGTH_MAX = 256  # a longer one is named by its digest, so that what follows from it still fits
# Refusals that no row remembers: the same command may be refused again, or carried out once the order is there.
TRACELESS = frozenset({Refusal.UNKNOWN_ORDER, Refusal.NUMBER_TAKEN, Refusal.REPEATED_LINE, Refusal.TOO_MANY_PARTS})
TICKS_MAX = 500  # orders that are told in one go that something of theirs is due

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Order)


class _Due(msgspec.Struct):
    due_ms: int = 0


_due = msgspec.json.Decoder(_Due)


class OrdersProcessor:
    """One writer per order: every message about an order is decided here, in the order of the log."""

    name: str = NAME
    source: str = ORDERS_TOPIC
    changelog: str = STATE_TOPIC
    outputs: tuple[str, ...] = (EVENTS_TOPIC, NOTICES_TOPIC, STOCK_TOPIC)

    def handle(self, rows: Rows, record: Record) -> Sequence[Output]:
        """Decode, decide, evolve; raises `Poison` for what can never be handled."""
        value = record.value
        if value is None:
            raise Poison("empty record; a message needs a body")
        try:
            message = ORDERS.decode(value)
            arrival = Arrival(recorded_at_ms=record.timestamp, identity=identity(message), digest=crc32(value))
            concluded = step(rows, message, arrival)
        except (WireError, Rejected) as error:
            raise Poison(f"{type(error).__name__}: {error}") from None
        if not concluded.events:
            return ()
        fired = isinstance(message.data, Tick)
        firing = rows.get(message.subject).fired if fired else 0  # type: ignore[union-attr]  # it has just fired
        return conclusions(message, concluded, firing)

    def encode(self, key: str, row: Any) -> bytes:  # noqa: ARG002  (the protocol's)
        """A row as JSON."""
        return _encoder.encode(row)

    def decode(self, key: str, value: bytes) -> Order:  # noqa: ARG002  (the protocol's)
        """The order kept under a key."""
        return _decoder.decode(value)

    def deadline(self, key: str, value: bytes) -> int | None:  # noqa: ARG002  (the protocol's)
        """When a recovered order wants to be looked at."""
        return _due.decode(value).due_ms or None

    def tick(self, rows: Rows, at_ms: int) -> Sequence[tuple[bytes, bytes]]:
        """One message to each order that something of is due; a tick is about its order alone."""
        ticks = []
        for order in rows.due(at_ms)[:TICKS_MAX]:
            due_ms = rows.get(order).due_ms  # type: ignore[union-attr]  # what is due is there
            at = datetime.fromtimestamp(due_ms / 1000, UTC)
            message = Message(id=f"tick/{order}/{due_ms}", source=NAME, time=at, subject=order, data=Tick(at=at))
            ticks.append((order.encode(), ORDERS.encode_trusted(message)))
        return ticks


def conclusions(message: Message, concluded: Concluded, firing: int = 0) -> list[Output]:
    """What was concluded and asked for, as messages whose ids follow from their cause, so that a repeat has the same
    ids. What a store is asked leaves after the event that it follows from.

    A deadline may be met again, by a tick of the same name: ``firing`` counts those that were decided, for the ids.
    """
    order = message.subject
    outputs: list[Output] = []
    digest = blake2s(message.cause.encode(), digest_size=12).hexdigest()
    cause = message.cause if len(message.cause) <= CAUSE_LENGTH_MAX else digest
    name = f"{cause}/{firing}" if firing else cause
    asking = f"{digest}/{firing}" if firing else digest
    for index, event in enumerate(concluded.events):
        said = Message(
            id=f"{name}#{index}{_traceless(event)}",
            source=NAME,
            time=datetime.fromtimestamp(event.stamp.at_ms / 1000, UTC),
            subject=order,
            data=event,
            actor=event.stamp.actor or msgspec.UNSET,
            correlation=order,
            causation=cause,
        )
        value = ORDER_EVENTS.encode_trusted(said)
        outputs.append(Output(EVENTS_TOPIC, order.encode(), value))
        # Who was given the goods is not told any more to come and get them.
        if isinstance(event, NoticeDue | OrderHandedOver):
            outputs.append(Output(NOTICES_TOPIC, order.encode(), value))
    for number, (index, request) in enumerate(concluded.requests):
        asked = Message(
            id=f"{order}/{asking}/{number}",
            source=NAME,
            time=datetime.fromtimestamp(concluded.events[index].stamp.at_ms / 1000, UTC),
            subject=request.store,
            data=request.data,
            correlation=order,
            causation=f"{name}#{index}",
        )
        outputs.append(Output(STOCK_TOPIC, request.store.encode(), STOCK.encode_trusted(asked)))
    return outputs


def _traceless(event: Event) -> str:
    """What tells a refusal that no row remembers from the next answer to the same command."""
    refused = isinstance(event, CommandRefused) and event.reason in TRACELESS
    return f"/{event.stamp.recorded_at_ms}" if refused else ""
