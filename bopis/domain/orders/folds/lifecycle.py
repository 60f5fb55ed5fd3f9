"""Folds of the order as a whole: placed, cancelled, expired, paid, notified."""

from typing import Any

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders.hold_coverage import split_parts, split_picked, with_released
from bopis.domain.orders.limits import LAST_REMINDER_MS
from bopis.domain.orders.lines import HeldPart
from bopis.domain.orders.order_updates import (
    with_hold,
    with_line,
    with_lines,
    with_work,
    without_pending,
    without_settled_holds,
)
from bopis.domain.orders.state import Line, LineState, Order, PickupCode
from bopis.domain.orders.vocabulary import Milestone, PaymentState


def placed(number: str, event: e.OrderPlaced) -> Order:
    """The order that begins with this event."""
    lines = tuple(
        Line(
            line=line.line,
            sku=line.sku,
            quantity=line.quantity,
            components=line.components,
            unit_cents=line.unit_cents,
        )
        for line in event.lines
    )
    return Order(
        order=number,
        key=event.key,
        request=event.request,
        customer=event.customer,
        store=event.store,
        allows=event.allows,
        placed_ms=event.stamp.at_ms,
        payment=event.payment,
        lines=lines,
        methods=event.methods,
        currency=event.currency,
        slot_from_ms=event.slot_from_ms,
        slot_to_ms=event.slot_to_ms,
        place_latitude_e6=event.place_latitude_e6,
        place_longitude_e6=event.place_longitude_e6,
        code=PickupCode(code_hash=event.code_hash, token_hash=event.token_hash),
        note=event.note,
    )


def unchanged(order: Order, _event: e.Event) -> Order:
    return order


def line_split(order: Order, event: e.LineSplit) -> Order:
    line = order.line(event.line)
    if line is None:
        return order
    parts = split_parts(order, line, event.quantity)
    gone = split_picked(line, event.quantity)
    stays = tuple(picked - moved for picked, moved in zip(line.picked, gone, strict=True))
    split = {"line": event.into, "quantity": event.quantity, "picked": gone, "parent": line.parent or line.line}
    order = with_line(order, replace(line, quantity=line.quantity - event.quantity, picked=stays))
    order = with_line(order, replace(line, **split))
    hold = order.hold(line.hold)
    if hold is None:
        return order
    moved = {part.number: part for part in parts}
    kept = tuple(
        replace(part, quantity=part.quantity - moved[part.number].units) if part.number in moved else part
        for part in hold.parts
    )
    added = tuple(
        HeldPart(
            number=part.into,
            line=event.into,
            component=part.component,
            sku=line.parts[part.component].sku,
            quantity=part.units,
        )
        for part in parts
    )
    return with_hold(order, hold.hold, parts=(*kept, *added))


def order_cancelled(order: Order, event: e.OrderCancelled) -> Order:
    how = {"ended_by": event.by, "end_reason": event.reason}
    return _ended(order, event, LineState.CANCELLED, **how)


def order_expired(order: Order, event: e.OrderExpired) -> Order:
    return _ended(order, event, LineState.EXPIRED)


def payment_requested(order: Order, event: e.PaymentRequested) -> Order:
    return replace(order, open_cents=event.amount.cents)


def payment_answered(order: Order, event: e.PaymentAnswered) -> Order:
    return replace(
        order,
        payment=event.state,
        covered_cents=event.cents,
        covered_until_ms=event.until_ms,
        at_counter_cents=event.at_counter_cents,
    )


def payment_amount_changed(order: Order, event: e.PaymentAmountChanged) -> Order:
    return replace(order, open_cents=event.amount.cents)


def holds_prolonged(order: Order, event: e.HoldsProlonged) -> Order:
    return replace(order, held_until_ms=event.hold_until_ms)


def capture_requested(order: Order, event: e.CaptureRequested) -> Order:
    captured_cents, covered_cents = order.captured_cents + event.amount.cents, order.covered_cents
    # An authorisation may end with its first capture: what is left is covered once the payment says so.
    if event.open_cents and covered_cents is not None and order.payment is PaymentState.AUTHORISED:
        covered_cents = captured_cents
    return replace(order, captured_cents=captured_cents, covered_cents=covered_cents, open_cents=event.open_cents)


def void_requested(order: Order, _event: e.VoidRequested) -> Order:
    return replace(order, voided=True, open_cents=0)


def notice_due(order: Order, event: e.NoticeDue) -> Order:
    # The version makes a notice's key unique: the same milestone may be due again.
    versions = {**order.notice_versions, event.milestone.value: event.version}
    order = replace(order, notice_versions=versions)
    if event.milestone is not Milestone.REMINDER or event.window_end_ms is None:
        return order
    # Of two missed reminders only the last one was sent, so the first is never due any more.
    is_last = event.stamp.recorded_at_ms >= event.window_end_ms - LAST_REMINDER_MS
    return with_work(order, event.store, reminded=2 if is_last else 1)


def _ended(order: Order, event: e.OrderCancelled | e.OrderExpired, state: LineState, **how: Any) -> Order:
    lines = event.lines
    how |= {"state": state, "ended_ms": event.stamp.at_ms, "hold": "", "leaving": "", "decide_by_ms": 0}
    # The holds are marked as released before the lines forget them.
    order = with_lines(with_released(order, lines), lines, **how)
    # An answer of routing or of the customer that is still on its way must not revive ended lines.
    return without_settled_holds(without_pending(order, lines))
