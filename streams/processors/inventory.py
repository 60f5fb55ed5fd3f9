"""The inventory processor: stock messages in, level rows and conclusions out.

Only the wiring is here: bytes to message, the domain's `step`, conclusions to bytes.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.events import (
    Event,
    HoldCommandRefused,
    HoldExtended,
    HoldSplit,
    ShortfallFound,
    TransferDispatched,
)
from bopis.domain.inventory.messages import StockTick, TransferAnnounced
from bopis.domain.inventory.rows import Row
from bopis.domain.inventory.step import conclusion_id, step
from bopis.domain.message import Message
from bopis.domain.values import ID_LENGTH_MAX, STORE_LENGTH_MAX, epoch_ms
from bopis.names import INVENTORY_EVENTS_TOPIC, LEVELS_TOPIC, ORDERS_TOPIC, STOCK_TOPIC
from bopis.wire.changelog import decode_level_row
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDERS
from bopis.wire.resolved import with_resolved
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from streams.engine.processor import LogRecord, Output
from streams.engine.rows import PartitionRows
from streams.processors.wiring import at_instant, deadline_of, digest, encode_row, poison

NAME = "inventory"
ANNOUNCEMENT_DIGEST_BYTES = 8


class InventoryProcessor:
    """One writer per store: every message on a store's stock is decided here, in the order of the log."""

    name: str = NAME
    source: str = STOCK_TOPIC
    changelog: str = LEVELS_TOPIC
    outputs: tuple[str, ...] = (INVENTORY_EVENTS_TOPIC, STOCK_TOPIC, ORDERS_TOPIC)

    def handle(self, rows: PartitionRows, record: LogRecord) -> Sequence[Output]:
        """Decode, decide, evolve; raises `Poison` for a message that can never be handled."""
        value, recorded_at_ms = record.value, record.timestamp
        assert value is not None, "the step parks records without a value"
        try:
            message = STOCK.decode_placed(value, record.key, rows.placement)
            if record.headers:
                message = with_resolved(message, record.headers)
            concluded = step(rows, message, recorded_at_ms, value)
        except (WireError, Rejected) as error:
            raise poison(error) from None
        return conclusions(message, recorded_at_ms, concluded) if concluded else ()

    def encode(self, key: str, row: Any) -> bytes:  # noqa: ARG002  (the protocol's)
        """A row as JSON; its type follows from its key."""
        return encode_row(row)

    def decode(self, key: str, value: bytes) -> Row:
        """A row from JSON."""
        row = decode_level_row(key, value)
        assert row is not None, "a row has a value"
        return row

    def deadline(self, key: str, value: bytes) -> int | None:
        """The deadline of an encoded row; levels, which are nearly all rows, have none."""
        return deadline_of(value) if key[0] == "@" else None

    def tick(self, rows: PartitionRows, at_ms: int) -> Sequence[tuple[bytes, bytes]]:
        """One message for the whole partition: it ends everything that is due by then."""
        at = at_instant(at_ms)
        # Two partitions may tick in one millisecond; the first key that is due is in one of them only.
        tick_id = f"tick/{at_ms}/{rows.due(at_ms)[0]}"
        message = Message(id=tick_id, source=NAME, time=at, subject="-", data=StockTick(at=at))
        return [(b"-", STOCK.encode_trusted(message))]


class _Conclusion(NamedTuple):
    """One event that a message led to, with its number among them, its store, and when it happened."""

    message: Message
    number: int
    store: str
    event: Event
    at: datetime


def conclusions(message: Message, recorded_at_ms: int, concluded: Sequence[tuple[str, Event]]) -> list[Output]:
    """Events, each with its store, as messages whose ids follow from their cause, so that a repeat has the same ids."""
    # A tick's own time is when it was appended for; what it ends, ends on the log's clock.
    at_ms = recorded_at_ms if isinstance(message.data, StockTick) else min(epoch_ms(message.time), recorded_at_ms)
    at = at_instant(at_ms)
    outputs = []
    for number, (store, event) in enumerate(concluded):
        conclusion = _Conclusion(message, number, store, event, at)
        outputs.append(Output(INVENTORY_EVENTS_TOPIC, store.encode(), _published(conclusion)))
        if isinstance(event, TransferDispatched):
            outputs.append(_announcement(message, store, event, recorded_at_ms))
        outputs += [
            Output(ORDERS_TOPIC, order.encode(), _answer(conclusion, order, body))
            for order, body in concerned(event, message)
        ]
    return outputs


def _published(conclusion: _Conclusion) -> bytes:
    message, number, store, event, at = conclusion
    order = getattr(event, "order", None)
    return INVENTORY_EVENTS.encode_trusted(
        Message(
            id=conclusion_id(message, number, event),
            source=NAME,
            time=at,
            subject=store,
            data=event,
            causation=message.cause,
            correlation=order if order is not None else message.correlation,
        )
    )


def concerned(event: Event, message: Message) -> Iterable[tuple[str, Event]]:
    """The orders that an event is about, each with the part of the event that it needs."""
    if isinstance(event, ShortfallFound):
        for order in dict.fromkeys(hit.order for hit in event.hits):
            hits = tuple(hit for hit in event.hits if hit.order == order)
            if _can_be_named(order):
                yield order, msgspec.structs.replace(event, hits=hits)
        return
    if isinstance(event, HoldExtended | HoldSplit):
        return  # The order asked for it and concludes nothing from it: one message less for each order.
    order = getattr(event, "order", None) or ""
    if not order and isinstance(event, HoldCommandRefused) and message.correlation is not UNSET:
        order = message.correlation  # The hold is not known, but the order that asked is.
    if _can_be_named(order):
        yield order, event


def _can_be_named(order: str) -> bool:
    """Whether a message can carry this order as its subject: tills and tests may hold under any name."""
    return 0 < len(order) <= STORE_LENGTH_MAX


def _answer(conclusion: _Conclusion, order: str, body: Event) -> bytes:
    """A conclusion as a message to an order, whose source names the store."""
    message = conclusion.message
    # One conclusion may be about several orders.
    answer_id = f"{conclusion_id(message, conclusion.number, body)}/{order}"
    return ORDERS.encode_trusted(
        Message(
            id=answer_id if len(answer_id) <= ID_LENGTH_MAX else digest(answer_id),
            source=f"{NAME}/{conclusion.store}",
            time=conclusion.at,
            subject=order,
            data=body,
            causation=message.cause,
            correlation=order,
        )
    )


def _announcement(message: Message, store: str, event: TransferDispatched, recorded_at_ms: int) -> Output:
    """The dispatch of a transfer as a message to the store that receives it."""
    announced = TransferAnnounced(
        transfer=event.transfer, from_store=store, lines=event.lines, expected_at=message.data.expected_at
    )
    published = Message(
        id=f"announced/{digest(message.cause, ANNOUNCEMENT_DIGEST_BYTES)}",
        source=f"{NAME}/{store}",
        time=at_instant(recorded_at_ms),
        subject=event.to_store,
        data=announced,
        causation=message.cause,
    )
    return Output(STOCK_TOPIC, event.to_store.encode(), STOCK.encode_trusted(published))
