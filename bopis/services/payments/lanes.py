"""Order of work of the payment runner: which calls leave now, and which are answered without being sent.

A lane per gateway: the nearest hold end first, then age; within the gateway's concurrency and rate, obeying its
Retry-After, and through its circuit. Nothing here waits or knows the time: a worker or the simulation drives it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.payments import circuit as breaker
from bopis.domain.payments.circuit import CallEnded, CallHealth, CallSent, Circuit, CircuitState
from bopis.domain.payments.gateway import (
    CIRCUIT_OPEN,
    NOT_CONNECTED,
    PAUSED,
    CallOutcome,
    GatewayAnswer,
    Operation,
)
from bopis.domain.payments.limits import WAIT_MS_MAX
from bopis.domain.values import TEXT_LENGTH_MAX
from bopis.services.payments.waiting import CallQueue, Pace, WaitingCall

# How often waiting calls are looked through for those that have waited too long.
LOOK_MS = 500
# Calls read ahead of their gateways. Beyond that they wait in the log.
WAITING_MAX = 50_000

TOO_LATE = "too_late"
KEY_EXPIRED = "key_expired"

TOO_LATE_ANSWER = GatewayAnswer(
    outcome=CallOutcome.NOT_SENT, code=TOO_LATE, cause="the goods are no longer held for this authorisation"
)
KEY_EXPIRED_ANSWER = GatewayAnswer(
    outcome=CallOutcome.UNKNOWN, code=KEY_EXPIRED, cause="the gateway has forgotten the key: a repeat could be a second"
)
# Calls that do something each time that the gateway does not know their key.
KEYED: Collection[Operation] = frozenset(Operation) - {Operation.FIND, Operation.CLOSE}


class LaneLimits(Struct, frozen=True, kw_only=True):
    """Limits of each gateway: calls at a time, calls per second in all and of each operation (0: any number).

    While a gateway serves nothing, calls wait in their order, so that the most urgent goes first once it is back. Those
    in whose place something else can be done (`CallRequested.patient` tells) are answered after ``patience_ms``.
    """

    concurrency: int = 350
    rate: int = 0
    endpoint_rate: int = 0
    patience_ms: int = 60_000


class Verdict(NamedTuple):
    """A call that is answered without being sent."""

    waiting: WaitingCall
    answer: GatewayAnswer


class Work(NamedTuple):
    """Calls to send now, and calls to answer now."""

    calls: list[WaitingCall]
    verdicts: list[Verdict]


class Lane:
    """Calls to one gateway."""

    def __init__(self, limits: LaneLimits, key_life_ms: int) -> None:
        self.limits = limits
        self.key_life_ms = key_life_ms
        self.queue = CallQueue()
        self.circuit = Circuit()
        self.in_flight = 0
        self._pause_until_ms = 0
        # Since when the gateway serves nothing; 0: it serves.
        self._away_ms = 0
        self._pace = Pace(limits.rate)
        self._paces = {operation: Pace(limits.endpoint_rate) for operation in Operation}

    def next(self, now_ms: int) -> WaitingCall | None:
        """The call that may leave now."""
        if self.is_away(now_ms) or self.in_flight >= self.limits.concurrency or self._pace.wait_ms(now_ms):
            return None
        return self.queue.pop(it for it, pace in self._paces.items() if not pace.wait_ms(now_ms))

    def send(self, waiting: WaitingCall, now_ms: int) -> None:
        """Count a call that leaves."""
        waiting.sent_ms = now_ms
        waiting.is_probe = self.circuit.state is CircuitState.OPEN
        self.circuit = breaker.after(self.circuit, CallSent(), now_ms)
        self.in_flight += 1
        self._pace.take()
        self._paces[waiting.operation].take()

    def end(self, waiting: WaitingCall, answer: GatewayAnswer, now_ms: int) -> None:
        """Count the end of a call, and obey what the gateway asks for."""
        self.in_flight -= 1
        health = breaker.health_of(answer)
        ended = CallEnded(health=health, sent_ms=waiting.sent_ms, is_probe=waiting.is_probe)
        self.circuit = breaker.after(self.circuit, ended, now_ms)
        is_refused = answer.outcome is CallOutcome.NOT_SENT and health is CallHealth.FAILED
        # Without a connection there is no Retry-After: the circuit counts the network's own failures.
        if is_refused and answer.code != NOT_CONNECTED:
            self._pause_until_ms = max(self._pause_until_ms, now_ms + min(answer.wait_ms, WAIT_MS_MAX))
        if self.circuit.state is CircuitState.CLOSED and self._pause_until_ms <= now_ms:
            self._away_ms = 0
        else:
            self._away_ms = self._away_ms or now_ms

    def is_away(self, now_ms: int) -> bool:
        """Whether nothing may be sent: its circuit is open, or it asked for a pause."""
        return self._pause_until_ms > now_ms or not breaker.may_call(self.circuit, now_ms)

    def back_in_ms(self, now_ms: int) -> int:
        """How long it stays so."""
        return max(self._pause_until_ms - now_ms, breaker.probe_wait_ms(self.circuit, now_ms))

    def is_patient(self, waiting: WaitingCall, now_ms: int) -> bool:
        """Whether a call goes on waiting while the gateway is away. One that may have been sent does: nobody could be
        asked in its place before that is known; and one in whose place nobody can be asked."""
        since_ms = max(waiting.added_ms, self._away_ms)
        is_early = now_ms < since_ms + self.limits.patience_ms
        return waiting.perhaps_sent or waiting.requested.patient or is_early or not self.is_away(now_ms)

    def away_answer(self, now_ms: int) -> GatewayAnswer:
        """The answer to a call that has waited long enough for the gateway."""
        is_open = self.circuit.state is not CircuitState.CLOSED
        cause = "circuit open: the gateway does not serve" if is_open else "the gateway asked for a pause"
        code, wait_ms = CIRCUIT_OPEN if is_open else PAUSED, self.back_in_ms(now_ms)
        return GatewayAnswer(outcome=CallOutcome.NOT_SENT, code=code, wait_ms=wait_ms, cause=cause)

    def wake_ms(self, now_ms: int) -> int | None:
        """How long until a queued call may leave without anything else happening; None: it waits for an answer."""
        operations = self.queue.waiting()
        if not operations or self.in_flight >= self.limits.concurrency:
            return None
        if self.circuit.state is CircuitState.HALF_OPEN:
            return None
        endpoint_ms = min(self._paces[it].wait_ms(now_ms) for it in operations)
        return max(self.back_in_ms(now_ms), self._pace.wait_ms(now_ms), endpoint_ms)


class Lanes:
    """All calls that wait or are under way. Calls of one order run one after the other."""

    def __init__(self, limits: LaneLimits, key_lives_ms: Mapping[str, int]) -> None:
        """``key_lives_ms``: how long each gateway keeps keys, by its name."""
        self._lanes = {name: Lane(limits, key_life_ms) for name, key_life_ms in key_lives_ms.items()}
        # By order, in the order of their records; the first of each gateway is queued, unless a call is under way.
        self._waiting: dict[str, list[WaitingCall]] = defaultdict(list)
        self._sent: dict[str, WaitingCall] = {}
        self._count = 0
        self._looked_ms = 0
        # Counts owners of the partitions: a call of an earlier one does not wait here any more.
        self._owners = 0

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return self._count

    @property
    def has_room(self) -> bool:
        """Whether more calls should be read."""
        return self._count < WAITING_MAX

    def circuits(self) -> dict[str, Circuit]:
        """The circuit of each gateway."""
        return {name: lane.circuit for name, lane in self._lanes.items()}

    def add(self, waiting: WaitingCall, now_ms: int) -> None:
        """Take a request. One of a key that waits already is joined with it; one that is being answered needs no call
        of its own."""
        sent = self._sent.get(waiting.order)
        if sent is not None and sent.key == waiting.key and sent.requested.request >= waiting.requested.request:
            sent.places += waiting.places
            return
        waits = self._waiting[waiting.order]
        same = next((it for it in waits if it.key == waiting.key and it.gateway == waiting.gateway), None)
        if same is not None:
            same.join(waiting)
            if same.ticket:
                self._lanes[same.gateway].queue.push(same)
            return
        waiting.added_ms = now_ms
        waiting.owner = self._owners
        waits.append(waiting)
        self._count += 1
        self._queue_first(waiting.order)

    def take(self, now_ms: int) -> Work:
        """What is to be done now. Calls to send are under way from now on, until `end`."""
        work = Work([], self._given_up(now_ms))
        for lane in self._lanes.values():
            while (waiting := lane.next(now_ms)) is not None:
                self._begin(lane, waiting, work, now_ms)
        return work

    def end(self, waiting: WaitingCall, answer: GatewayAnswer, now_ms: int) -> bool:
        """Take the gateway's answer to a call that was sent. Returns whether the answer is to be published: a call that
        found no connection goes on waiting for its gateway, in its place."""
        lane = self._lanes[waiting.gateway]
        lane.end(waiting, answer, now_ms)
        is_current = self._sent.get(waiting.order) is waiting
        if is_current:
            del self._sent[waiting.order]
        waits_on = is_current and self._goes_on(lane, waiting, answer, now_ms)
        if waits_on:
            self._wait_on(waiting)
        if is_current:
            self._queue_first(waiting.order)
        return not waits_on

    def drop_waiting(self) -> None:
        """Forget the calls that wait: their partitions have another owner. Those under way go on, once."""
        self._owners += 1
        for waits in self._waiting.values():
            for waiting in waits:
                waiting.ticket = 0
        self._waiting.clear()
        self._count = 0

    def wake_ms(self, now_ms: int) -> int | None:
        """How long until `take` may have work although nothing is added and nothing ends; None: it will have none."""
        waits = [wait for lane in self._lanes.values() if (wait := lane.wake_ms(now_ms)) is not None]
        if self._count:
            waits.append(max(0, self._looked_ms + LOOK_MS - now_ms))
        return min(waits, default=None)

    def _begin(self, lane: Lane, waiting: WaitingCall, work: Work, now_ms: int) -> None:
        if waiting.order in self._sent:
            return  # Its order has a call at another gateway: it is queued again when that has ended.
        if (verdict := _verdict(waiting, lane, now_ms)) is not None:
            self._remove(waiting)
            work.verdicts.append(Verdict(waiting, truthful(waiting, verdict)))
            self._queue_first(waiting.order)
            return
        self._remove(waiting)
        self._sent[waiting.order] = waiting
        lane.send(waiting, now_ms)
        work.calls.append(waiting)

    def _goes_on(self, lane: Lane, waiting: WaitingCall, answer: GatewayAnswer, now_ms: int) -> bool:
        is_unsent = answer.outcome is CallOutcome.NOT_SENT and answer.code == NOT_CONNECTED
        is_here = waiting.owner == self._owners and not is_too_late(waiting, now_ms)
        return is_unsent and is_here and lane.is_patient(waiting, now_ms)

    def _wait_on(self, waiting: WaitingCall) -> None:
        waits = self._waiting[waiting.order]
        same = next((it for it in waits if it.key == waiting.key and it.gateway == waiting.gateway), None)
        if same is not None:
            same.join(waiting)
            return
        waiting.sent_ms, waiting.is_probe = 0, False
        waits.insert(0, waiting)
        self._count += 1

    def _given_up(self, now_ms: int) -> list[Verdict]:
        """Calls that have waited too long: for their use, or for a gateway that is away."""
        if now_ms < self._looked_ms + LOOK_MS:
            return []
        self._looked_ms = now_ms
        verdicts = []
        for waits in list(self._waiting.values()):
            for waiting in list(waits):
                lane = self._lanes[waiting.gateway]
                if is_too_late(waiting, now_ms):
                    answer = TOO_LATE_ANSWER
                elif not lane.is_patient(waiting, now_ms):
                    answer = lane.away_answer(now_ms)
                else:
                    continue
                self._remove(waiting)
                verdicts.append(Verdict(waiting, truthful(waiting, answer)))
                self._queue_first(waiting.order)
        return verdicts

    def _remove(self, waiting: WaitingCall) -> None:
        waiting.ticket = 0
        waits = self._waiting[waiting.order]
        waits.remove(waiting)
        self._count -= 1
        if not waits:
            del self._waiting[waiting.order]

    def _queue_first(self, order: str) -> None:
        """Queue the first call of an order at each gateway, unless one of its calls is under way."""
        if order in self._sent:
            return
        gateways: set[str] = set()
        for waiting in self._waiting.get(order, ()):
            if waiting.gateway not in gateways and not waiting.ticket:
                self._lanes[waiting.gateway].queue.push(waiting)
            gateways.add(waiting.gateway)


def is_too_late(waiting: WaitingCall, now_ms: int) -> bool:
    """Whether nobody can use the call any more."""
    return 0 < waiting.requested.not_after_ms < now_ms


def truthful(waiting: WaitingCall, answer: GatewayAnswer) -> GatewayAnswer:
    """An answer that says "not sent" of a call that an earlier owner of its partition may have sent says "unknown"."""
    if answer.outcome is not CallOutcome.NOT_SENT or not waiting.perhaps_sent or waiting.operation is Operation.FIND:
        return answer
    cause = f"{answer.cause or answer.code}; it may have been sent before a restart"[:TEXT_LENGTH_MAX]
    return replace(answer, outcome=CallOutcome.UNKNOWN, cause=cause)


def _verdict(waiting: WaitingCall, lane: Lane, now_ms: int) -> GatewayAnswer | None:
    """The answer to a call that must not be sent any more."""
    if is_too_late(waiting, now_ms):
        return TOO_LATE_ANSWER
    requested = waiting.requested
    if waiting.operation is Operation.FIND:
        return None
    # Also of a first request: a processor that was away for days may have said it before, and says it again.
    # A close is new with each request, so its key is as old as that.
    since_ms = requested.first_ms if waiting.operation in KEYED else requested.at_ms
    return KEY_EXPIRED_ANSWER if now_ms - since_ms >= lane.key_life_ms else None
