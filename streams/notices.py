"""The notices processor: what customers are to be told in, deliveries for the notifier out.

Only the wiring stands here. An output carries the place of the record that it follows from, so that the notifier
tells the repeat of one that was decided twice because of a crash.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any

import msgspec

from bopis.domain.message import Message
from bopis.domain.notices.events import Event, ResendRefused
from bopis.domain.notices.messages import Tick
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.step import said, step
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS, NOTICES, heard
from streams.processor import Output, Poison, Record
from streams.rows import Rows

NAME = "notices"
NOTICES_TOPIC = "notices"
STATE_TOPIC = "notice-state"
EVENTS_TOPIC = "notice-events"
MARK_HEADER = "mark"
CAUSE_LENGTH_MAX = 256  # a longer one is named by its digest, so that what follows from it still fits
TICKS_MAX = 500

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(OrderNotices)


class _Due(msgspec.Struct):
    due_ms: int = 0


_due = msgspec.json.Decoder(_Due)


class NoticesProcessor:
    """One writer per order's notices."""

    name: str = NAME
    source: str = NOTICES_TOPIC
    changelog: str = STATE_TOPIC
    outputs: tuple[str, ...] = (EVENTS_TOPIC,)

    def handle(self, rows: Rows, record: Record) -> Sequence[Output]:
        """Decode, decide, evolve; raises `Poison` for what can never be handled."""
        if record.value is None:
            raise Poison("empty record; a message needs a body")
        try:
            message = NOTICES.decode(record.value)
        except WireError as error:
            raise Poison(f"{type(error).__name__}: {error}") from None
        events = step(rows, said(message, heard(message), record.timestamp))
        order, outputs = message.subject, []
        cause = message.cause
        if len(cause) > CAUSE_LENGTH_MAX:
            cause = blake2s(cause.encode(), digest_size=12).hexdigest()
        name = cause
        if isinstance(message.data, Tick) and events:
            # The same deadline may be met again, by a tick of the same name: each firing has conclusions of its own.
            name = f"{cause}/{rows.get(order).fired}"  # type: ignore[union-attr]  # it has just fired
        for index, event in enumerate(events):
            concluded = Message(
                id=f"{name}#{index}{_refused(event)}",
                source=NAME,
                time=datetime.fromtimestamp(event.at_ms / 1000, UTC),
                subject=order,
                data=event,
                correlation=order,
                causation=cause,
            )
            headers = ((MARK_HEADER, f"{record.offset}.{index}".encode()),)
            outputs.append(Output(EVENTS_TOPIC, order.encode(), NOTICE_EVENTS.encode_trusted(concluded), headers))
        return outputs

    def encode(self, key: str, row: Any) -> bytes:  # noqa: ARG002  (the protocol's)
        """A row as JSON."""
        return _encoder.encode(row)

    def decode(self, key: str, value: bytes) -> OrderNotices:  # noqa: ARG002  (the protocol's)
        """The notices kept under an order."""
        return _decoder.decode(value)

    def deadline(self, key: str, value: bytes) -> int | None:  # noqa: ARG002  (the protocol's)
        """When recovered notices want to be looked at."""
        return _due.decode(value).due_ms or None

    def tick(self, rows: Rows, at_ms: int) -> Sequence[tuple[bytes, bytes]]:
        """One message to each order that a notice of is due."""
        ticks = []
        for order in rows.due(at_ms)[:TICKS_MAX]:
            due_ms = rows.get(order).due_ms  # type: ignore[union-attr]  # what is due is there
            at = datetime.fromtimestamp(due_ms / 1000, UTC)
            message = Message(id=f"tick/{order}/{due_ms}", source=NAME, time=at, subject=order, data=Tick(at=at))
            ticks.append((order.encode(), NOTICES.encode_trusted(message)))
        return ticks


def _refused(event: Event) -> str:
    """What is refused leaves no trace, so the same command may be refused again later, or carried out: each refusal has
    a name of its own."""
    return f"/{event.at_ms}" if isinstance(event, ResendRefused) else ""
