"""What staff ask of notices: to say one again."""

import time
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.notices.events import DeliveryDue, Event, NoticeOpened, ResendRefused
from bopis.domain.notices.messages import ResendNotice
from bopis.domain.notices.terms import Refusal
from bopis.ports import Log, Publisher, Record
from bopis.services.notifier.errors import NotResent, ResendUnanswered
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS, NOTICES

EVENTS_TOPIC = "notice-events"
NOTICES_TOPIC = "notices"
PAUSE_S = 0.1

REFUSED = {
    Refusal.UNKNOWN_ORDER: "nobody was told anything about this order",
    Refusal.UNKNOWN_NOTICE: "the customer was never told this",
    Refusal.ENDED: "what it says is no longer true, the order has ended",
    Refusal.REPLACED: "what it says is no longer true, something newer was said since",
    Refusal.TOO_LATE: "it would come too late, what it speaks of is over",
}


class Person(Struct, frozen=True):
    """Who asks, from where, and the clock and ids that are used."""

    source: str
    actor: str
    now: Callable[[], datetime]
    new_id: Callable[[], str]


class Again:
    """Says a notice again and waits for what notices answer."""

    def __init__(self, publisher: Publisher, log: Log, person: Person, patience_s: float) -> None:
        self._publisher = publisher
        self._log = log
        self._person = person
        self._patience_s = patience_s

    def resend(self, order: str, command: ResendNotice) -> list[Event]:
        """What was concluded. Raises `NotResent` or `ResendUnanswered`."""
        person = self._person
        message = Message(
            id=person.new_id(),
            source=person.source,
            time=person.now(),
            subject=order,
            data=command,
            actor=person.actor,
            correlation=order,
        )
        first = self._log.end_offsets((EVENTS_TOPIC,))
        self._publisher.publish(NOTICES_TOPIC, order, NOTICES.encode(message)).wait()
        end = time.monotonic() + self._patience_s
        while time.monotonic() < end:
            events = self._events(first, message.cause)
            if any(isinstance(it, ResendRefused | NoticeOpened) for it in events):
                return _told(events)
            time.sleep(PAUSE_S)
        raise ResendUnanswered(seconds=self._patience_s, order=order)

    def _events(self, first: dict[tuple[str, int], int], cause: str) -> list[Event]:
        found: dict[str, Event] = {}
        for record in self._log.read(first, self._log.end_offsets((EVENTS_TOPIC,))):
            message = _decoded(record)
            if message is not None and message.causation == cause:
                found[message.id] = message.data
        return list(found.values())


def _told(events: list[Event]) -> list[Event]:
    for it in events:
        if isinstance(it, ResendRefused):
            raise NotResent(reason=REFUSED[it.reason])
    return [it for it in events if isinstance(it, DeliveryDue)]


def _decoded(record: Record) -> Message | None:
    try:
        return NOTICE_EVENTS.decode(record.value or b"")
    except WireError:
        return None
