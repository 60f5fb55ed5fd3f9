"""Payments as sums: what the bank has, what the books have, and what the goods cost that are with the customer."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.vocabulary import PaymentState
from bopis.domain.payments.events import PaymentCommandRefused, PaymentOpened
from bopis.domain.payments.evolve import evolve, opened
from bopis.domain.payments.state import UNANSWERED, Payment, PaymentEnding
from tests.simulation.bank import Ledger
from tests.simulation.findings import must
from tests.simulation.reading import Reading

OUT = (LineState.HANDED_OVER, LineState.RETURNED)


def is_settled(payment: Payment) -> bool:
    """Whether nothing of a payment is unknown or under way."""
    return not any(it.state in UNANSWERED or any(step.in_flight for step in it.steps) for it in payment.attempts)


def goods(order: Order) -> int:
    """Price of what is with the customer."""
    return sum(it.unit_cents * (it.quantity - it.returned) for it in order.lines if it.state in OUT)


def check_open(ledger: Ledger, payments: Iterable[Payment], orders: dict[str, Order], now_ms: int) -> None:
    """Authorisations are open only for what is still to be handed over. A payment on its way is left out."""
    rests: dict[str, list[int]] = {}
    for made in ledger.transfers.values():
        if rest := made.rest(now_ms):
            rests.setdefault(made.call.order, []).append(rest)
    for payment in payments:
        found, order = rests.get(payment.order, []), orders[payment.order]
        if not is_settled(payment) or _void_failed(payment) or payment.uncaptured:
            continue
        if not order.live:
            must(not found, "nothing stays authorised for nothing", f"{order.order} {found}")
        elif order.payment is PaymentState.AUTHORISED:
            wanted = sum(it.unit_cents * it.quantity for it in order.live)
            there = sum(found) + payment.prepaid
            must(there >= wanted, "what is to be handed over is authorised", f"{order.order} {found} of {wanted}")
            spare = there - min(found, default=0)
            is_fit = not wanted or not found or spare < wanted
            must(is_fit, "no more is authorised than needed", f"{order.order} {found} of {wanted}")


def _void_failed(payment: Payment) -> bool:
    steps = [step for it in payment.attempts for step in it.steps if step.operation == "void"]
    return any(step.state == "failed" and not step.retried for step in steps)


class PaymentAuditor:
    """Judges payments when everything has come to rest."""

    def __init__(self, reading: Reading, ledger: Ledger) -> None:
        self._ledger = ledger
        self._folded: dict[str, Payment] = {}
        self._granted: Counter[str] = Counter()
        for it in reading.said["payment-events"]:
            self._fold(it.message.subject, it.message.data)

    def _fold(self, order: str, event: Any) -> None:
        before = self._folded.get(order)
        if isinstance(event, PaymentOpened):
            must(before is None, "a payment is opened once", order)
            self._folded[order] = opened(order, event)
        elif before is not None:
            self._folded[order] = evolve(before, event)
        else:
            must(isinstance(event, PaymentCommandRefused), "nothing happens before a payment is opened", order)

    def at_rest(self, rows: dict[str, Payment], orders: dict[str, Order]) -> None:
        """Judge the rows."""
        paid = {name for name, order in orders.items() if order.methods}
        must(rows.keys() == paid, "every order with methods has a payment", f"{rows.keys() ^ paid}")
        for name, row in rows.items():
            plain = replace(row, seen=b"", due_ms=0, fired=0)
            must(self._folded.get(name) == plain, "events fold to the row", name)
            must(is_settled(row), "nothing is unknown at rest", f"{name} {_states(row)}")
            must(not row.due_ms, "no deadline of a payment is left", f"{name} {row.due_ms}")
            self._ledgers_are_equal(name, row)
            self._paid_is_what_is_out(name, row, orders[name])
        known = {it.key for row in rows.values() for it in row.attempts}
        strange = self._ledger.transfers.keys() - known
        must(not strange, "the bank has nothing that the books have not", f"{sorted(strange)}")

    def _ledgers_are_equal(self, name: str, row: Payment) -> None:
        for attempt in row.attempts:
            made = self._ledger.transfers.get(attempt.key)
            there = (made.captured, made.refunded) if made is not None else (0, 0)
            here = (attempt.captured, attempt.refunded)
            must(here == there, "ledgers are equal", f"{attempt.key}: {here} here, {there} at the bank")
        must(row.captured - row.refunded >= 0, "no more is given back than was taken", name)

    def _paid_is_what_is_out(self, name: str, row: Payment, order: Order) -> None:
        out = goods(order)
        taken = [it for it in self._ledger.transfers.values() if it.call.order == name]
        net = sum(it.captured - it.refunded for it in taken)
        due = max(0, out - row.goodwill - row.at_counter)
        if row.ending is PaymentEnding.FRAUD:
            must(net + row.owed >= due >= net, "what is out is paid or owed", f"{name} {net} of {due}")
            return
        must(net == due, "paid is what the customer has", f"{name} {net} of {due} ({row.ending})")
        must(not row.owed, "nothing is owed at rest", f"{name} {row.owed}")
        total = sum(it.granted for it in taken)
        handed = sum(it.unit_cents * it.quantity for it in order.lines if it.state in OUT)
        must(handed <= total + row.at_counter, "no hand-over without cover", f"{name} {handed} of {total}")


def _states(row: Payment) -> list[str]:
    steps = [f"{it.number} {step.operation} {step.state}" for it in row.attempts for step in it.steps if step.in_flight]
    return [*(f"{it.number} {it.state}" for it in row.attempts if it.state in UNANSWERED), *steps]
