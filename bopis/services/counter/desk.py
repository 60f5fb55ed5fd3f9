"""The counter: what a customer or somebody in a store says to an order, and what the order answers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.orders.events import CommandRefused
from bopis.domain.orders.messages import Command, CustomerArrived
from bopis.domain.orders.outcomes import CodeFailed
from bopis.domain.orders.terms import Refusal
from bopis.ports import Log, Publisher
from bopis.services.counter.answers import ORDERS_TOPIC, Answers, Said
from bopis.services.counter.errors import NotDone, OrderUnknown
from bopis.services.counter.refusals import why
from bopis.services.errors import MessageBroken
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDERS


class Person(Struct, frozen=True):
    """Who speaks, on which device, by which clock; ``new_id`` makes the id of a message that was given none."""

    source: str
    actor: str
    now: Callable[[], datetime]
    new_id: Callable[[], str]


class Answered(Struct, frozen=True):
    """A message and what was concluded from it; no event says that it was a repeat, or changed nothing."""

    said: Said
    events: tuple[Message, ...]

    def of(self, kind: type) -> Any:
        """The first conclusion of a kind, None if there is none."""
        return next((it.data for it in self.events if isinstance(it.data, kind)), None)


class Counter:
    """One person at work. Each thing said waits for its own answer and for nobody else's."""

    def __init__(self, publisher: Publisher, log: Log, person: Person, patience_seconds: float) -> None:
        self._publisher = publisher
        self._log = log
        self._person = person
        self._patience_seconds = patience_seconds

    def say(self, order: str, body: Command | CustomerArrived, message_id: str | None = None) -> Answered:
        """Say something to an order and wait until it is decided.

        Raises `NotDone` when the order refuses, `OrderUnknown`, `MessageParked`, `NotDecidedInTime`.
        """
        answered, _ = self.hear(order, body, message_id)
        refused = answered.of(CommandRefused)
        if refused is None:
            return answered
        if refused.reason is Refusal.UNKNOWN_ORDER:
            raise OrderUnknown(order=order)
        failed = answered.of(CodeFailed)
        words = why(order, refused, failed.tries_left if failed is not None else None)
        raise NotDone(why=words, reason=refused.reason.value, line=refused.line)

    def hear(
        self, order: str, body: Command | CustomerArrived, message_id: str | None = None
    ) -> tuple[Answered, Answers]:
        """As `say`, with a refusal among the answers, and with who listens on."""
        person = self._person
        message = Message(
            id=message_id or person.new_id(),
            source=person.source,
            time=person.now(),
            subject=order,
            data=body,
            actor=person.actor,
            correlation=order,
        )
        try:
            value = ORDERS.encode(message)
        except WireError as error:
            raise MessageBroken(cause=error) from error
        answers = Answers(self._log, self._patience_seconds)
        said = Said(message, self._publisher.publish(ORDERS_TOPIC, order, value).wait())
        return Answered(said, answers.to(said)), answers
