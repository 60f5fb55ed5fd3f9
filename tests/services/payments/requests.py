"""Requests for calls, and lanes with a clock that is turned by hand."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, GatewayCall, Operation, call_key
from bopis.services.payments.lanes import LaneLimits, Lanes, Verdict
from bopis.services.payments.waiting import Place, WaitingCall

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
APPROVED = GatewayAnswer(outcome=CallOutcome.APPROVED)
SILENT = GatewayAnswer(outcome=CallOutcome.UNKNOWN, code="no_answer")
AWAY = GatewayAnswer(outcome=CallOutcome.NOT_SENT, code="not_connected", wait_ms=1_000)


def request(order: str, operation: Operation = Operation.AUTHORISE, **changes: Any) -> CallRequested:
    """A request as the payment writes it; `number` tells steps of one kind apart."""
    number, gateway = changes.pop("number", 1), changes.pop("gateway", "fake")
    call = GatewayCall(
        key=call_key(order, 1, operation, number),
        order=order,
        attempt=1,
        operation=operation,
        gateway=gateway,
        amount=1000,
        currency="EUR",
        authorisation=call_key(order, 1, Operation.AUTHORISE),
        token="tok_secret",
    )
    made = CallRequested(at_ms=NOW_MS, call=call, request=1, first_ms=NOW_MS, urgent_ms=NOW_MS + 600_000)
    return replace(made, **changes)


class Floor:
    """Lanes, their clock, and the records that were written."""

    def __init__(self, **limits: int) -> None:
        self.lanes = Lanes(LaneLimits(**limits), {"fake": DAY_MS, "other": DAY_MS})
        self.now_ms = NOW_MS
        self.offset = 0
        self.verdicts: list[Verdict] = []

    def add(self, requested: CallRequested, *, perhaps_sent: bool = False) -> WaitingCall:
        waiting = WaitingCall(
            requested, requested.call.gateway, Place(("calls", 0), self.offset), perhaps_sent=perhaps_sent
        )
        self.offset += 1
        self.lanes.add(waiting, self.now_ms)
        return waiting

    def take(self) -> list[WaitingCall]:
        work = self.lanes.take(self.now_ms)
        self.verdicts += work.verdicts
        return work.calls

    def orders(self) -> list[str]:
        return [it.order for it in self.take()]

    def end(self, waiting: WaitingCall, answer: GatewayAnswer = APPROVED) -> bool:
        return self.lanes.end(waiting, answer, self.now_ms)

    def sleep(self, ms: int) -> None:
        self.now_ms += ms

    def answers(self) -> list[tuple[str, CallOutcome, str]]:
        """What was answered without a call: order, outcome, code."""
        return [(it.waiting.order, it.answer.outcome, it.answer.code) for it in self.verdicts]

    def break_gateway(self) -> None:
        """Let calls fail until the circuit opens."""
        for number in range(8):
            self.add(request(f"broken-{number}", urgent_ms=0))
            (waiting,) = self.take()
            self.end(waiting, SILENT)
