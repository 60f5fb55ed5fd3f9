"""The notices processor: what customers are to be notified of in, deliveries for the notifier out.

Only the wiring is here. An output carries the offset of the record that it follows from, by which the notifier
recognises the repeat of one that was decided twice because of a crash.
"""

from collections.abc import Sequence

from bopis.domain.message import Message
from bopis.domain.notices.events import Event, ResendRefused
from bopis.domain.notices.messages import NoticeTick
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.step import notice_input, step
from bopis.names import NOTICE_EVENTS_TOPIC, NOTICE_STATE_TOPIC, NOTICES_TOPIC
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS, NOTICES, notice_message
from streams.engine.processor import LogRecord, Output
from streams.engine.rows import PartitionRows
from streams.processors.wiring import TimedRows, at_instant, cause_id, numbered, poison

NAME = "notices"
MARK_HEADER = "mark"


class NoticesProcessor(TimedRows[OrderNotices]):
    """One writer per order's notices."""

    name: str = NAME
    source: str = NOTICES_TOPIC
    changelog: str = NOTICE_STATE_TOPIC
    outputs: tuple[str, ...] = (NOTICE_EVENTS_TOPIC,)

    def __init__(self) -> None:
        super().__init__(NAME, OrderNotices, NOTICES, NoticeTick)

    def handle(self, rows: PartitionRows, record: LogRecord) -> Sequence[Output]:
        """Decode, decide, evolve; raises `Poison` for a message that can never be handled."""
        value = record.value
        assert value is not None, "the step parks records without a value"
        try:
            message = NOTICES.decode_placed(value, record.key, rows.placement)
        except WireError as error:
            raise poison(error) from None
        events = step(rows, notice_input(message, notice_message(message), record.timestamp))
        if not events:
            return ()
        firing = self.firing(rows, message.subject) if isinstance(message.data, NoticeTick) else 0
        return conclusions(message, events, firing, record.offset)


def conclusions(message: Message, events: Sequence[Event], firing: int, offset: int) -> list[Output]:
    """Events as messages whose ids follow from their cause, so that a repeat has the same ids.

    `firing`: which firing of its deadline the order's notices decided, when the message is a tick. `offset`: the
    record's, for the header by which repeats are recognised.
    """
    order, cause = message.subject, cause_id(message)
    stem = numbered(cause, firing)
    outputs = []
    for index, event in enumerate(events):
        published = Message(
            id=f"{stem}#{index}{_refusal_suffix(event)}",
            source=NAME,
            time=at_instant(event.at_ms),
            subject=order,
            data=event,
            correlation=order,
            causation=cause,
        )
        headers = ((MARK_HEADER, f"{offset}.{index}".encode()),)
        outputs.append(Output(NOTICE_EVENTS_TOPIC, order.encode(), NOTICE_EVENTS.encode_trusted(published), headers))
    return outputs


def _refusal_suffix(event: Event) -> str:
    """Part of the id of a refusal, which no row remembers: another reply to the same command has another id."""
    return f"/{event.at_ms}" if isinstance(event, ResendRefused) else ""
