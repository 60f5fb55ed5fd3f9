"""The inventory processor: stock messages in, level rows and conclusions out.

Only the wiring stands here: bytes to message, the domain's ``step``, conclusions to bytes.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any
from zlib import crc32

import msgspec
from msgspec import UNSET

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.events import Event, HoldCommandRefused, HoldExtended, ShortfallFound, TransferDispatched
from bopis.domain.inventory.messages import Tick, TransferAnnounced
from bopis.domain.inventory.rows import Row, row_type
from bopis.domain.inventory.step import conclusion_id, step
from bopis.domain.message import Message
from bopis.domain.values import ID_LENGTH_MAX, STORE_LENGTH_MAX, epoch_ms
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDERS
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from streams.processor import Output, Poison, Record
from streams.rows import Rows

NAME = "inventory"
STOCK_TOPIC = "stock"
LEVELS_TOPIC = "inventory-levels"
EVENTS_TOPIC = "inventory-events"
ORDERS_TOPIC = "orders"

_encoder = msgspec.json.Encoder()
_decoders: dict[type[Row], msgspec.json.Decoder[Row]] = {}


class _Due(msgspec.Struct):
    due_ms: int = 0


_due = msgspec.json.Decoder(_Due)


class InventoryProcessor:
    """One writer per store: every message on a store's stock is decided here, in the order of the log."""

    name: str = NAME
    source: str = STOCK_TOPIC
    changelog: str = LEVELS_TOPIC
    outputs: tuple[str, ...] = (EVENTS_TOPIC, STOCK_TOPIC, ORDERS_TOPIC)

    def handle(self, rows: Rows, record: Record) -> Sequence[Output]:
        """Decode, decide, evolve; raises `Poison` for what can never be handled."""
        value, recorded_at_ms = record.value, record.timestamp
        if value is None:
            raise Poison("empty record; a message needs a body")
        try:
            message = STOCK.decode(value)
            concluded = step(rows, message, recorded_at_ms, crc32(value))
        except (WireError, Rejected) as error:
            raise Poison(f"{type(error).__name__}: {error}") from None
        return conclusions(message, recorded_at_ms, concluded) if concluded else ()

    def encode(self, key: str, row: Any) -> bytes:  # noqa: ARG002  (the protocol's)
        """A row as JSON; its type follows from its key."""
        return _encoder.encode(row)

    def decode(self, key: str, value: bytes) -> Row:
        """The row kept under a key."""
        kind = row_type(key)
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
        return decoder.decode(value)

    def deadline(self, key: str, value: bytes) -> int | None:
        """When a recovered row wants to be looked at; levels never do."""
        if key[0] != "@":
            return None
        return _due.decode(value).due_ms or None

    def tick(self, rows: Rows, at_ms: int) -> Sequence[tuple[bytes, bytes]]:
        """One message that makes this partition look at what is due."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        # Two partitions may tick in one millisecond; the first key that is due is in one of them only.
        tick_id = f"tick/{at_ms}/{rows.due(at_ms)[0]}"
        message = Message(id=tick_id, source=NAME, time=at, subject="-", data=Tick(at=at))
        return [(b"-", STOCK.encode_trusted(message))]


def conclusions(message: Message, recorded_at_ms: int, concluded: Sequence[tuple[str, Event]]) -> list[Output]:
    """What was concluded, as messages whose ids follow from their cause, so that a repeat has the same ids."""
    # The tick's own time is when it was asked for; what it ends, ends on the log's clock.
    at_ms = recorded_at_ms if isinstance(message.data, Tick) else min(epoch_ms(message.time), recorded_at_ms)
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    outputs = []
    for index, (store, event) in enumerate(concluded):
        order = getattr(event, "order", None)
        outputs.append(
            Output(
                EVENTS_TOPIC,
                store.encode(),
                INVENTORY_EVENTS.encode_trusted(
                    Message(
                        id=conclusion_id(message, index, event),
                        source=NAME,
                        time=at,
                        subject=store,
                        data=event,
                        causation=message.cause,
                        correlation=order if order is not None else message.correlation,
                    )
                ),
            )
        )
        if isinstance(event, TransferDispatched):
            outputs.append(_announcement(message, store, event, recorded_at_ms))
        outputs += [
            Output(ORDERS_TOPIC, number.encode(), _answer(message, (store, index), (number, body), at))
            for number, body in concerned(event, message)
        ]
    return outputs


def concerned(event: Event, message: Message) -> Iterable[tuple[str, Event]]:
    """The orders that a conclusion is about, each with what it needs to know of it."""
    if isinstance(event, ShortfallFound):
        for order in dict.fromkeys(hit.order for hit in event.hits):
            hits = tuple(hit for hit in event.hits if hit.order == order)
            if _can_be_named(order):
                yield order, msgspec.structs.replace(event, hits=hits)
        return
    if isinstance(event, HoldExtended):
        return  # The order asked for it and has nothing to conclude from it: it would only be one message more to each.
    named: str = getattr(event, "order", None) or ""
    if not named and isinstance(event, HoldCommandRefused) and message.correlation is not UNSET:
        named = message.correlation  # the hold is not known, but who asked is
    if _can_be_named(named):
        yield named, event


def _can_be_named(order: str) -> bool:
    """Tills and tests may hold under any name; one that no message can carry has nobody to be told."""
    return 0 < len(order) <= STORE_LENGTH_MAX


def _answer(message: Message, place: tuple[str, int], told: tuple[str, Event], at: datetime) -> bytes:
    """A conclusion as the order hears it; stores are told apart by its source."""
    (store, index), (order, event) = place, told
    told_as = f"{conclusion_id(message, index, event)}/{order}"  # one conclusion may be about several orders
    return ORDERS.encode_trusted(
        Message(
            id=told_as if len(told_as) <= ID_LENGTH_MAX else _short(told_as),
            source=f"{NAME}/{store}",
            time=at,
            subject=order,
            data=event,
            causation=message.cause,
            correlation=order,
        )
    )


def _short(told_as: str) -> str:
    return blake2s(told_as.encode(), digest_size=12).hexdigest()


def _announcement(message: Message, store: str, event: TransferDispatched, recorded_at_ms: int) -> Output:
    announced = TransferAnnounced(
        transfer=event.transfer, from_store=store, lines=event.lines, expected_at=message.data.expected_at
    )
    said = Message(
        id=f"announced/{blake2s(message.cause.encode(), digest_size=8).hexdigest()}",
        source=f"{NAME}/{store}",
        time=datetime.fromtimestamp(recorded_at_ms / 1000, UTC),
        subject=event.to_store,
        data=announced,
        causation=message.cause,
    )
    return Output(STOCK_TOPIC, event.to_store.encode(), STOCK.encode_trusted(said))
