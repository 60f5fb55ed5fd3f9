"""Two gateways in one: their ledger, their keys, and how they answer: by dice, or without any fault.

An authorisation is a transfer that is pending; captures post parts of it, a void releases the rest, a refund is a new
transfer back. ``alpha`` decides at once, captures in parts, raises what it authorised and closes what it does not know;
``beta`` does nothing of all that: it says "received", and reports later what came of it.
"""

from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from bopis.domain.payments.gateway import (
    CallOutcome,
    DeclineClass,
    GatewayAnswer,
    GatewayCall,
    GatewayReport,
    Operation,
    ReportKind,
)
from bopis.domain.values import DAY_MS, MINUTE_MS
from tests.simulation.findings import must
from tests.simulation.log import Log

KEY_LIFE_MS = DAY_MS
ON_ITS_WAY_MS = 5 * MINUTE_MS  # what was sent arrives within this, or never does
AUTHORISED_MS = 7 * DAY_MS
LINK_MS = 15 * MINUTE_MS
# The share of authorisations that are approved in full, for a part, after a challenge, after a review; the rest is
# declined.
APPROVED, PARTLY, CHALLENGED, REVIEWED = 0.54, 0.59, 0.66, 0.71


class Traits(NamedTuple):
    """What a gateway can do."""

    multicapture: bool
    closes: bool
    reports: bool
    adjusts: bool


GATEWAYS = {
    "alpha": Traits(multicapture=True, closes=True, reports=False, adjusts=True),
    "beta": Traits(multicapture=False, closes=False, reports=True, adjusts=False),
}


class Known(NamedTuple):
    """A key, and what was answered to it."""

    call: GatewayCall
    answer: GatewayAnswer
    at_ms: int


class Delayed(NamedTuple):
    """A call that still arrives, although nobody waits for its answer."""

    gateway: str
    call: GatewayCall
    at_ms: int


@dataclass
class Transfer:
    """One authorisation. ``coming`` are the steps that were received and not done; ``lost`` says that the bank itself
    ended it."""

    call: GatewayCall
    traits: Traits
    granted: int
    ends_ms: int
    open: bool = True
    lost: bool = False
    review: bool = False
    posted: dict[str, int] = field(default_factory=dict)
    returned: dict[str, int] = field(default_factory=dict)
    coming: dict[str, GatewayCall] = field(default_factory=dict)

    @property
    def captured(self) -> int:
        return sum(self.posted.values())

    @property
    def refunded(self) -> int:
        return sum(self.returned.values())

    def on_the_way(self, operation: Operation) -> int:
        return sum(it.amount for it in self.coming.values() if it.operation is operation)

    def rest(self, now_ms: int) -> int:
        """What may still be captured."""
        if not self.open or now_ms >= self.ends_ms:
            return 0
        return self.granted - self.captured - self.on_the_way(Operation.CAPTURE)


