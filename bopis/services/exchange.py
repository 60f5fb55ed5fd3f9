"""Request and reply over the log: publish a message, wait until it is decided, return the events that it caused.

Several threads may share one exchange, each with its own deadline: one of the waiting threads reads for all of them.
So a hundred parallel requests need one reader and one publisher.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cachetools import FIFOCache
from msgspec import UNSET, Struct

from bopis.domain.message import Message
from bopis.names import DEAD_LETTERS_TOPIC
from bopis.ports import Log, Publisher, Record, RecordMetadata
from bopis.services.errors import CardNumberInText, MessageInvalid, MessageParked, NotDecidedInTime
from bopis.wire.changelog import ChangelogReader
from bopis.wire.envelope import Family
from bopis.wire.errors import CardNumberFound, WireError
from bopis.wire.text import in_words

POLL_SECONDS = 0.1  # also the longest time until a waiting thread takes over the reading
LETTERS_KEPT_MAX = 1_000


class RequestChannel(Struct, frozen=True, kw_only=True):
    """Topics of one kind of requests. The processor appends events to `events_topic`, and then commits their position
    to `changelog_topic`.

    `correlates`: the subject is an order, which messages name as their correlation. `check` raises for a message that
    the processor would reject as impossible.
    """

    topic: str
    family: Family
    events_topic: str
    events: Family
    changelog_topic: str
    correlates: bool = False
    check: Callable[[Message, datetime], None] | None = None

    @property
    def reply_topics(self) -> tuple[str, ...]:
        """The topics that a reply is read from."""
        return self.events_topic, self.changelog_topic, DEAD_LETTERS_TOPIC


class Author(Struct, frozen=True):
    """The sender of messages: device, person, clock; `new_id` creates the id of a message without one."""

    source: str
    actor: str
    now: Callable[[], datetime]
    new_id: Callable[[], str]


class Sent(Struct, frozen=True):
    """A message that the log has acknowledged, and its place in the log."""

    message: Message
    placed: RecordMetadata


class Reply(Struct, frozen=True):
    """A request and the events that it caused, in order; none if it was a repeat or changed nothing."""

    sent: Sent
    events: tuple[Message, ...]

    def event(self, kind: type | tuple[type, ...]) -> Any:
        """The data of the first event of a kind; None if there is none."""
        return next((event.data for event in self.events if isinstance(event.data, kind)), None)


class Subscription:
    """The events of one subject since the subscription was opened. Close it, or use it as a context manager."""

    def __init__(self, exchange: "Exchange", subject: str) -> None:
        self._exchange = exchange
        self.subject = subject
        self.events: list[Message] = []

    def wait(
        self, kinds: type | tuple[type, ...], seconds: float, about: Callable[[Any], bool] = bool
    ) -> Message | None:
        """The first event of one of these kinds whose data `about` accepts; None if none arrives in time."""
        found: list[Message] = []

        def arrived() -> bool:
            found[:] = [it for it in self.events if isinstance(it.data, kinds) and about(it.data)][:1]
            return bool(found)

        self._exchange.wait(arrived, time.monotonic() + seconds)
        return found[0] if found else None

    def close(self) -> None:
        """Stop collecting."""
        self._exchange.unsubscribe(self)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Exchange:
    """Requests of one channel and their replies. `prefix` is the installation's prefix of topics. The log reader must
    not be used by other threads."""

    def __init__(self, channel: RequestChannel, publisher: Publisher, log: Log, prefix: str) -> None:
        self._channel = channel
        self._publisher = publisher
        self._log = log
        self._source = f"{prefix}{channel.topic}".encode()
        self._tail = log.tail(channel.reply_topics)
        self._changelogs: dict[int, ChangelogReader] = defaultdict(ChangelogReader)
        # By partition the position up to which every event was read.
        self._decided: dict[int, int] = {}
        # Causes of dead letters by partition and offset of their message.
        self._letters: FIFOCache[tuple[int, int], str] = FIFOCache(LETTERS_KEPT_MAX)
        self._subscriptions: dict[str, list[Subscription]] = defaultdict(list)
        self._reading = threading.Lock()
        self._changed = threading.Condition()

    def compose(
        self,
        author: Author,
        subject: str,
        body: Struct,
        *,
        at: datetime | None = None,
        message_id: str | None = None,
    ) -> Message:
        """A message of an author, checked as its processor will check it, so that an error is refused now instead of
        parked later. Raises `MessageInvalid`, `CardNumberInText` and the errors of the channel's check."""
        now = author.now()
        message = Message(
            id=message_id or author.new_id(),
            source=author.source,
            time=at or now,
            subject=subject,
            data=body,
            actor=author.actor,
            correlation=subject if self._channel.correlates else UNSET,
        )
        try:
            self._channel.family.encode(message)
        except CardNumberFound as error:
            raise CardNumberInText(field=error.field) from error
        except WireError as error:
            raise MessageInvalid(cause=in_words(str(error))) from error
        if self._channel.check is not None:
            self._channel.check(message, now)
        return message

    def send(self, message: Message) -> Sent:
        """Publish a message under its subject and wait for the acknowledgement."""
        value = self._channel.family.encode(message)
        return Sent(message, self._publisher.publish(self._channel.topic, message.subject, value).wait())

    def request(self, message: Message, patience_seconds: float) -> Reply:
        """Publish a message and wait until it is decided.

        Raises `MessageParked` if the processor could not handle it, `NotDecidedInTime` if it takes too long.
        """
        with self.subscribe(message.subject) as subscription:
            return self.reply(self.send(message), subscription, patience_seconds)

    def reply(self, sent: Sent, subscription: Subscription, patience_seconds: float) -> Reply:
        """The reply to a message that was sent after a subscription to its subject was opened; raises as `request`."""
        placed = sent.placed
        if not self.wait_decided(placed.partition, placed.offset, patience_seconds):
            raise NotDecidedInTime(
                where=f"{placed.topic}/{placed.partition}/{placed.offset}",
                seconds=patience_seconds,
                subject=sent.message.subject,
            )
        cause = self._letters.get((placed.partition, placed.offset))
        if cause is not None:
            raise MessageParked(cause=cause, name=f"{placed.topic}/{placed.partition}/{placed.offset}")
        # After a crash of the processor an event may be in the log twice, under the same id.
        events = {event.id: event for event in subscription.events if event.causation == sent.message.cause}
        return Reply(sent, tuple(events.values()))

    def wait_decided(self, partition: int, offset: int, patience_seconds: float) -> bool:
        """Wait until the message at a place of the channel's topic is decided; returns whether it is in time."""
        deadline = time.monotonic() + patience_seconds
        return self.wait(lambda: self._decided.get(partition, -1) >= offset, deadline)

    def subscribe(self, subject: str) -> Subscription:
        """Collect the events of a subject from now on."""
        subscription = Subscription(self, subject)
        with self._changed:
            self._subscriptions[subject].append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription. Calling it again is harmless."""
        with self._changed:
            others = [it for it in self._subscriptions.get(subscription.subject, ()) if it is not subscription]
            if others:
                self._subscriptions[subscription.subject] = others
            else:
                self._subscriptions.pop(subscription.subject, None)

    def wait(self, arrived: Callable[[], bool], deadline: float) -> bool:
        """Read, or let another thread read, until a condition holds or the monotonic clock has reached a deadline.

        Returns whether it holds. An error of reading is raised in the thread that reads.
        """
        while True:
            with self._changed:
                if arrived():
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            # The log reader serves one thread at a time: the first one reads for all, the others wait to be notified.
            if self._reading.acquire(blocking=False):
                try:
                    self._read(min(left, POLL_SECONDS))
                finally:
                    self._reading.release()
                    with self._changed:
                        self._changed.notify_all()
            else:
                with self._changed:
                    if not arrived():
                        self._changed.wait(min(left, POLL_SECONDS))

    def _read(self, seconds: float) -> None:
        """Read new records, and advance `_decided`.

        A position is valid only after the events before it were read: the log returns partitions one by one, so a
        commit may arrive before the events that precede it.
        """
        self._take(self._tail.poll(seconds))
        positions = {number: it.position for number, it in self._changelogs.items()}
        if positions == self._decided:
            return
        ends = self._log.end_offsets((self._channel.events_topic, DEAD_LETTERS_TOPIC))
        while not self._tail.has_reached(ends):
            self._take(self._tail.poll(POLL_SECONDS))
        with self._changed:
            self._decided = positions

    def _take(self, records: list[Record]) -> None:
        for record in records:
            if record.topic == self._channel.changelog_topic:
                self._changelogs[record.partition].is_row(record)
            elif record.topic == DEAD_LETTERS_TOPIC:
                self._take_letter(record)
            else:
                self._take_event(record)

    def _take_event(self, record: Record) -> None:
        # Events of other subjects are the majority, and need not be decoded.
        if (record.key or b"").decode(errors="replace") not in self._subscriptions:
            return
        try:
            event = self._channel.events.decode(record.value or b"")
        except WireError:
            return
        with self._changed:
            for subscription in self._subscriptions.get(event.subject, ()):
                subscription.events.append(event)

    def _take_letter(self, record: Record) -> None:
        headers = dict(record.headers)
        # By the full name of the topic: another installation may use the same log with another prefix.
        if headers.get("topic") != self._source:
            return
        place = int(headers.get("partition", b"-1")), int(headers.get("offset", b"-1"))
        with self._changed:
            self._letters[place] = headers.get("cause", b"no cause given").decode(errors="replace")
