"""`bopis payments show`: one payment, every try of it, and what the customer was told."""

from typing import Any

import msgspec
import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.render import iso, print_line, table
from bopis.cli.order.lookup import OrderNumber
from bopis.cli.payments.session import payment_session
from bopis.domain.orders.numbers import shown
from bopis.domain.payments.money import plain_amount
from bopis.services.counter.store_times import StoreTimes
from bopis.services.payments.event_text import PaymentEventText
from bopis.services.payments.explanation import Explanation, explain, read_payment_history


def show(context: typer.Context, order: OrderNumber, as_json: AsJson = False) -> None:
    """Show how an order is paid: every try with its key and answer, why the next method was asked, and all sums.

    Times are on the clock of the order's store.

    Examples:
        bopis payments show N6PV
        bopis payments show N6PV --json
    """
    ctx = open_context(context, as_json)
    with payment_session(ctx) as session:
        found = session.order(order)
        session.book.refresh(found.order)
        payment = session.book.named(found.order)
        times = session.times(found.store)
        history = read_payment_history(session.reader, payment)
    told = explain(payment, history, times)
    words = PaymentEventText(times, payment.currency, payment.methods)
    document: dict[str, Any] = msgspec.to_builtins(told)
    document["shown"] = shown(payment.order)
    document["history"] = [
        {"at": iso(event.data.at_ms), "said": words.sentence(event.data), "id": event.id} for event in history.events
    ]
    ctx.print_result(document, lambda out: _render(out, told, times))


def _render(out: Console, told: Explanation, times: StoreTimes) -> None:
    def money(amount: int) -> str:
        return plain_amount(amount, told.currency)

    sums = told.sums
    print_line(out, f"{shown(told.order)}  {told.status.replace('_', ' ')}")
    consent = "" if told.consent or len(told.methods) < 2 else " (the customer's consent to the list is not recorded)"
    print_line(out, f"methods  {', then '.join(told.methods)}{consent}")
    parts = {
        "to hand over": sums.open,
        "handed over": sums.handed_over,
        "authorised": sums.authorised,
        "captured": sums.captured,
        "refunded": sums.refunded,
        "to pay in the store": sums.to_pay_in_store,
        "paid in the store": sums.paid_in_store,
        "owed": sums.owed,
    }
    print_line(out, "sums  " + (", ".join(f"{name} {money(sum_)}" for name, sum_ in parts.items() if sum_) or "none"))
    for line in told.owed:
        print_line(out, f"owed  {line}")
    for attempt in told.attempts:
        requests = f", requested {attempt.requests} times" if attempt.requests > 1 else ""
        print_line(out, f"attempt {attempt.number}  {attempt.method}, {money(attempt.amount)}: {attempt.because}")
        print_line(out, f"  {times.instant(attempt.at_ms)}  {attempt.answer}{requests}")
        reference = f", at the gateway {attempt.reference}" if attempt.reference else ""
        print_line(out, f"  key {attempt.key}{reference}")
        for step in attempt.steps:
            print_line(out, f"  {times.instant(step.at_ms)}  {step.text}; key {step.key}")
        print_line(out, f"  then: {attempt.next}")
    if told.heard:
        grid = table("when", "the customer was told")
        for heard in told.heard:
            grid.add_row(times.instant(heard.at_ms), heard.text)
        out.print(grid)
