"""The judge of payments: reads the log and the gateway's ledger by itself, and asks whether both tell the same, whether
customers paid for what they have, and whether anything is left open."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from bopis.domain.orders import events as e
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.vocabulary import PaymentState
from bopis.domain.payments.state import UNANSWERED, Attempt, Payment
from tests.faults.order_judge import changelog, told_of, unique_events
from tests.faults.payment_ledger import LedgerFile
from tests.faults.payment_people import PayingPeople
from tests.faults.payment_programs import PaidCrew

OUT = (LineState.HANDED_OVER, LineState.RETURNED)
ENDED = (*OUT, LineState.CANCELLED, LineState.EXPIRED)
PROMISED = (LineState.READY, LineState.ARRIVED, LineState.STAGED)
PAID = (PaymentState.AUTHORISED, PaymentState.PAY_IN_STORE)
DECIDED_BY = {"orders": "order-state", "payments": "payment-state"}


class Books:
    """Orders and payments as their changelogs tell them."""

    def __init__(self, crew: PaidCrew) -> None:
        ends = {(it.topic, it.partition): it.offset for name in (*DECIDED_BY, "stock") for it in crew.read(name)}
        self.orders, decided_orders = changelog(crew, "order-state", Order)
        self.payments, decided_payments = changelog(crew, "payment-state", Payment)
        _, booked = crew.rows()
        decided = {"orders": decided_orders, "payments": decided_payments, "stock": booked}
        self.is_decided = all(
            decided[topic.removeprefix(crew.prefix)].get(number, -1) >= last for (topic, number), last in ends.items()
        )

    def open_ones(self, orders: Iterable[str]) -> dict[str, str]:
        """Orders of these that somebody or something still works on, and why."""
        found = {}
        for order in orders:
            row, payment = self.orders.get(order), self.payments.get(order)
            if row is None or (payment is None and row.methods):
                found[order] = "not placed yet"
            elif not all(line.state in (*ENDED, *PROMISED) for line in row.lines):
                found[order] = str([line.state.value for line in row.lines])
            elif payment is not None and (calls := list(open_calls(payment))):
                found[order] = str(calls)
        return found


def open_calls(payment: Payment) -> Iterable[str]:
    """What a gateway's or a customer's answer is waited for."""
    for attempt in payment.attempts:
        if attempt.state in UNANSWERED or attempt.asking is not None:
            yield f"{attempt.key}: {attempt.state}, asking {attempt.asking}"
        yield from (f"{step.key}: {step.state}" for step in attempt.steps if step.in_flight)


def assert_payments_are_right(crew: PaidCrew, people: PayingPeople) -> dict[str, int]:
    """Everything that must hold at rest; the sums."""
    books, ledger = Books(crew), LedgerFile(crew.ledger).refresh()
    events = events_by_order(crew)

    assert books.open_ones(people.fates) == {}
    sums = assert_ledgers_are_equal(books.payments, ledger)
    wrong = {order: text for order in people.fates if (text := unfair(books, people, order, events[order]))}
    assert wrong == {}, [(people.fates[order], told_of(crew, order), books.payments[order]) for order in wrong]
    uncovered = [order for order in people.fates if not was_covered(events[order])]
    assert uncovered == [], [told_of(crew, order) for order in uncovered]
    code, document = crew.ask("payments", "reconcile", "--since", "30d")
    assert code == 0, document
    assert document["gateways"]["fake"]["in_flight"] == 0
    assert [it.headers for it in crew.read("dead-letters")] == []
    return sums


def assert_ledgers_are_equal(payments: dict[str, Payment], ledger: LedgerFile) -> dict[str, int]:
    """The gateway's ledger and our book, authorisation by authorisation, to the cent; the totals."""
    theirs = ledger.sums()
    attempts = {(order, it.number): it for order, payment in payments.items() for it in payment.attempts}
    wrong: list[tuple[object, ...]] = []
    for ref, auth in ledger.authorisations.items():
        attempt, sums = attempts.pop((auth.order, auth.attempt), None), theirs[ref]
        ours = None if attempt is None else (attempt.captured, attempt.refunded, open_amount(attempt))
        # Of what took and reserved nothing our books need not know.
        if (ours or (0, 0, 0)) != (sums.captured, sums.refunded, sums.open):
            wrong.append((auth, ours, sums))
    wrong += [(it, None) for it in attempts.values() if it.captured or it.rest]
    assert wrong == []
    keys = Counter(step.key for auth in ledger.authorisations.values() for step in auth.steps)
    assert set(keys.values()) <= {1}, [key for key, times in keys.items() if times > 1]
    totals = theirs.values()
    return {name: sum(getattr(it, name) for it in totals) for name in ("captured", "refunded", "open")}


def open_amount(attempt: Attempt) -> int:
    """What is reserved for an attempt, as our book tells it."""
    return max(0, attempt.authorised - attempt.captured) if attempt.open_at_provider else 0


def unfair(books: Books, people: PayingPeople, order: str, events: list[Any]) -> str:
    """How a customer paid another sum than the price of what they have; empty: they did not."""
    row, payment = books.orders[order], books.payments.get(order)
    out = sum(line.unit_cents * line.quantity for line in row.lines if line.state in OUT)
    kept = sum(line.unit_cents * (line.quantity - line.returned) for line in row.lines if line.state in OUT)
    if payment is None:
        return ""
    at_till = people.paid_cents.get(order, 0)
    if payment.captured - payment.refunded + at_till != kept:
        return f"{payment.captured} - {payment.refunded} + {at_till} at the till for goods of {kept}"
    if payment.captured + at_till > out:
        return f"{payment.captured} + {at_till} at the till were taken for goods of {out}"
    wanted = sum(line.unit_cents * line.quantity for line in row.live)
    rests = sum(it.rest for it in payment.attempts)
    if row.payment in PAID and rests + max(0, payment.at_counter - payment.paid_at_counter) < wanted:
        return f"{rests} are authorised for goods of {wanted}"
    if not wanted and rests:
        return f"{rests} stay authorised"
    return f"{payment.owed} are owed" if payment.owed else ""


def was_covered(events: list[Any]) -> bool:
    """Whether an order knew at each hand-over that all that had left was paid for."""
    covered, handed = 0, 0
    for it in events:
        if isinstance(it, e.PaymentAnswered):
            covered = (1 << 62 if it.cents is None else it.cents) if it.state in PAID else 0
        elif isinstance(it, e.CaptureRequested):
            handed += it.amount.cents
            if handed > covered:
                return False
    return True


def events_by_order(crew: PaidCrew) -> dict[str, list[Any]]:
    """The conclusions about each order, each once."""
    found: dict[str, list[Any]] = defaultdict(list)
    for event in unique_events(crew):
        found[event.subject].append(event.data)
    return found
