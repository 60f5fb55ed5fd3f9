"""Rules for the payment of an order, which is decided elsewhere: its requests, and the meaning of its answers here."""

from collections.abc import Callable
from typing import Any

from bopis.domain.orders import messages as m
from bopis.domain.orders.amounts import open_total
from bopis.domain.orders.cancellation import cancel_lines
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import (
    HoldsProlonged,
    PaymentAmountChanged,
    PaymentAnswered,
    PaymentRequested,
    VoidRequested,
)
from bopis.domain.orders.holding import promise
from bopis.domain.orders.limits import CHECKOUT_HOLD_MS
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.vocabulary import Amount, EndReason, Initiator, PaymentState
from bopis.domain.payments.gateway import MethodKind, PaymentMethod

UNDECIDED = frozenset({PaymentState.AUTHORISING, PaymentState.DECLINED})
CHARGED = frozenset({PaymentState.AUTHORISED, PaymentState.LAPSED, PaymentState.PAY_IN_STORE})
# States in which something may be authorised or captured.
UNCAPTURED = UNDECIDED | CHARGED


def payment_plan(command: m.PlaceOrder) -> m.PaymentPlan | None:
    """How an order is to be paid; None: in the store. Tokens alone, as earlier versions sent them, are cards."""
    if command.payment is not None or not command.methods:
        return command.payment
    return m.PaymentPlan(methods=tuple(PaymentMethod(token=token) for token in command.methods))


def name_of(method: PaymentMethod) -> str:
    """The name of a method in an order: its token, or its kind where it has none."""
    return method.token or method.kind.value


def request_payment(decision: OrderDecision, plan: m.PaymentPlan) -> None:
    """Request the authorisation of an order that is being placed."""
    requested = PaymentRequested(
        stamp=decision.stamp,
        methods=tuple(name_of(method) for method in plan.methods),
        amount=Amount(cents=open_total(decision.order), currency=decision.order.currency),
        plan=plan.methods,
        policy=plan.policy,
        consent=plan.consent,
        hold_until_ms=decision.now_ms + CHECKOUT_HOLD_MS,
    )
    decision.emit(requested)


def record_payment(decision: OrderDecision, answer: m.PaymentAnswer) -> None:
    """Take an answer of the payment. An order without one ignores it."""
    if decision.order.methods:
        ANSWERS[type(answer)](decision, answer)


def is_paid(order: Order, cents: int, now_ms: int) -> bool:
    """Whether goods of this price may leave the store: nothing waits for a provider, and nothing leaves unpaid."""
    if not order.methods:
        return True  # paid at the till
    if order.payment not in CHARGED:
        return False
    if order.covered_cents is None:
        return order.payment is not PaymentState.LAPSED
    is_over = 0 < order.covered_until_ms <= now_ms
    return not is_over and order.captured_cents + cents <= order.covered_cents


def settle_payment(decision: OrderDecision) -> None:
    """Tell the payment what is still to be handed over; void what is open when no more goods will leave a store."""
    order = decision.order
    if not order.methods or order.voided or order.payment not in UNCAPTURED:
        return
    if not order.live:
        # An order handed over in full has been captured in full: nothing is left to void.
        if any(line.state in (LineState.CANCELLED, LineState.EXPIRED) for line in order.lines):
            decision.emit(VoidRequested(stamp=decision.stamp, reason=EndReason.OTHER))
        return
    cents = open_total(order)
    if cents != order.open_cents:
        amount = Amount(cents=cents, currency=order.currency)
        decision.emit(PaymentAmountChanged(stamp=decision.stamp, amount=amount))


def _authorised(decision: OrderDecision, answer: m.PaymentAuthorised) -> None:
    """An authorisation after the order's end is voided and revives nothing."""
    order = decision.order
    known = (order.payment, order.covered_cents, order.covered_until_ms)
    if known == (PaymentState.AUTHORISED, answer.cents, answer.until_ms):
        return
    answered = PaymentAnswered(
        stamp=decision.stamp,
        state=PaymentState.AUTHORISED,
        method=answer.method,
        cents=answer.cents,
        until_ms=answer.until_ms,
    )
    decision.emit(answered)
    if order.live:
        promise(decision)
    elif order.payment is not PaymentState.AUTHORISED:
        decision.emit(VoidRequested(stamp=decision.stamp, reason=EndReason.OTHER))


def _in_store(decision: OrderDecision, answer: m.PaymentInStore) -> None:
    was_promised = decision.order.payment in CHARGED
    answered = PaymentAnswered(
        stamp=decision.stamp,
        state=PaymentState.PAY_IN_STORE,
        method=MethodKind.PAY_IN_STORE.value,
        cents=answer.cents,
        until_ms=answer.until_ms,
        at_counter_cents=answer.at_counter_cents,
    )
    decision.emit(answered)
    if not decision.order.live:
        return
    promise(decision)
    # The confirmation of a new order says how it is paid; one that was paid for otherwise before needs a word of it.
    if was_promised and answer.at_counter_cents:
        decision.ask_to_pay(answer.at_counter_cents, at_counter=True)


def _lapsed(decision: OrderDecision, answer: m.PaymentLapsed) -> None:
    lapsed = PaymentAnswered(
        stamp=decision.stamp, state=PaymentState.LAPSED, method="", cents=answer.cents, until_ms=answer.until_ms
    )
    decision.emit(lapsed)


def _pending(decision: OrderDecision, answer: m.PaymentPending) -> None:
    order = decision.order
    if order.payment not in UNDECIDED or not order.live or answer.until_ms <= order.held_until_ms:
        return
    held = tuple(line.line for line in order.lines if line.state is LineState.HELD)
    decision.emit(HoldsProlonged(stamp=decision.stamp, lines=held, hold_until_ms=answer.until_ms))


def _needs_customer(decision: OrderDecision, answer: m.PaymentNeedsCustomer) -> None:
    if decision.order.live and decision.order.payment is not PaymentState.EXHAUSTED:
        decision.ask_to_pay(answer.cents, answer.until_ms, answer.link)


def _declined(decision: OrderDecision, answer: m.PaymentDeclined) -> None:
    if decision.order.payment in UNDECIDED:
        decision.emit(PaymentAnswered(stamp=decision.stamp, state=PaymentState.DECLINED, method=answer.method))


def _exhausted(decision: OrderDecision, answer: m.PaymentExhausted) -> None:
    order = decision.order
    # Where fraud is suspected, what was authorised before is released, too: nothing may leave a store any more.
    is_stopped = answer.reason is EndReason.FRAUD_SUSPECTED and order.payment in CHARGED and bool(order.live)
    if order.payment not in UNDECIDED and not is_stopped:
        return
    decision.emit(PaymentAnswered(stamp=decision.stamp, state=PaymentState.EXHAUSTED, method=""))
    cancel_lines(decision, [line.line for line in decision.order.live], Initiator.SYSTEM, answer.reason)


AnswerRule = Callable[[OrderDecision, Any], None]
ANSWERS: dict[type[m.PaymentAnswer], AnswerRule] = {
    m.PaymentAuthorised: _authorised,
    m.PaymentInStore: _in_store,
    m.PaymentLapsed: _lapsed,
    m.PaymentPending: _pending,
    m.PaymentNeedsCustomer: _needs_customer,
    m.PaymentDeclined: _declined,
    m.PaymentExhausted: _exhausted,
}
