"""Orders, stores and payments under test: three real cores over plain queues, and a bank."""

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from bopis.domain.inventory.admission import Rejected
from bopis.domain.orders import messages as om
from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import CallOutcome, GatewayReport, PaymentMethod, ReportKind
from bopis.domain.payments.policy import PaymentPolicy
from bopis.domain.payments.state import Payment
from bopis.domain.payments.step import step as payment_step
from bopis.domain.repeats import RecordIdentity
from bopis.domain.values import DAY_MS, MINUTE_MS
from bopis.wire.orders import identity
from bopis.wire.payments import PAYMENT_CALLS, PAYMENTS, payment_message
from streams.processors.payments import conclusions
from tests.domain.books import MemoryRows, at
from tests.domain.orders.world import World, number
from tests.domain.payments.bank import Bank, Pending

STEPS_MAX = 400
PRICE = 100


class PaidWorld(World):
    """A world with payments. Calls wait for `answer_calls`, reports of the bank for `deliver_reports`."""

    def __init__(self, bank: Bank | None = None, **more: Any) -> None:
        self.bank = bank or Bank()
        self.payments: Any = MemoryRows()
        self.payment_events: list[Any] = []
        self.calls: list[CallRequested] = []
        self.parked: list[str] = []
        super().__init__(**more)

    def buy(self, tokens: Sequence[str], policy: PaymentPolicy | None = None, **changes: Any) -> None:
        """Place an order that is paid by methods with these tokens."""
        methods = tuple(PaymentMethod(token=f"{token}_{place}", card=token) for place, token in enumerate(tokens, 1))
        plan = om.PaymentPlan(methods=methods, policy=policy or PaymentPolicy(), consent=True)
        self.place(payment=plan, **changes)

    def run(self) -> None:
        super().run()
        while self.to_payments:
            self.deliver_payment(self.to_payments.popleft())
            super().run()

    def deliver_payment(self, value: bytes) -> None:
        message = PAYMENTS.decode(value)
        record = RecordIdentity(recorded_at_ms=self.now_ms, identity=identity(message), digest=crc32(value))
        try:
            events = payment_step(self.payments, message, payment_message(message), record)
        except Rejected as rejected:
            self.parked.append(str(rejected))
            return
        self.payment_events += events
        for output in conclusions(message, events, firing=self.now_ms):
            if output.topic == "orders":
                self.to_orders.append(output.value)
            elif output.topic == "payment-calls":
                requested = PAYMENT_CALLS.decode(output.value).data
                self.calls = [it for it in self.calls if it.call.key != requested.call.key] + [requested]

    def tell_payment(self, data: Any, **header: Any) -> None:
        self.to_payments.append(PAYMENTS.encode(self.message(data, number(), **header)))
        self.run()

    def tick(self) -> None:
        for key in self.payments.due(self.now_ms):
            self.to_payments.append(
                PAYMENTS.encode(self.message(m.PaymentTick(at=at(self.now_ms)), key, source="payments"))
            )
        super().tick()
        row = self.payments.rows.get(number())
        assert row is None or not row.due_ms or row.due_ms > self.now_ms, "a deadline stays in the past"

    def answer_calls(self, limit: int = STEPS_MAX) -> None:
        """Answer calls, and those that follow from the answers, as the runner does."""
        for _ in range(limit):
            if not self.calls:
                return
            requested = self.calls.pop(0)
            self.bank.now_ms = self.now_ms
            answer = self.bank.call(requested.call)
            answered = m.CallAnswered(
                key=requested.call.key,
                attempt=requested.call.attempt,
                operation=requested.call.operation,
                request=requested.request,
                answer=answer,
            )
            self.tell_payment(answered, id=f"{requested.call.key}/{requested.request}", source="payment-runner")
        raise AssertionError("calls never end")

    def deliver_reports(self) -> None:
        """Deliver what the bank reports by itself; a late success is made now."""
        for report in self.bank.reports:
            if self._happens(report):
                self.tell_payment(m.ProviderReported(gateway="", report=report), source="bank")
        self.bank.reports.clear()
        self.answer_calls()

    def _happens(self, report: GatewayReport) -> bool:
        if report.kind is not ReportKind.AUTHORISED or report.key in self.bank.transfers:
            return True
        if report.key in self.bank.closed and report.key not in self.bank.landing:
            return False  # a close that was answered holds
        self.bank.transfers[report.key] = Pending(report.amount or 0, report.attempt)
        return True

    def settle(self, ms: int = 30 * MINUTE_MS) -> None:
        """Time passes in small steps, and everything is answered."""
        self.answer_calls()
        for _ in range(ms // MINUTE_MS):
            self.wait(MINUTE_MS)
            self.answer_calls()

    def finish(self) -> None:
        """Deliver the reports, and let everything come to rest."""
        self.deliver_reports()
        self.settle()
        self.wait(DAY_MS // 24)
        self.answer_calls()

    @property
    def payment(self) -> Payment:
        row = self.payments.rows[number()]
        assert isinstance(row, Payment)
        return row

    def is_at_rest(self) -> bool:
        """Whether no answer is waited for."""
        payment = self.payment
        return not self.calls and not any(step.in_flight for it in payment.attempts for step in it.steps)


__all__ = ["CallOutcome", "PaidWorld"]
