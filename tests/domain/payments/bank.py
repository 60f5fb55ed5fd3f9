"""A bank under test: the oracle of sums, after TigerBeetle's two-phase transfers, and how it answers by token.

An authorisation is a pending transfer; a capture posts part of it, a void releases the rest, a refund is a new transfer
back. It knows keys: a repeat is answered as before, without another effect.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bopis.domain.payments.gateway import (
    CallOutcome,
    DeclineClass,
    GatewayAnswer,
    GatewayCall,
    GatewayReport,
    Operation,
    ReportKind,
)

SEVEN_DAYS_MS = 7 * 86_400_000
DECLINES = {
    "soft": DeclineClass.SOFT,
    "hard": DeclineClass.HARD,
    "never": DeclineClass.NEVER,
    "data": DeclineClass.DATA,
    "authenticate": DeclineClass.AUTHENTICATE,
    "technical": DeclineClass.TECHNICAL,
}


@dataclass
class Pending:
    """One pending transfer."""

    amount: int
    attempt: int
    posted: int = 0
    returned: int = 0
    open: bool = True

    @property
    def rest(self) -> int:
        return self.amount - self.posted if self.open else 0


@dataclass
class Bank:
    """All transfers by the key of their authorisation. `reports` wait until they are delivered."""

    multicapture: bool = False
    closes: bool = True
    transfers: dict[str, Pending] = field(default_factory=dict)
    replies: dict[str, GatewayAnswer] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    # Authorisations that a close releases, and those that are made although they were closed.
    releasing: set[str] = field(default_factory=set)
    landing: set[str] = field(default_factory=set)
    reports: list[GatewayReport] = field(default_factory=list)
    silent: dict[str, int] = field(default_factory=dict)
    now_ms: int = 0

    @property
    def open(self) -> int:
        return sum(it.rest for it in self.transfers.values())

    @property
    def captured(self) -> int:
        return sum(it.posted for it in self.transfers.values())

    @property
    def refunded(self) -> int:
        return sum(it.returned for it in self.transfers.values())

    def call(self, call: GatewayCall) -> GatewayAnswer:
        """Answer a call."""
        if call.operation in (Operation.FIND, Operation.CLOSE):
            return self._look(call)
        if call.key in self.replies:
            return self.replies[call.key]
        answer = self._authorise(call) if call.operation is Operation.AUTHORISE else self._step(call)
        if answer.outcome not in (CallOutcome.UNKNOWN, CallOutcome.NOT_SENT):
            self.replies[call.key] = answer
        return answer

    def report(self, call: GatewayCall, kind: ReportKind, **facts: Any) -> None:
        """Report something about an authorisation, later."""
        told = GatewayReport(order=call.order, attempt=call.attempt, kind=kind, key=call.key, **facts)
        self.reports.append(told)

    def approve(self, call: GatewayCall, amount: int | None = None) -> GatewayAnswer:
        """Make the pending transfer."""
        granted = call.amount if amount is None else amount
        assert call.key not in self.transfers, f"{call.key} was made twice"
        self.transfers[call.key] = Pending(granted, call.attempt)
        return self._state(call.key)

    def _state(self, key: str) -> GatewayAnswer:
        made = self.transfers[key]
        return GatewayAnswer(
            outcome=CallOutcome.APPROVED,
            amount=made.amount,
            currency="EUR",
            reference=f"ref-{key}",
            transaction=f"net-{key}",
            ends_ms=self.now_ms + SEVEN_DAYS_MS,
            multicapture=self.multicapture,
            captured=made.posted,
            refunded=made.returned,
        )

    def _authorise(self, call: GatewayCall) -> GatewayAnswer:
        if call.key in self.closed:
            return GatewayAnswer(outcome=CallOutcome.VOIDED)
        behaviour = call.token.split("_")[0]
        if behaviour in DECLINES:
            return GatewayAnswer(outcome=CallOutcome.DECLINED, decline=DECLINES[behaviour], code=behaviour)
        return BEHAVIOURS[behaviour](self, call)

    def _look(self, call: GatewayCall) -> GatewayAnswer:
        key = call.authorisation
        made = self.transfers.get(key)
        if made is not None and call.operation is Operation.CLOSE and key in self.releasing:
            made.open = False
        if made is not None:
            return self._state(key) if made.open or made.posted else GatewayAnswer(outcome=CallOutcome.VOIDED)
        if call.operation is Operation.FIND:
            return GatewayAnswer(outcome=CallOutcome.GONE)
        if not self.closes:
            return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED)
        self.closed.add(key)
        return GatewayAnswer(outcome=CallOutcome.VOIDED)

    def _step(self, call: GatewayCall) -> GatewayAnswer:
        made = self.transfers[call.authorisation]
        match call.operation:
            case Operation.CAPTURE:
                assert call.amount <= made.rest, f"{call.amount} captured of {made.rest}"
                made.posted += call.amount
                made.open = self.multicapture and not call.final
            case Operation.VOID:
                made.open = False
            case Operation.REFUND:
                assert call.amount <= made.posted - made.returned, "more is refunded than was captured"
                made.returned += call.amount
            case _:
                return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED)
        return GatewayAnswer(outcome=CallOutcome.APPROVED, amount=call.amount, currency="EUR")

    def first(self, call: GatewayCall) -> bool:
        """Whether this is the first time that a key is seen; for behaviours that differ then."""
        self.silent[call.key] = self.silent.get(call.key, 0) + 1
        return self.silent[call.key] == 1


def _ok(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    return bank.approve(call)


def _lost(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    """It is done, and the answer is lost; a repeat finds it."""
    if bank.first(call):
        bank.replies[call.key] = bank.approve(call)
    return GatewayAnswer(outcome=CallOutcome.UNKNOWN)


def _late(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    """No answer and no trace; it is made after everything else, and reported then."""
    if bank.first(call):
        bank.report(call, ReportKind.AUTHORISED, amount=call.amount, currency="EUR", reference=f"ref-{call.key}")
    return GatewayAnswer(outcome=CallOutcome.UNKNOWN)


def _landed(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    """As late, and also after a close, which it was overtaken by."""
    bank.landing.add(call.key)
    return _late(bank, call)


def _stale(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    """Made, and no call about it is answered but the close, which releases it; its success is reported after that."""
    if bank.first(call):
        bank.approve(call)
        bank.releasing.add(call.key)
        bank.report(call, ReportKind.AUTHORISED, amount=call.amount, currency="EUR", reference=f"ref-{call.key}")
    return GatewayAnswer(outcome=CallOutcome.UNKNOWN)


def _missed(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    """The first call never arrives, without anybody knowing; the repeat does it."""
    return GatewayAnswer(outcome=CallOutcome.UNKNOWN) if bank.first(call) else bank.approve(call)


def _away(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    return GatewayAnswer(outcome=CallOutcome.NOT_SENT) if bank.first(call) else bank.approve(call)


def _partial(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    return bank.approve(call, call.amount // 2)


def _challenge(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    """The customer confirms in time, where they are asked."""
    bank.report(call, ReportKind.AUTHORISED, amount=call.amount, currency="EUR", reference=f"ref-{call.key}")
    link = f"https://bank.example/{call.key}"
    return GatewayAnswer(outcome=CallOutcome.ACTION_REQUIRED, reference=f"ref-{call.key}", link=link)


def _review(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    bank.report(call, ReportKind.REVIEW_APPROVED)
    answer = bank.approve(call)
    return GatewayAnswer(outcome=CallOutcome.IN_REVIEW, amount=call.amount, reference=answer.reference)


def _rejected(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    bank.report(call, ReportKind.REVIEW_REJECTED)
    answer = bank.approve(call)
    return GatewayAnswer(outcome=CallOutcome.IN_REVIEW, amount=call.amount, reference=answer.reference)


def _twice(bank: Bank, call: GatewayCall) -> GatewayAnswer:
    """Its success is reported three times, an older refusal last."""
    for _ in range(3):
        bank.report(call, ReportKind.AUTHORISED, amount=call.amount, currency="EUR")
    bank.report(call, ReportKind.DECLINED, decline=DeclineClass.SOFT)
    return bank.approve(call)


Behaviour = Callable[[Bank, GatewayCall], GatewayAnswer]
BEHAVIOURS: dict[str, Behaviour] = {
    "ok": _ok,
    "lost": _lost,
    "late": _late,
    "landed": _landed,
    "stale": _stale,
    "missed": _missed,
    "away": _away,
    "partial": _partial,
    "challenge": _challenge,
    "review": _review,
    "rejected": _rejected,
    "twice": _twice,
}
ALL = (*DECLINES, *BEHAVIOURS)
