"""The payment runner over the simulated log: the real lanes and the real rule of offsets, with calls by hand.

Requests are read, calls leave, the bank does something, the answer comes, it is published, the group is told. Between
any two of them the runner may be killed, or lose its partitions and only finish what is under way.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from aiokafka.structs import TopicPartition

from bopis.domain.payments.gateway import Capabilities
from bopis.services.payments.lanes import LaneLimits, Verdict, truthful
from bopis.services.payments.runner import PaymentRunner, answer_record
from bopis.services.payments.waiting import Place, WaitingCall
from streams.workers.payment_runner import CALL_S_MAX, OpenRecords
from tests.simulation.bank import GATEWAYS, KEY_LIFE_MS
from tests.simulation.gateways import NO_ANSWER, Gateways
from tests.simulation.log import Log

CALLS_TOPIC, ANSWERS_TOPIC = "payment-calls", "payments"
LIMITS = LaneLimits(concurrency=3)
CALL_MS_MAX = int(CALL_S_MAX * 1000)
ALL = 10_000


class _Named(NamedTuple):
    capabilities: Capabilities


class _Book:
    names: Sequence[str] = tuple(GATEWAYS)

    def named(self, name: str) -> Any:
        return _Named(Capabilities(key_life_s=KEY_LIFE_MS // 1000))

    async def close(self) -> None:
        """Nothing is open."""


class SimulatedRunner:
    """One runner for all partitions."""

    def __init__(self, log: Log, gateways: Gateways) -> None:
        self._log, self._gateways = log, gateways
        self._runner = PaymentRunner(_Book(), "alpha", LIMITS)
        self._lanes = self._runner.lanes
        numbers = range(log.partitions)
        self._records = {it: OpenRecords(log.offsets.get((CALLS_TOPIC, it), 0)) for it in numbers}
        self._ends = {it: len(log.topics[CALLS_TOPIC][it]) for it in numbers}
        self._sent: list[WaitingCall] = []
        self._answered: list[Verdict] = []

    @property
    def has_hands_full(self) -> bool:
        """Whether calls are under way."""
        return bool(self._sent or self._answered)

    @property
    def _unread(self) -> list[int]:
        topic = self._log.topics[CALLS_TOPIC]
        return [it for it, records in self._records.items() if records.following < len(topic[it])]

    def act(self, dice: Random) -> None:
        """One step of what there is to do."""
        actions, unread = [self._commit], self._unread
        actions += [lambda: self._read(dice.choice(unread), 1 + int(dice.random() * 6))] if unread else []
        actions += [self._begin] if self._lanes.waiting else []
        actions += [lambda: self._call(dice)] if self._sent else []
        actions += [lambda: self._finish(dice.randrange(len(self._answered)))] if self._answered else []
        dice.choice(actions)()

    def rest(self) -> None:
        """Everything that was asked for is answered."""
        for number in self._unread:
            self._read(number, ALL)
        while self._lanes.waiting or self.has_hands_full:
            self._begin()
            if not self.has_hands_full:
                self._log.now_ms += max(1, self._lanes.wake_ms(self._log.now_ms) or 0)
            while self._sent:
                self._call(None)
            while self._answered:
                self._finish(0)
        self._commit()

    def retire(self) -> None:
        """Its partitions have another owner: what waits is left to that one, what is under way ends here."""
        self._commit()
        self._lanes.drop_waiting()
        self._records.clear()

    def die(self, dice: Random) -> None:
        """It is gone; what it had sent may arrive."""
        for waiting in self._sent:
            if dice.random() < 0.5:
                self._gateways.delay(waiting.gateway, waiting.requested.call, waiting.sent_ms)

    def _read(self, number: int, count: int) -> None:
        records = self._records[number]
        begin = records.following
        for record in self._log.topics[CALLS_TOPIC][number][begin : begin + count]:
            place = Place(TopicPartition(CALLS_TOPIC, number), record.offset)
            records.open(record.offset)
            perhaps_sent = record.offset < self._ends[number]
            verdict = self._runner.take(record.value or b"", place, self._log.now_ms, perhaps_sent=perhaps_sent)
            if verdict is not None:
                self._answered.append(verdict)
            records.following += 1

    def _begin(self) -> None:
        calls, verdicts = self._lanes.take(self._log.now_ms)
        self._answered += verdicts
        self._sent += calls

    def _call(self, dice: Random | None) -> None:
        waiting = self._sent.pop(0 if dice is None else dice.randrange(len(self._sent)))
        call, late = waiting.requested.call, self._log.now_ms > waiting.sent_ms + CALL_MS_MAX
        if dice is not None and late:
            self._gateways.delay(waiting.gateway, call, waiting.sent_ms)
        answer = NO_ANSWER if late else self._gateways.call(waiting.gateway, call, dice)
        if self._lanes.end(waiting, answer, self._log.now_ms):
            self._answered.append(Verdict(waiting, truthful(waiting, answer)))

    def _finish(self, index: int) -> None:
        verdict = self._answered.pop(index)
        waiting = verdict.waiting
        self._log.put(ANSWERS_TOPIC, waiting.order.encode(), answer_record(verdict, self._log.now_ms))
        for place in waiting.places:
            records = self._records.get(place.partition.partition)
            if records is not None:
                records.close(place.offset)

    def _commit(self) -> None:
        for number, records in self._records.items():
            self._log.offsets[CALLS_TOPIC, number] = records.first
