"""Hearing what an order concluded from one message, as soon as it is decided."""

import time

from msgspec import UNSET, Struct

from bopis.domain.message import Message
from bopis.ports import Log, Placed, Record
from bopis.services.counter.errors import MessageParked, NotDecidedInTime
from bopis.services.counter.orderbook import POSITION_KEY, STATE_TOPIC, position_in
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS

EVENTS_TOPIC = "order-events"
DEAD_LETTERS_TOPIC = "dead-letters"
ORDERS_TOPIC = "orders"
TOPICS = (EVENTS_TOPIC, STATE_TOPIC, DEAD_LETTERS_TOPIC)
POLL_SECONDS = 0.01
POLL_SECONDS_MAX = 0.1


class Said(Struct, frozen=True):
    """A message that the log has acknowledged, and where it stands."""

    message: Message
    placed: Placed


class Answers:
    """Listens from the moment it is made. Conclusions stand in the log before the position that counts them in."""

    def __init__(self, log: Log, patience_seconds: float) -> None:
        self._log = log
        self._patience_seconds = patience_seconds
        self._next = log.end_offsets(TOPICS)
        self._events: list[Message] = []
        self._decided: dict[int, int] = {}
        self._letters: list[Record] = []

    def to(self, said: Said) -> tuple[Message, ...]:
        """What was concluded from a message, in order; nothing when it was a repeat.

        Raises `MessageParked` when it was not taken, `NotDecidedInTime` when it takes too long.
        """
        give_up, pause = time.monotonic() + self._patience_seconds, POLL_SECONDS
        while self._decided.get(said.placed.partition, -1) < said.placed.offset:
            if time.monotonic() > give_up:
                placed = said.placed
                raise NotDecidedInTime(
                    where=f"{placed.topic}/{placed.partition}/{placed.offset}",
                    seconds=self._patience_seconds,
                    order=said.message.subject,
                )
            if not self._listen():
                time.sleep(pause)
                pause = min(pause * 1.5, POLL_SECONDS_MAX)
        self._listen()
        self._raise_if_parked(said)
        return tuple(it for it in self._events if it.causation == said.message.cause)

    def until(self, order: str, kinds: tuple[type, ...], seconds: float) -> Message | None:
        """The first event of one of these kinds that an order concludes; None when none comes in time."""
        give_up, seen = time.monotonic() + seconds, 0
        while True:
            for event in self._events[seen:]:
                if event.subject == order and isinstance(event.data, kinds):
                    return event
            seen = len(self._events)
            if time.monotonic() > give_up:
                return None
            if not self._listen():
                time.sleep(POLL_SECONDS_MAX)

    def _listen(self) -> bool:
        ends = self._log.end_offsets(TOPICS)
        # A topic that came to be after this began to listen is read from its first record.
        first = {where: self._next.get(where, 0) for where in ends}
        heard = False
        for record in self._log.read(first, ends):
            heard = True
            self._take(record)
        self._next = ends
        return heard

    def _take(self, record: Record) -> None:
        if record.topic == DEAD_LETTERS_TOPIC:
            self._letters.append(record)
        elif record.topic == STATE_TOPIC:
            if record.key == POSITION_KEY and record.value:
                position = position_in(record.value).position
                self._decided[record.partition] = max(position, self._decided.get(record.partition, -1))
        else:
            try:
                event = ORDER_EVENTS.decode(record.value or b"")
            except WireError:
                return
            if event.causation is not UNSET:
                self._events.append(event)

    def _raise_if_parked(self, said: Said) -> None:
        here = (str(said.placed.partition).encode(), str(said.placed.offset).encode())
        for letter in self._letters:
            told = dict(letter.headers)
            if (told.get("partition"), told.get("offset")) == here and told.get("topic", b"").endswith(b"orders"):
                placed, cause = said.placed, told.get("cause", b"no cause given").decode(errors="replace")
                raise MessageParked(cause=cause, name=f"{ORDERS_TOPIC}/{placed.partition}/{placed.offset}")
