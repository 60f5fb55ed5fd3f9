"""What became of a message: what the inventory concluded from it, or why it was parked."""

from msgspec import Struct

from bopis.domain.message import Message
from bopis.ports import Log, Record
from bopis.services.desk import Sent
from bopis.wire.errors import WireError
from bopis.wire.stock import INVENTORY_EVENTS

EVENTS_TOPIC = "inventory-events"
DEAD_LETTERS_TOPIC = "dead-letters"


class Outcome(Struct, frozen=True):
    """What was concluded, in order; ``parked`` is the cause if the message was not taken."""

    events: tuple[Message, ...] = ()
    parked: str | None = None


class Outcomes:
    """Listens from the moment it is made. Ask once the message was decided: its conclusions stand before that."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._first = log.end_offsets((EVENTS_TOPIC, DEAD_LETTERS_TOPIC))

    def of(self, sent: Sent) -> Outcome:
        """What became of one message that was sent after this began to listen."""
        events: dict[str, Message] = {}
        parked: str | None = None
        for record in self._log.read(self._first, self._log.end_offsets((EVENTS_TOPIC, DEAD_LETTERS_TOPIC))):
            if record.topic == DEAD_LETTERS_TOPIC:
                parked = _cause_if_about(record, sent) or parked
            elif (event := _event(record)) is not None and event.causation == sent.message.cause:
                events[event.id] = event
        return Outcome(tuple(events.values()), parked)


def _event(record: Record) -> Message | None:
    try:
        return INVENTORY_EVENTS.decode(record.value or b"")
    except WireError:
        return None


def _cause_if_about(record: Record, sent: Sent) -> str | None:
    told = dict(record.headers)
    here = (str(sent.placed.partition).encode(), str(sent.placed.offset).encode())
    if (told.get("partition"), told.get("offset")) != here or not told.get("topic", b"").endswith(b"stock"):
        return None
    return told.get("cause", b"no cause given").decode(errors="replace")
