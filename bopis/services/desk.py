"""The store desk: what a person says about stock becomes a message in the log."""

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from bopis.domain.inventory.admission import SEEN_MEMORY_MS, Rejected, check_plausible
from bopis.domain.inventory.messages import Command, Report, SetStockRule
from bopis.domain.inventory.policy import check_rule
from bopis.domain.message import Message
from bopis.domain.values import DAY_MS, epoch_ms
from bopis.ports import Placed, Publisher
from bopis.services.errors import Implausible, InTheFuture, MessageBroken, TooOld
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK

STOCK_TOPIC = "stock"
AHEAD_MS_MAX = 60_000  # a person's clock may run ahead of this one by a minute


class Sent(Struct, frozen=True):
    """A message that the log has acknowledged, and where it stands."""

    message: Message
    placed: Placed


class Desk:
    """One person at work. People's messages carry no sequence: a repeat is told by its id.

    ``source`` says where the person sits, ``actor`` who it is; ``now`` and ``new_id`` are handed in, so that
    tests and scripts can say the same thing twice.
    """

    def __init__(
        self, publisher: Publisher, source: str, actor: str, now: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        self._publisher = publisher
        self._source = source
        self._actor = actor
        self._now = now
        self._new_id = new_id

    def compose(
        self, store: str, body: Report | Command, at: datetime | None = None, message_id: str | None = None
    ) -> Message:
        """The message, checked as the core will check it, so that a slip is told now and not parked later."""
        now = self._now()
        message = Message(
            id=message_id or self._new_id(),
            source=self._source,
            time=at or now,
            subject=store,
            data=body,
            actor=self._actor,
        )
        try:
            STOCK.encode(message)
            check_plausible(message, epoch_ms(message.time), epoch_ms(now))
            if isinstance(body, SetStockRule):
                check_rule(body)
        except WireError as error:
            raise MessageBroken(cause=error) from error
        except Rejected as error:
            raise Implausible(cause=error) from error
        if epoch_ms(message.time) > epoch_ms(now) + AHEAD_MS_MAX:
            said, clock = (it.astimezone(UTC).isoformat(timespec="seconds") for it in (message.time, now))
            raise InTheFuture(time=said, now=clock)
        if epoch_ms(message.time) < epoch_ms(now) - SEEN_MEMORY_MS:
            raise TooOld(time=message.time.isoformat(timespec="seconds"), days=SEEN_MEMORY_MS // DAY_MS)
        return message

    def send(self, message: Message) -> Sent:
        """Publish a message under its store's key and wait until the log has it."""
        delivery = self._publisher.publish(STOCK_TOPIC, message.subject, STOCK.encode(message))
        return Sent(message, delivery.wait())
