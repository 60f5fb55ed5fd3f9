"""`bopis payments list` and `owed`: which payments need a look, and what nobody has paid."""

from collections import defaultdict
from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.app.render import iso, print_line, table
from bopis.cli.order.lookup import read_book
from bopis.cli.payments.session import note_skipped
from bopis.domain.orders.numbers import shown
from bopis.domain.payments.money import plain_amount
from bopis.domain.payments.state import Payment
from bopis.names import PAYMENT_STATE_TOPIC
from bopis.ports import Log
from bopis.services.payments.book import Concern, PaymentBook, concerns_of, debts, debts_for_people, status_of


def list_(
    context: typer.Context,
    owed: Annotated[bool, typer.Option("--owed", help="Only goods that are out and not paid.")] = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only with an answer that is unknown.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for the customer.")] = False,
    review: Annotated[bool, typer.Option("--review", help="Only those in a gateway's review.")] = False,
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Only with a release or refund that failed, or a refund that came back.")
    ] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also payments that are over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List payments, the newest first; open ones unless another choice is given.

    Examples:
        bopis payments list
        bopis payments list --unknown
        bopis payments list --stuck --json
    """
    ctx = open_context(context, as_json)
    chosen = {
        Concern.OWED: owed,
        Concern.UNKNOWN: unknown,
        Concern.WAITING: waiting,
        Concern.REVIEW: review,
        Concern.STUCK: stuck,
    }
    named = [concern for concern, is_named in chosen.items() if is_named]
    if len(named) + all_ > 1:
        raise Usage(problem="Give one of --owed, --unknown, --waiting, --review, --stuck and --all.")
    concern = named[0] if named else None if all_ else Concern.OPEN
    with ctx.reader() as reader:
        found = _read(ctx, reader).find(concern, limit + 1)
    rows, more = [_row(it) for it in found[:limit]], len(found) > limit
    ctx.print_result({"payments": rows, "more": more}, lambda out: _render(ctx, out, rows, more))


def owed(context: typer.Context, as_json: AsJson = False) -> None:
    """List goods that left a store and are not paid: how much, why, and who acts; with totals per currency.

    A capture that is on its way is listed too and needs nobody; the totals name it apart.

    Examples:
        bopis payments owed
        bopis payments owed --json
    """
    ctx = open_context(context, as_json)
    with ctx.reader() as reader, ctx.known_orders() as known:
        payments = _read(ctx, reader).find(Concern.OWED)
        orders = read_book(reader, known) if payments else None
        stores = {it.order: order.store for it in payments if orders and (order := orders.get(it.order))}
    rows: list[dict[str, Any]] = [
        {
            "order": payment.order,
            "shown": shown(payment.order),
            "store": stores.get(payment.order, ""),
            "amount": debt.amount,
            "currency": payment.currency,
            "because": debt.because,
            "who": debt.who,
        }
        for payment in payments
        for debt in debts(payment)
    ]
    totals: dict[str, dict[str, int]] = defaultdict(lambda: {"owed": 0, "for_people": 0})
    for payment in payments:
        totals[payment.currency]["owed"] += payment.owed
        totals[payment.currency]["for_people"] += debts_for_people(payment)

    def render(out: Console) -> None:
        if not rows:
            out.print("Nothing is owed.")
            return
        grid = table("order", "store", "owed", "why", "who acts")
        for row in rows:
            owing = plain_amount(row["amount"], row["currency"])
            grid.add_row(row["shown"], row["store"], owing, row["because"], row["who"])
        out.print(grid)
        for currency, total in sorted(totals.items()):
            people = plain_amount(total["for_people"], currency)
            print_line(out, f"total {plain_amount(total['owed'], currency)}, of which people have to act on {people}")

    ctx.print_result({"owed": rows, "totals": dict(totals)}, render)


def _read(ctx: CommandContext, reader: Log) -> PaymentBook:
    """All payments. Raises `TopicMissing` where there are no topics of payments yet."""
    ctx.require_topics(reader, PAYMENT_STATE_TOPIC)
    ctx.warn_if_idle()
    book = PaymentBook(reader)
    book.refresh()
    note_skipped(ctx, book)
    return book


def _row(payment: Payment) -> dict[str, Any]:
    return {
        "order": payment.order,
        "shown": shown(payment.order),
        "status": status_of(payment).value,
        "concerns": [it.value for it in concerns_of(payment)],
        "currency": payment.currency,
        "open": payment.open,
        "authorised": sum(it.rest for it in payment.attempts),
        "captured": payment.captured,
        "refunded": payment.refunded,
        "owed": payment.owed,
        "attempts": len(payment.attempts),
        "opened_at": iso(payment.opened_ms),
    }


def _render(ctx: CommandContext, out: Console, rows: list[dict[str, Any]], more: bool) -> None:
    if not rows:
        ctx.note("No payments. --all also lists those that are over.")
        return
    grid = table("order", "state", "to hand over", "authorised", "captured", "refunded", "owed", "attempts", "look at")
    for row in rows:
        sums = (row[name] for name in ("open", "authorised", "captured", "refunded", "owed"))
        texts = [plain_amount(it, row["currency"]) if it else "-" for it in sums]
        concerns = ", ".join(it.replace("_", " ") for it in row["concerns"])
        grid.add_row(row["shown"], row["status"].replace("_", " "), *texts, str(row["attempts"]), concerns)
    out.print(grid)
    if more:
        ctx.note("... and more: give --limit.")
