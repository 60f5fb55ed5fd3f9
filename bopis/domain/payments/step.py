"""Exact step of payments: admit one message, decide it, fold its events, put the payment back with its next deadline.

Deterministic: the same rows and the same message give the same rows and events.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import UNSET
from msgspec.structs import replace

from bopis.domain.inventory.admission import Rejected
from bopis.domain.message import Message
from bopis.domain.payments.decide import decide
from bopis.domain.payments.decision import PaymentDecision
from bopis.domain.payments.events import Event, PaymentRefusal
from bopis.domain.payments.limits import MESSAGES_REMEMBERED
from bopis.domain.payments.messages import DeskCommand, OpenPayment, PaymentMessage, PaymentTick, ProviderReported
from bopis.domain.payments.state import Payment
from bopis.domain.payments.timers import next_due_ms
from bopis.domain.repeats import RecordIdentity, is_repeat, remember


class PaymentRows(Protocol):
    """Payments of one partition by order; a timed row is due at its deadline."""

    def get(self, key: str) -> Payment | None: ...
    def put(self, key: str, row: Payment) -> None: ...
    def put_timed(self, key: str, row: Payment, deadline_ms: int) -> None: ...
    def drop(self, key: str) -> None: ...


def step(rows: PaymentRows, message: Message, data: PaymentMessage, record: RecordIdentity) -> Sequence[Event]:
    """Decide one message, whose body means ``data`` to payments, and return its events. A repeat changes nothing.

    For an order without a payment a command is refused. Raises `Rejected`, before any row is changed, for a report of a
    gateway about a payment that is not ours, and for one that cannot be true.
    """
    before = rows.get(message.subject)
    decision = PaymentDecision(before, message.subject, record.recorded_at_ms, type(data).__name__, message.id)
    decision.actor = "" if message.actor is UNSET else message.actor
    if before is None:
        if isinstance(data, ProviderReported):
            raise Rejected(f"unknown payment: the gateway reports {data.report.kind.value} for {message.subject}")
        if isinstance(data, DeskCommand):
            decision.refuse(PaymentRefusal.UNKNOWN_PAYMENT)
            return decision.events
        if not isinstance(data, OpenPayment):
            return decision.events
    elif isinstance(data, PaymentTick):
        if not before.due_ms or before.due_ms > record.recorded_at_ms:
            return decision.events
    elif is_repeat(before.seen, message, record):
        return decision.events
    decide(decision, data)
    if decision.events and decision.state is not None:
        _keep(rows, decision, before, None if isinstance(data, PaymentTick) else record)
    elif before is not None and isinstance(data, PaymentTick):
        _keep(rows, decision, before, None)
    return decision.events


def _keep(
    rows: PaymentRows, decision: PaymentDecision, before: Payment | None, remembered: RecordIdentity | None
) -> None:
    payment = decision.payment
    seen = payment.seen if remembered is None else remember(payment.seen, remembered, MESSAGES_REMEMBERED)
    is_tick = remembered is None
    payment = replace(
        payment,
        seen=seen,
        fired=payment.fired + is_tick,
        due_ms=next_due_ms(payment, decision.now_ms),
    )
    if payment.due_ms:
        rows.put_timed(payment.order, payment, payment.due_ms)
        return
    if before is not None and before.due_ms:
        rows.drop(payment.order)  # `put` keeps an old deadline, `drop` forgets it; the row is put back at once
    rows.put(payment.order, payment)
