"""The payments processor: messages about payments in; rows, calls for the runner and answers to orders out.

Only the wiring is here: bytes to message, the domain's `step`, events to bytes.
"""

from collections.abc import Sequence

import msgspec

from bopis.domain.inventory.admission import Rejected, content_digest
from bopis.domain.message import Message
from bopis.domain.payments.events import CallRequested, Event, PaymentCommandRefused, PaymentRefusal
from bopis.domain.payments.messages import PaymentTick
from bopis.domain.payments.state import Payment
from bopis.domain.payments.step import step
from bopis.domain.repeats import RecordIdentity
from bopis.names import ORDERS_TOPIC, PAYMENT_CALLS_TOPIC, PAYMENT_EVENTS_TOPIC, PAYMENT_STATE_TOPIC, PAYMENTS_TOPIC
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDERS, identity
from bopis.wire.payments import PAYMENT_CALLS, PAYMENT_EVENTS, PAYMENTS, order_answer, payment_message
from streams.engine.processor import LogRecord, Output
from streams.engine.rows import PartitionRows
from streams.processors.wiring import TimedRows, at_instant, cause_id, numbered, poison

NAME = "payments"


class PaymentsProcessor(TimedRows[Payment]):
    """One writer per order's payment."""

    name: str = NAME
    source: str = PAYMENTS_TOPIC
    changelog: str = PAYMENT_STATE_TOPIC
    outputs: tuple[str, ...] = (PAYMENT_EVENTS_TOPIC, PAYMENT_CALLS_TOPIC, ORDERS_TOPIC)

    def __init__(self) -> None:
        super().__init__(NAME, Payment, PAYMENTS, PaymentTick)

    def handle(self, rows: PartitionRows, record: LogRecord) -> Sequence[Output]:
        """Decode, decide, evolve; raises `Poison` for a message that can never be handled."""
        value = record.value
        assert value is not None, "the step parks records without a value"
        try:
            message = PAYMENTS.decode_placed(value, record.key, rows.placement)
            arrival = RecordIdentity(
                recorded_at_ms=record.timestamp, identity=identity(message), digest=content_digest(message.data)
            )
            events = step(rows, message, payment_message(message), arrival)
        except (WireError, Rejected) as error:
            raise poison(error) from None
        if not events:
            return ()
        firing = self.firing(rows, message.subject) if isinstance(message.data, PaymentTick) else 0
        return conclusions(message, events, firing)


def conclusions(message: Message, events: Sequence[Event], firing: int = 0) -> list[Output]:
    """Events, calls and answers as messages whose ids follow from their cause, so that a repeat has the same ids.

    `firing`: which firing of its deadline the payment decided, when the message is a tick.
    """
    order, key, cause = message.subject, message.subject.encode(), cause_id(message)
    stem = numbered(cause, firing)
    outputs: list[Output] = []
    for index, event in enumerate(events):
        published = Message(
            id=f"{stem}#{index}{_refusal_suffix(event)}",
            source=NAME,
            time=at_instant(event.at_ms),
            subject=order,
            data=event,
            actor=message.actor or msgspec.UNSET,
            correlation=order,
            causation=cause,
        )
        outputs.append(Output(PAYMENT_EVENTS_TOPIC, key, PAYMENT_EVENTS.encode_trusted(published)))
        if isinstance(event, CallRequested):
            outputs.append(Output(PAYMENT_CALLS_TOPIC, key, PAYMENT_CALLS.encode_trusted(published)))
        answer = order_answer(event)
        if answer is not None:
            told = msgspec.structs.replace(published, data=answer, actor=msgspec.UNSET)
            outputs.append(Output(ORDERS_TOPIC, key, ORDERS.encode_trusted(told)))
    return outputs


def _refusal_suffix(event: Event) -> str:
    """Part of the id of a refusal that no row remembers: another reply to the same command has another id."""
    refused = isinstance(event, PaymentCommandRefused) and event.reason is PaymentRefusal.UNKNOWN_PAYMENT
    return f"/{event.at_ms}" if refused else ""