class Ledger:
    """What the gateways have: it answers a call that arrives."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.transfers: dict[str, Transfer] = {}
        self.challenges: dict[str, Delayed] = {}
        self.declined: dict[str, GatewayAnswer] = {}
        self.closed: set[str] = set()
        self.reports: list[GatewayReport] = []
        self._keys: dict[str, Known] = {}

    def handle(self, gateway: str, call: GatewayCall, dice: Random | None, at_ms: int = 0) -> GatewayAnswer:
        """Do what a call asks for, once for each key; ``at_ms`` is when it arrived, if that was earlier."""
        if call.operation in (Operation.FIND, Operation.CLOSE):
            return self._look(gateway, call)
        known = self._keys.get(call.key)
        if known is not None:
            must(known.call == call, "a key has one meaning", call.key)
            if (at_ms or self.log.now_ms) - known.at_ms <= KEY_LIFE_MS + ON_ITS_WAY_MS:
                return known.answer
        is_authorise = call.operation is Operation.AUTHORISE
        answer = self._authorise(gateway, call, dice) if is_authorise else self._step(call, dice)
        self._keys[call.key] = Known(call, answer, self.log.now_ms)
        return answer

    def report(self, call: GatewayCall, kind: ReportKind, **facts: object) -> None:
        """Say something later."""
        told = {"order": call.order, "attempt": call.attempt, "key": call.key, "kind": kind, "currency": call.currency}
        self.reports.append(GatewayReport(**told, **facts))  # type: ignore[arg-type]  # each is a field of it

    # Authorisations

    def _authorise(self, gateway: str, call: GatewayCall, dice: Random | None) -> GatewayAnswer:
        must(call.key not in self.transfers, "no key has two effects", call.key)
        if call.key in self.closed:
            return GatewayAnswer(outcome=CallOutcome.VOIDED)
        chance = 0.0 if dice is None else dice.random()
        if chance < APPROVED:
            answer = self.approve(gateway, call, call.amount)
        elif chance < PARTLY:
            answer = self.approve(gateway, call, max(1, call.amount // 2))
        elif chance < CHALLENGED:
            return self._challenge(gateway, call)
        elif chance < REVIEWED:
            answer = self.approve(gateway, call, call.amount)
            self.transfers[call.key].review = True
            return self.state(call.key)
        else:
            assert dice is not None
            return self.decline(call, dice.choice(list(DeclineClass)), told=dice.random() < 0.4)
        if dice is not None and dice.random() < 0.3:
            self._tell_approved(call)
        return answer

    def approve(self, gateway: str, call: GatewayCall, amount: int) -> GatewayAnswer:
        """Make the transfer."""
        traits = GATEWAYS[gateway]
        self.transfers[call.key] = Transfer(call, traits, amount, self.log.now_ms + AUTHORISED_MS)
        return self.state(call.key)

    def _tell_approved(self, call: GatewayCall) -> None:
        made, facts = self.transfers[call.key], self.state(call.key)
        self.report(
            call,
            ReportKind.AUTHORISED,
            amount=made.granted,
            reference=facts.reference,
            transaction=facts.transaction,
            ends_ms=facts.ends_ms,
            multicapture=facts.multicapture,
            adjustable=facts.adjustable,
        )

    def decline(self, call: GatewayCall, why: DeclineClass, *, told: bool) -> GatewayAnswer:
        """Refuse an authorisation."""
        answer = self.declined[call.key] = GatewayAnswer(outcome=CallOutcome.DECLINED, decline=why, code=why.value)
        if told:
            self.report(call, ReportKind.DECLINED, decline=why, code=why.value)
        return answer

    def _challenge(self, gateway: str, call: GatewayCall) -> GatewayAnswer:
        self.challenges[call.key] = Delayed(gateway, call, self.log.now_ms)
        return self._challenged(call.key)

    def _challenged(self, key: str) -> GatewayAnswer:
        return GatewayAnswer(
            outcome=CallOutcome.ACTION_REQUIRED,
            reference=f"ref-{key}",
            link=f"https://bank.example/{key}",
            link_until_ms=self.challenges[key].at_ms + LINK_MS,
        )

    def answer_challenge(self, key: str, confirms: bool) -> None:
        """A customer follows a link, in time or too late."""
        gateway, call, at_ms = self.challenges.pop(key)
        if self.log.now_ms > at_ms + LINK_MS:
            return
        if confirms:
            self.approve(gateway, call, call.amount)
            self._tell_approved(call)
        else:
            self.decline(call, DeclineClass.AUTHENTICATE, told=True)

    def end_review(self, key: str, is_fine: bool) -> None:
        """Somebody has looked at an authorisation."""
        made = self.transfers[key]
        made.review = False
        self.report(made.call, ReportKind.REVIEW_APPROVED if is_fine else ReportKind.REVIEW_REJECTED)

    def state(self, key: str) -> GatewayAnswer:
        """An authorisation with its sums."""
        made = self.transfers[key]
        return GatewayAnswer(
            outcome=CallOutcome.IN_REVIEW if made.review else CallOutcome.APPROVED,
            amount=made.granted,
            currency=made.call.currency,
            reference=f"ref-{key}",
            transaction=f"net-{key}",
            ends_ms=made.ends_ms,
            multicapture=made.traits.multicapture,
            adjustable=made.traits.adjusts,
            captured=made.captured,
            refunded=made.refunded,
        )

    def _look(self, gateway: str, call: GatewayCall) -> GatewayAnswer:
        key = call.authorisation
        made = self.transfers.get(key)
        if made is not None:
            if made.rest(self.log.now_ms) or made.captured or made.coming:
                return self.state(key)
            return GatewayAnswer(outcome=CallOutcome.VOIDED)
        if key in self.declined:
            return self.declined[key]
        if call.operation is Operation.FIND:
            return self._challenged(key) if self._is_challenged(key) else GatewayAnswer(outcome=CallOutcome.GONE)
        if not GATEWAYS[gateway].closes:
            return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED)
        self.challenges.pop(key, None)
        self.closed.add(key)
        return GatewayAnswer(outcome=CallOutcome.VOIDED)

    def _is_challenged(self, key: str) -> bool:
        return key in self.challenges and self.log.now_ms <= self.challenges[key].at_ms + LINK_MS

    # Steps

    def _step(self, call: GatewayCall, dice: Random | None) -> GatewayAnswer:
        made = self.transfers.get(call.authorisation)
        if made is None:
            must(False, "a step has its authorisation", call.key)
            raise AssertionError
        done = GatewayAnswer(outcome=CallOutcome.APPROVED, amount=call.amount, currency=call.currency)
        chance = 1.0 if dice is None else dice.random()
        match call.operation:
            case Operation.VOID:
                if chance < 0.03:
                    return GatewayAnswer(outcome=CallOutcome.FAILED, code="busy")
                must(not made.on_the_way(Operation.CAPTURE), "what is being captured is not released", call.key)
                made.open = False
                return GatewayAnswer(outcome=CallOutcome.VOIDED)
            case Operation.ADJUST:
                must(made.traits.adjusts, "only what can be raised is", call.key)
                if chance < 0.2 or not made.rest(self.log.now_ms):
                    return GatewayAnswer(outcome=CallOutcome.FAILED, code="refused")
                made.granted = call.amount
                return done
            case Operation.CAPTURE:
                return self._capture(made, call, chance) or done
            case _:
                left = made.captured - made.refunded - made.on_the_way(Operation.REFUND)
                must(call.amount <= left, "no more is refunded than was captured", f"{call.key} {call.amount} {left}")
                if made.traits.reports:
                    made.coming[call.key] = call
                    return GatewayAnswer(outcome=CallOutcome.ACCEPTED)
                return self._refund(made, call, chance) or done

    def _capture(self, made: Transfer, call: GatewayCall, chance: float) -> GatewayAnswer | None:
        must(call.key not in made.posted, "no key has two effects", call.key)
        must(not made.review, "what is looked at is not captured", call.key)
        rest = made.rest(self.log.now_ms)
        if made.lost or self.log.now_ms >= made.ends_ms:
            return GatewayAnswer(outcome=CallOutcome.FAILED, code="ended")
        must(call.amount <= rest, "no more is captured than was authorised", f"{call.key} {call.amount} of {rest}")
        if chance < 0.12:
            made.open, made.lost = False, True
            return GatewayAnswer(outcome=CallOutcome.FAILED, code="refused")
        if made.traits.reports:
            made.coming[call.key] = call
            return GatewayAnswer(outcome=CallOutcome.ACCEPTED)
        self._post(made, call, told=chance < 0.3)
        return None

    def _post(self, made: Transfer, call: GatewayCall, *, told: bool) -> None:
        made.posted[call.key] = call.amount
        made.open = made.open and made.traits.multicapture and not call.final
        if told:
            self.report(call, ReportKind.CAPTURED, amount=call.amount)

    def _refund(self, made: Transfer, call: GatewayCall, chance: float) -> GatewayAnswer | None:
        must(call.key not in made.returned, "no key has two effects", call.key)
        if chance < 0.12:
            return GatewayAnswer(outcome=CallOutcome.FAILED, code="refused")
        made.returned[call.key] = call.amount
        if chance < 0.3:
            self.report(call, ReportKind.REFUNDED, amount=call.amount)
        return None

    def finish(self, made: Transfer, key: str, chance: float) -> None:
        """A step that was received is done, fails, or is tried once more by the bank itself."""
        call = made.coming[key]
        is_capture = call.operation is Operation.CAPTURE
        if chance < 0.15 and is_capture:
            self.report(call, ReportKind.CAPTURE_FAILED, amount=call.amount, repairing=True)
            return
        del made.coming[key]
        if chance < 0.3:
            if is_capture:
                made.open, made.lost = False, True
            self.report(call, ReportKind.CAPTURE_FAILED if is_capture else ReportKind.REFUND_FAILED, amount=call.amount)
        elif is_capture:
            self._post(made, call, told=True)
        else:
            made.returned[key] = call.amount
            self.report(call, ReportKind.REFUNDED, amount=call.amount)

    def bounce(self, made: Transfer, key: str) -> None:
        """A refund comes back."""
        amount = made.returned.pop(key)
        call = self._keys[key].call
        self.report(call, ReportKind.REFUND_FAILED, amount=amount)

    def lose(self, made: Transfer) -> None:
        """The bank ends an authorisation before its time."""
        made.open, made.lost = False, True
        self.report(made.call, ReportKind.ENDED)
