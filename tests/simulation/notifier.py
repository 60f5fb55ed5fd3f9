"""The notifier over the simulated log: the real rules of what is sent, with a post office that fails as it is told.

It takes deliveries in the order in which a worker does: the group is told first, then the provider is asked, then the
answer leaves. Between any two of them it may be gone, or stand still and go on when another one has followed it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

from bopis.adapters.opening_hours import OsmHours
from bopis.domain.message import Message
from bopis.domain.notices.delivery import OutgoingMessage, RenderedText, SendResult
from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.messages import DeliveryAnswered, DeliveryRef
from bopis.domain.notices.vocabulary import Channel, Milestone, SendOutcome
from bopis.services.notifier.attempts import AttemptMemory
from bopis.services.notifier.notifier import Notifier, NotifierDependencies
from bopis.services.notifier.quiet_hours import QuietHours
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from streams.workers.notifier_history import withdrawn_in
from tests.simulation.log import Log

EVENTS_TOPIC, ANSWERS_TOPIC = "notice-events", "notices"
QUIET = QuietHours(21 * 60, 8 * 60)
# Who is told, by what the customer is called: everything is known, no phone is, or the customer was erased.
CONTACTS: dict[str, dict[str, str] | None] = {
    "c": {"name": "Kim", "email": "kim@example.org", "phone": "+49301234"},
    "c-mute": {"name": "Kim", "email": "kim@example.org"},
    "c-gone": None,
}


class Took(NamedTuple):
    """A letter that a provider has, whatever it answered."""

    order: str
    delivery: DeliveryRef
    at_ms: int


class Taken(NamedTuple):
    """A delivery in the hands of a notifier."""

    order: str
    due: DeliveryDue
    verdict: SendResult | None


class Post:
    """Every provider in one: keeps what it took, and answers by dice."""

    def __init__(self, log: Log) -> None:
        self.took: list[Took] = []
        self.dice: Random | None = None
        self._log = log

    async def send(self, letter: OutgoingMessage) -> SendResult:
        """Try once; without dice everything arrives."""
        chance = 0.0 if self.dice is None else self.dice.random()
        if chance < 0.72 or 0.86 <= chance < 0.93:
            self.took.append(Took(letter.order, letter.delivery, self._log.now_ms))
        if chance < 0.72:
            return SendResult(outcome=SendOutcome.SENT, provider_id="p")
        outcome = SendOutcome.FAILED if chance < 0.82 else SendOutcome.REFUSED if chance < 0.86 else SendOutcome.UNKNOWN
        return SendResult(outcome=outcome, cause="as the dice fell")

    async def close(self) -> None:
        """Nothing is open."""


class _Codes:
    def code(self, order: str, version: int) -> str:
        return f"{version:06}"

    def token(self, order: str, version: int) -> str:
        return f"{order}.{version}"


class _Secrets:
    codes = _Codes()

    def open(self, customer: str, sealed: str) -> Mapping[str, str] | None:
        return CONTACTS[customer]


class _Renderer:
    def render(self, milestone: Milestone, language: str, facts: Mapping[str, Any]) -> RenderedText:
        return RenderedText(subject=milestone.value, text="", html="", short="")


class SimulatedNotifier:
    """One notifier for all partitions. What its predecessor had in its hands is in ``hands`` until it is done."""

    def __init__(self, log: Log, post: Post, hands: list[Taken]) -> None:
        self._log, self._post, self.hands = log, post, hands
        secrets: Any = _Secrets()
        tools = NotifierDependencies(
            secrets=secrets,
            renderer=_Renderer(),
            opening_hours=OsmHours(),
            senders=dict.fromkeys(Channel, post),
            quiet=QUIET,
        )
        self._notifier = Notifier(tools)
        self._heard = {it: log.offsets.get((EVENTS_TOPIC, it), 0) for it in range(log.partitions)}
        self._memories = {it: self._remembered(it) for it in self._heard}

    def _remembered(self, number: int) -> AttemptMemory:
        memory = AttemptMemory()
        for record in self._log.topics[EVENTS_TOPIC][number][: self._heard[number]]:
            message = NOTICE_EVENTS.decode(record.value or b"")
            if isinstance(message.data, DeliveryDue):
                memory.is_new(message.id, message.data.at_ms)
        return memory

    @property
    def letters(self) -> list[int]:
        """Partitions with events that were not looked at."""
        return [it for it, heard in self._heard.items() if heard < len(self._log.topics[EVENTS_TOPIC][it])]

    def take(self, number: int, count: int) -> None:
        """Take the next deliveries into its hands: the group is told first."""
        begin = self._heard[number]
        records = self._log.topics[EVENTS_TOPIC][number][begin:]
        withdrawn = withdrawn_in(records)
        some = records[:count]
        self._heard[number] = self._log.offsets[EVENTS_TOPIC, number] = begin + len(some)
        memory = self._memories[number]
        for record in some:
            message = NOTICE_EVENTS.decode(record.value or b"")
            due = message.data
            if not isinstance(due, DeliveryDue) or not memory.is_new(message.id, due.at_ms):
                continue
            if (message.subject, due.delivery, due.attempt) in withdrawn:
                continue
            known = memory.covers(due.at_ms)
            doubt = None if known else SendResult(outcome=SendOutcome.UNKNOWN, cause="may have been tried before")
            self.hands.append(Taken(message.subject, due, doubt))

    def attempt(self, dice: Random | None) -> None:
        """Bring one delivery to its end; what concerns one order keeps its order. The answer may be lost."""
        if not self.hands:
            return
        chosen = self.hands[0] if dice is None else dice.choice(self.hands)
        taken = next(it for it in self.hands if it.order == chosen.order)
        self.hands.remove(taken)
        self._post.dice = dice
        verdict = taken.verdict or self._verdict(taken)
        if dice is None or dice.random() >= 0.03:
            self._answer(taken, verdict)

    def _verdict(self, taken: Taken) -> SendResult:
        made = self._notifier.prepare(taken.order, taken.due, self._log.now_ms)
        if not isinstance(made, OutgoingMessage):
            return made
        sending = self._notifier.send(made)
        try:
            sending.send(None)
        except StopIteration as done:
            verdict: SendResult = done.value
            return verdict
        raise AssertionError("the post answers at once")

    def _answer(self, taken: Taken, verdict: SendResult) -> None:
        due = taken.due
        answer = DeliveryAnswered(
            delivery=due.delivery,
            attempt=due.attempt,
            outcome=verdict.outcome,
            cause=verdict.cause,
            provider_id=verdict.provider_id,
            not_before_ms=verdict.not_before_ms,
        )
        said = Message(
            id=f"{due.delivery.key(taken.order)}/{due.attempt}/{verdict.outcome.value}",
            source="notifier",
            time=datetime.fromtimestamp(self._log.now_ms / 1000, UTC),
            subject=taken.order,
            data=answer,
            correlation=taken.order,
        )
        self._log.put(ANSWERS_TOPIC, taken.order.encode(), NOTICES.encode(said))
