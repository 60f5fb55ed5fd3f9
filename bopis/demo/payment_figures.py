"""Payments accounted for three times: by our books, by the gateway's ledger, and by what customers did."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from bopis.demo.gateway_ledger import GatewayLedger, Sums
from bopis.demo.payings import ASKS, BY_NEXT, Paying
from bopis.demo.pickups import Deed, Pickup
from bopis.demo.tally import Tally
from bopis.domain.payments.money import plain_amount
from bopis.domain.payments.state import Attempt, Payment, PaymentEnding

CURRENCY = "USD"
NOTHING = Sums()
EQUAL = "equal"


class PaymentFigures(Struct, frozen=True, kw_only=True):
    """Payments of the orders that are paid in advance.

    ``paid``: money was captured for goods that left. ``by_next``: the first method was declined, and a next one
    approved without the customer. ``asked``: customers who had to act. ``unpaid``: orders that ended because no method
    was left. ``declines`` are the gateway's, by class. ``books`` and ``gateway`` are sums in cents; ``differences``
    counts authorisations whose sums differ. ``unpaid_handovers``: goods left before they were paid for; ``owed_cents``:
    goods that are out and not paid. ``wrong_prices``: customers who paid another sum than the price of what they have.
    ``unplanned``: orders whose payment took another course than its customer's methods make it take. ``reconcile`` is
    the result of the product's own comparison.
    """

    orders: int
    paid: int
    by_next: int
    asked: int
    unpaid: int
    at_till: int
    declines: dict[str, int]
    books: Sums
    gateway: Sums
    differences: int
    first_difference: str
    unpaid_handovers: int
    owed_cents: int
    wrong_prices: int
    unplanned: int
    reconcile: str


def paid_figures(
    tally: Tally, payments: Mapping[str, Payment], ledger: GatewayLedger, reconcile: str
) -> PaymentFigures:
    """The figures of all payments at the end of the demonstration."""
    planned = [it for it in tally.pickups.values() if it.paying is not None]
    differences = list(ledger_differences(payments, ledger))
    books, theirs = Sums(), Sums()
    for payment in payments.values():
        for attempt in payment.attempts:
            books.add(sums_of(attempt))
    for sums in ledger.sums().values():
        theirs.add(sums)
    by_next = {order for order, it in payments.items() if is_by_next(it)} - tally.payments.asked
    paid = {order for order, it in payments.items() if it.captured}
    return PaymentFigures(
        orders=len(payments),
        paid=len(paid),
        by_next=len(by_next),
        asked=len(tally.payments.asked),
        unpaid=sum(it.ending is PaymentEnding.EXHAUSTED for it in payments.values()),
        at_till=len(tally.payments.paid_at_till),
        declines=ledger.declines(),
        books=books,
        gateway=theirs,
        differences=len(differences),
        first_difference=next(iter(differences), ""),
        unpaid_handovers=tally.payments.unpaid_handovers,
        owed_cents=sum(it.owed for it in payments.values()),
        wrong_prices=sum(paid_cents(it, tally, payments) != it.kept_cents for it in planned),
        unplanned=len(by_next ^ named(planned, BY_NEXT))
        + len(tally.payments.asked ^ named(planned, ASKS))
        + len(paid ^ {it.order for it in planned if is_captured(it)}),
        reconcile=reconcile,
    )


def named(planned: Sequence[Pickup], payings: frozenset[Paying]) -> set[str]:
    """The orders whose payment takes one of these courses."""
    return {it.order for it in planned if it.paying in payings}


def is_captured(it: Pickup) -> bool:
    """Whether the gateway takes money for an order: what is collected, and not paid at the till."""
    return it.paying is not Paying.IN_STORE and any(deed is Deed.HAND_OVER for _, deed in it.deeds)


def is_by_next(payment: Payment) -> bool:
    """Whether the first method approved nothing, and a later one did."""
    approved = [it.method for it in payment.attempts if it.authorised]
    return bool(approved) and 1 not in approved


def paid_cents(it: Pickup, tally: Tally, payments: Mapping[str, Payment]) -> int:
    """What a customer paid in the end, online and at the till."""
    payment = payments.get(it.order)
    online = payment.captured - payment.refunded if payment is not None else 0
    return online + tally.payments.paid_at_till.get(it.order, 0)


def sums_of(attempt: Attempt) -> Sums:
    """The sums of one authorisation, by our books."""
    left = max(0, attempt.authorised - attempt.captured) if attempt.open_at_provider else 0
    return Sums(attempt.authorised, attempt.captured, attempt.refunded, left)


def ledger_differences(payments: Mapping[str, Payment], ledger: GatewayLedger) -> Iterator[str]:
    """Each authorisation whose sums differ, in words."""
    ours = {(order, one.number): sums_of(one) for order, payment in payments.items() for one in payment.attempts}
    theirs: dict[tuple[str, int], Sums] = {}
    for ref, sums in ledger.sums().items():
        it = ledger.authorisations[ref]
        theirs.setdefault((it.order, it.attempt), Sums()).add(sums)
    for order, attempt in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get((order, attempt), NOTHING), theirs.get((order, attempt), NOTHING)
        if here != there:
            yield f"order {order}, attempt {attempt}: {_said(here)} in the books, {_said(there)} at the gateway"


def money(cents: int) -> str:
    """A sum with its currency."""
    return plain_amount(cents, CURRENCY)


def failed_payment_checks(found: PaymentFigures, planned: int) -> tuple[str, ...]:
    """A sentence for each figure of the payments that is not as it must be."""
    must_be_zero = {
        "orders have no payment": planned - found.orders,
        "hand-overs were not paid for": found.unpaid_handovers,
        "cents are owed": found.owed_cents,
        "customers paid another sum than the price of what they have": found.wrong_prices,
        "payments took another course than planned": found.unplanned,
        "cents stay reserved": found.gateway.open,
    }
    failed = [f"{count} {words}" for words, count in must_be_zero.items() if count]
    if found.differences:
        failed.append(f"{found.differences} authorisations differ between the ledgers, first {found.first_difference}")
    if found.reconcile != EQUAL:
        failed.append(f"payments reconcile: {found.reconcile}")
    return tuple(failed)


def payment_rows(it: PaymentFigures) -> tuple[tuple[str, str], ...]:
    """The lines of the report: label and value."""
    declines = ", ".join(f"{count:,} {name}" for name, count in it.declines.items())
    equal = "the gateway's own ledger is equal to the cent"
    if it.differences:
        equal = f"{it.differences} authorisations differ: {it.first_difference}"
    return (
        ("payments", f"{it.orders:,} orders with 1 to 3 methods: {it.paid:,} paid, {it.at_till:,} at the till"),
        ("", f"{it.by_next:,} declined by the first method and paid by the next one without the customer"),
        ("", f"{it.asked:,} customers had to act; {it.unpaid:,} orders ended unpaid; declines: {declines or 'none'}"),
        ("ledgers", f"books: {_said(it.books)}"),
        ("", f"gateway: {_said(it.gateway)}"),
        ("", f"{equal}; reconcile: {it.reconcile}"),
        ("", f"goods handed over unpaid: {it.unpaid_handovers}; owed: {money(it.owed_cents)}"),
    )


def _said(sums: Sums) -> str:
    return ", ".join(f"{word} {money(getattr(sums, word))}" for word in Sums.__struct_fields__)
