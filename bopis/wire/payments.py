"""Types on the ``payments`` topic, events on ``payment-events``, calls on ``payment-calls``.

Events of orders are on ``payments`` under their own names; `payment_message` translates them. `order_answer` translates
events of payments for their orders.
"""

from typing import assert_never

from bopis.domain.message import Message
from bopis.domain.orders import events as order_events
from bopis.domain.orders import messages as order_messages
from bopis.domain.orders.limits import CHECKOUT_HOLD_MS, HOLD_BEYOND_WINDOW_MS
from bopis.domain.orders.vocabulary import EndReason
from bopis.domain.payments import events, messages
from bopis.domain.payments.gateway import PaymentMethod
from bopis.domain.payments.state import AttemptState, CoverState, PaymentEnding
from bopis.wire.envelope import Family

PAYMENTS = Family(
    {
        "bopis.orders.payment_requested.v1": order_events.PaymentRequested,
        "bopis.orders.payment_amount_changed.v1": order_events.PaymentAmountChanged,
        "bopis.orders.capture_requested.v1": order_events.CaptureRequested,
        "bopis.orders.void_requested.v1": order_events.VoidRequested,
        "bopis.orders.refund_requested.v1": order_events.RefundRequested,
        "bopis.orders.order_promised.v1": order_events.OrderPromised,
        "bopis.orders.order_ready.v1": order_events.OrderReady,
        "bopis.orders.window_extended.v1": order_events.WindowExtended,
        "bopis.payment.call_answered.v1": messages.CallAnswered,
        "bopis.payment.reported.v1": messages.ProviderReported,
        "bopis.payment.add_method.v1": messages.AddMethod,
        "bopis.payment.retry.v1": messages.RetryPayment,
        "bopis.payment.void.v1": messages.VoidPayment,
        "bopis.payment.refund.v1": messages.RefundPayment,
        "bopis.payment.paid_in_store.v1": messages.RecordPaidInStore,
        "bopis.payment.settle_unknown.v1": messages.SettleUnknown,
        "bopis.payment.adopt_charge.v1": messages.AdoptCharge,
        "bopis.payment.tick.v1": messages.PaymentTick,
    },
    old={},
    unplaced=(messages.PaymentTick,),
    from_outside=True,
)
FromOrder = (
    order_events.PaymentRequested
    | order_events.PaymentAmountChanged
    | order_events.CaptureRequested
    | order_events.VoidRequested
    | order_events.RefundRequested
    | order_events.OrderPromised
    | order_events.OrderReady
    | order_events.WindowExtended
)
PaymentsBody = (
    FromOrder | messages.CallAnswered | messages.ProviderReported | messages.DeskCommand | messages.PaymentTick
)

PAYMENT_EVENTS = Family(
    {
        "bopis.payments.opened.v1": events.PaymentOpened,
        "bopis.payments.amounts_changed.v1": events.AmountsChanged,
        "bopis.payments.pickup_expected.v1": events.PickupExpected,
        "bopis.payments.attempt_began.v1": events.AttemptBegan,
        "bopis.payments.call_requested.v1": events.CallRequested,
        "bopis.payments.attempt_changed.v1": events.AttemptChanged,
        "bopis.payments.step_began.v1": events.StepBegan,
        "bopis.payments.step_changed.v1": events.StepChanged,
        "bopis.payments.charge_adopted.v1": events.ChargeAdopted,
        "bopis.payments.refund_found.v1": events.RefundFound,
        "bopis.payments.need_covered.v1": events.NeedCovered,
        "bopis.payments.method_added.v1": events.MethodAdded,
        "bopis.payments.methods_restarted.v1": events.MethodsRestarted,
        "bopis.payments.customer_asked.v1": events.CustomerAsked,
        "bopis.payments.hold_needed.v1": events.HoldNeeded,
        "bopis.payments.wait_ended.v1": events.WaitEnded,
        "bopis.payments.cover_changed.v1": events.CoverChanged,
        "bopis.payments.ended.v1": events.PaymentEnded,
        "bopis.payments.command_refused.v1": events.PaymentCommandRefused,
    },
    old={},
)
PAYMENT_CALLS = Family({"bopis.payments.call_requested.v1": events.CallRequested}, old={})

END_REASONS = {
    PaymentEnding.EXHAUSTED: EndReason.PAYMENT_EXHAUSTED,
    PaymentEnding.LATE: EndReason.PAYMENT_LATE,
    PaymentEnding.FRAUD: EndReason.FRAUD_SUSPECTED,
}


def payment_message(message: Message) -> messages.PaymentMessage:
    """The body of a message on ``payments`` as payments take it; events of orders become demands."""
    data: PaymentsBody = message.data
    match data:
        case order_events.PaymentRequested():
            plan = data.plan or tuple(PaymentMethod(token=token) for token in data.methods)
            hold_until_ms = data.hold_until_ms or data.stamp.recorded_at_ms + CHECKOUT_HOLD_MS
            return messages.OpenPayment(
                methods=plan,
                amount=data.amount.cents,
                currency=data.amount.currency,
                hold_until_ms=hold_until_ms,
                policy=data.policy,
                consent=data.consent,
            )
        case order_events.PaymentAmountChanged():
            return messages.ChangeAmount(open=data.amount.cents)
        case order_events.CaptureRequested():
            return messages.CaptureGoods(amount=data.amount.cents, open=data.open_cents)
        case order_events.VoidRequested():
            return messages.EndPayment()
        case order_events.RefundRequested():
            return messages.RefundGoods(amount=data.amount.cents)
        case order_events.OrderPromised():
            until_ms = data.hold_until_ms - HOLD_BEYOND_WINDOW_MS
            return messages.ExpectPickup(until_ms=until_ms, ready_ms=data.ready_by_ms)
        case order_events.OrderReady():
            return messages.ExpectPickup(until_ms=data.window_end_ms, ready_ms=data.stamp.recorded_at_ms)
        case order_events.WindowExtended():
            return messages.ExpectPickup(until_ms=data.window_end_ms, ready_ms=0)
        case _:
            return data


def order_answer(event: events.Event) -> order_messages.PaymentAnswer | None:
    """The message to its order that follows from an event of a payment; None when the order is not concerned."""
    match event:
        case events.CoverChanged():
            return _answer_of(event)
        case events.HoldNeeded():
            return order_messages.PaymentPending(until_ms=event.until_ms)
        case events.CustomerAsked():
            return order_messages.PaymentNeedsCustomer(cents=event.amount, until_ms=event.until_ms, link=event.link)
        case events.PaymentEnded() if event.ending in END_REASONS:
            return order_messages.PaymentExhausted(reason=END_REASONS[event.ending])
        case events.AttemptChanged() if event.state is AttemptState.DECLINED:
            return order_messages.PaymentDeclined(method=f"attempt {event.attempt}")
        case _:
            return None


def _answer_of(event: events.CoverChanged) -> order_messages.PaymentAnswer | None:
    cover = event.cover
    match cover.state:
        case CoverState.AUTHORISED:
            return order_messages.PaymentAuthorised(method=event.method, cents=cover.amount, until_ms=cover.until_ms)
        case CoverState.PAY_IN_STORE:
            return order_messages.PaymentInStore(
                cents=cover.amount, at_counter_cents=cover.at_counter, until_ms=cover.until_ms
            )
        case CoverState.LAPSED:
            return order_messages.PaymentLapsed(cents=cover.amount, until_ms=cover.until_ms)
        case CoverState.AUTHORISING:
            return None
        case _:
            assert_never(cover.state)
