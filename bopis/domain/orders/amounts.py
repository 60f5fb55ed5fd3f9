"""Amounts of an order in minor units of its currency: of a line, of the whole order, and what is paid in a store."""

from collections.abc import Mapping

from bopis.domain.orders.state import Line, LineState, Order
from bopis.domain.orders.vocabulary import Amount, PaymentState

# Lines that nobody pays for: they ended without a hand-over.
UNSOLD = frozenset({LineState.CANCELLED, LineState.EXPIRED})


def line_total(line: Line) -> int:
    """Price of all units of a line."""
    return line.unit_cents * line.quantity


def order_total(order: Order) -> Amount | None:
    """Price of all lines that did not end without a hand-over; None for an order placed without prices."""
    if not any(line.unit_cents for line in order.lines):
        return None
    cents = sum(line_total(line) for line in order.lines if line.state not in UNSOLD)
    return Amount(cents=cents, currency=order.currency)


def open_total(order: Order) -> int:
    """Price of the lines that have not ended, in minor units."""
    return max(0, sum(line_total(line) for line in order.live))


def to_pay(order: Order, store: str, units: Mapping[int, int] | None = None) -> Amount | None:
    """What the customer still has to pay for goods in a store; None when it is paid otherwise, or has no price.

    ``units`` limits it to some units of some lines, by line number; without, all open lines in the store count.
    """
    if order.payment is not PaymentState.PAY_IN_STORE or order_total(order) is None:
        return None
    if order.methods:
        # The rest of an order that was to be paid otherwise.
        return Amount(cents=order.at_counter_cents, currency=order.currency) if order.at_counter_cents else None
    lines = [line for line in order.in_store(store) if line.live]
    counted = {line.line: line.quantity for line in lines} if units is None else units
    cents = sum(line.unit_cents * min(line.quantity, counted.get(line.line, 0)) for line in lines)
    return Amount(cents=cents, currency=order.currency) if cents else None
