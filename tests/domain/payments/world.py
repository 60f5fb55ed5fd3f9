"""A payment under test: the real core over a queue, calls that wait for the answers of a test, and the log's clock."""

from typing import Any
from zlib import crc32

from bopis.domain.inventory.admission import Rejected
from bopis.domain.message import Message
from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested, CustomerAsked, Event, PaymentCommandRefused
from bopis.domain.payments.gateway import (
    CallOutcome,
    GatewayAnswer,
    GatewayReport,
    MethodKind,
    Operation,
    PaymentMethod,
    ReportKind,
)
from bopis.domain.payments.policy import PaymentPolicy
from bopis.domain.payments.state import Attempt, Payment
from bopis.domain.payments.step import step
from bopis.domain.repeats import RecordIdentity
from bopis.wire.orders import identity
from bopis.wire.payments import order_answer
from tests.domain.books import NOON_MS, MemoryRows, at

ORDER = "P0000001"
HOLD_MS = 600_000
TICKS_MAX = 500


def card(number: int, **changes: Any) -> PaymentMethod:
    """The n-th card of a customer."""
    return PaymentMethod(**{"kind": MethodKind.CARD, "token": f"tok_{number}", **changes})


class PaymentWorld:
    """One payment. `calls` are requested and not answered yet; `answers` are its messages to the order."""

    def __init__(self) -> None:
        self.now_ms = NOON_MS
        self.rows: Any = MemoryRows()
        self.events: list[Event] = []
        self.calls: list[CallRequested] = []
        self.all_calls: list[CallRequested] = []
        self.answers: list[Any] = []
        self.parked: list[str] = []
        self._sent = 0

    def open(self, total: int, *methods: PaymentMethod, policy: PaymentPolicy | None = None, **changes: Any) -> None:
        """Open the payment of an order."""
        fields: dict[str, Any] = {
            "methods": methods,
            "amount": total,
            "currency": "EUR",
            "hold_until_ms": self.now_ms + HOLD_MS,
            "policy": policy or PaymentPolicy(),
        }
        self.send(m.OpenPayment(**{**fields, **changes}))

    def send(self, data: m.PaymentMessage, id: str = "", source: str = "test") -> list[Event]:
        """Decide one message; returns its events."""
        self._sent += 1
        message = Message(id=id or f"m{self._sent}", source=source, time=at(self.now_ms), subject=ORDER, data=data)
        content = repr(data).encode()
        record = RecordIdentity(recorded_at_ms=self.now_ms, identity=identity(message), digest=crc32(content))
        try:
            events = list(step(self.rows, message, data, record))
        except Rejected as rejected:
            self.parked.append(str(rejected))
            return []
        self.events += events
        for event in events:
            if isinstance(event, CallRequested):
                # A newer request of a key takes the place of an older one.
                self.calls = [it for it in self.calls if it.call.key != event.call.key] + [event]
                self.all_calls.append(event)
            answer = order_answer(event)
            if answer is not None:
                self.answers.append(answer)
        return events

    def answer(self, requested: CallRequested, outcome: CallOutcome, **facts: Any) -> list[Event]:
        """Answer a call as the runner does."""
        if requested in self.calls:
            self.calls.remove(requested)
        call = requested.call
        if outcome in (CallOutcome.APPROVED, CallOutcome.IN_REVIEW, CallOutcome.ACTION_REQUIRED):
            facts = {"reference": f"ref-{call.attempt}", **facts}
        return self.take_answer(requested, GatewayAnswer(outcome=outcome, **facts))

    def take_answer(self, requested: CallRequested, answer: GatewayAnswer, version: str = "") -> list[Event]:
        """Take the answer of a call from the runner."""
        call = requested.call
        answered = m.CallAnswered(
            key=call.key, attempt=call.attempt, operation=call.operation, request=requested.request, answer=answer
        )
        return self.send(answered, id=f"{call.key}/{requested.request}{version}", source="payment-runner")

    def answer_again(self, requested: CallRequested, outcome: CallOutcome, **facts: Any) -> list[Event]:
        """Answer a call that was answered otherwise before, as runners do of which one was killed."""
        return self.take_answer(requested, GatewayAnswer(outcome=outcome, **facts), f"/{outcome}")

    def report(self, kind: ReportKind, attempt: int = 1, id: str = "", **facts: Any) -> list[Event]:
        """A gateway reports something by itself."""
        report = GatewayReport(order=ORDER, attempt=attempt, kind=kind, **facts)
        return self.send(m.ProviderReported(gateway="", report=report), id=id, source="gateway")

    def wait(self, ms: int) -> None:
        """Time passes; every deadline fires when it is due."""
        until_ms = self.now_ms + ms
        for _ in range(TICKS_MAX):
            due_ms = min(self.rows.deadlines.values(), default=0)
            if not due_ms or due_ms > until_ms:
                self.now_ms = until_ms
                return
            self.now_ms = max(self.now_ms, due_ms)
            self.send(m.PaymentTick(at=at(self.now_ms)), source="payments")
            left_ms = min(self.rows.deadlines.values(), default=0)
            assert not left_ms or left_ms > self.now_ms, f"a deadline stays in the past: {left_ms} at {self.now_ms}"
        raise AssertionError("the deadlines never end")

    def call(self, operation: Operation, attempt: int | None = None) -> CallRequested:
        """The open call of this kind."""
        found = [it for it in self.calls if it.call.operation is operation and attempt in (None, it.call.attempt)]
        assert found, f"no open call to {operation.value}: {[it.call.key for it in self.calls]}"
        return found[0]

    @property
    def payment(self) -> Payment:
        row = self.rows.rows[ORDER]
        assert isinstance(row, Payment)
        return row

    def attempt(self, number: int = 1) -> Attempt:
        return self.payment.attempts[number - 1]

    @property
    def refusals(self) -> list[str]:
        return [it.reason.value for it in self.events if isinstance(it, PaymentCommandRefused)]

    @property
    def asked(self) -> list[CustomerAsked]:
        return [it for it in self.events if isinstance(it, CustomerAsked)]
