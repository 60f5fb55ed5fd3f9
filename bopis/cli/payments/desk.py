"""The payment desk: ask again, release, refund, add a method, record money taken in a store, believe the gateway."""

import asyncio
from typing import Annotated

import typer

from bopis.adapters.gateways.installed import installed_gateways
from bopis.cli.app.choices import choice_option
from bopis.cli.app.context import AsJson, CommandContext, MessageId, Yes, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.order.lookup import OrderNumber
from bopis.cli.payments.session import Reason, payment_session, read_amount, require_reason, send_to_payment
from bopis.domain.orders.numbers import shown
from bopis.domain.payments.gateway import GatewayEntry, MethodKind, PaymentMethod
from bopis.domain.payments.messages import (
    AddMethod,
    DeskCommand,
    RecordPaidInStore,
    RefundPayment,
    RetryPayment,
    SettleUnknown,
    VoidPayment,
)
from bopis.domain.payments.money import plain_amount
from bopis.domain.payments.reconcile import adoption
from bopis.domain.payments.state import Payment
from bopis.services.payments.errors import EntryUnknown, PaymentNotChanged
from bopis.services.payments.reconciliation import read_entries

# Money in the store is recorded by `paid-in-store`.
ONLINE = tuple(kind for kind in MethodKind if kind is not MethodKind.PAY_IN_STORE)
AttemptOption = Annotated[int, typer.Option("--attempt", min=1, help="Number of the attempt in `payments show`.")]


def retry(
    context: typer.Context,
    order: OrderNumber,
    reason: Reason,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Ask again now: what waits, what failed or came back, or every method from the first one.

    Examples:
        bopis payments retry N6PV --reason "the bank is back"
        bopis payments retry N6PV --reason "new card limit" --json
    """
    _send(open_context(context, as_json), order, RetryPayment(reason=_reason(reason)), message_id)


def void(
    context: typer.Context,
    order: OrderNumber,
    reason: Reason,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Release what is authorised and no longer needed, where that failed before. Nothing that is needed is released.

    Examples:
        bopis payments void N6PV --reason "customer complains of a pending charge"
        bopis payments void N6PV --reason "second card" --json
    """
    _send(open_context(context, as_json), order, VoidPayment(reason=_reason(reason)), message_id)


def refund(
    context: typer.Context,
    order: OrderNumber,
    reason: Reason,
    amount: Annotated[
        str, typer.Option(metavar="AMOUNT", help="In the order's currency: 12.50; without it all that was captured.")
    ] = "",
    attempt: Annotated[int, typer.Option(min=0, help="Only of this attempt's charge; 0: of all of them.")] = 0,
    message_id: MessageId = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Refund money without goods coming back; together never more than was captured.

    Goods that come back are refunded by `bopis pickup return`.

    Examples:
        bopis payments refund N6PV --amount 12.50 --reason "bruised fruit"
        bopis payments refund N6PV --attempt 2 --reason "charged twice" --yes
    """
    ctx = open_context(context, as_json)
    require_reason(reason)
    with payment_session(ctx) as session:
        payment = session.payment(order)
        asked = read_amount(amount, payment.currency) if amount else None
        named = "all that was captured" if asked is None else plain_amount(asked, payment.currency)
        ctx.confirm(f"refund {named} of order {shown(payment.order)}", "not refunded", yes)
        body = RefundPayment(reason=reason, amount=asked, attempt=attempt)
        send_to_payment(session, payment, body, message_id)


def add_method(
    context: typer.Context,
    order: OrderNumber,
    token: Annotated[str, typer.Option(metavar="TOKEN", help="The gateway's token; never a card number.")],
    kind: Annotated[MethodKind, choice_option(ONLINE, "Kind of the method.")] = MethodKind.CARD,
    gateway: Annotated[str, typer.Option(metavar="NAME", help="Who is asked; by default the usual gateway.")] = "",
    hint: Annotated[str, typer.Option(metavar="TEXT", help="As people know it: Visa ···· 4242.")] = "",
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Add another method of the customer's, for example after every other one was declined.

    Examples:
        bopis payments add-method N6PV --token tok_ok
        bopis payments add-method N6PV --token gift_ANNA_5000 --kind gift_card
    """
    method = PaymentMethod(kind=kind, token=token, gateway=gateway, hint=hint)
    _send(open_context(context, as_json), order, AddMethod(method=method), message_id)


def paid_in_store(
    context: typer.Context,
    order: OrderNumber,
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="What was paid, in the order's currency: 12.50.")],
    receipt: Annotated[str, typer.Option(metavar="NUMBER", help="Number of the till's receipt.")],
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record money that the customer paid at a till, before the goods are handed over.

    What is authorised otherwise cannot be paid a second time: it is refused.

    Examples:
        bopis payments paid-in-store N6PV --amount 12.50 --receipt 4711
        bopis payments paid-in-store N6PV --amount 8 --receipt T3-0815 --json
    """
    ctx = open_context(context, as_json)
    with payment_session(ctx) as session:
        payment = session.payment(order)
        body = RecordPaidInStore(amount=read_amount(amount, payment.currency), receipt=receipt)
        send_to_payment(session, payment, body, message_id)


def settle_unknown(
    context: typer.Context,
    order: OrderNumber,
    attempt: AttemptOption,
    reason: Reason,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Close an attempt whose answer stays unknown, because the gateway's own list has nothing of it.

    `bopis payments reconcile` proposes it. Without that evidence it must not be used.

    Examples:
        bopis payments settle-unknown N6PV --attempt 1 --reason "not in the list"
        bopis payments settle-unknown N6PV --attempt 2 --reason "reconciliation"
    """
    body = SettleUnknown(attempt=attempt, reason=_reason(reason))
    _send(open_context(context, as_json), order, body, message_id)


def adopt(
    context: typer.Context,
    order: OrderNumber,
    reference: Annotated[str, typer.Option(metavar="REFERENCE", help="The gateway's own name of the authorisation.")],
    reason: Reason,
    gateway: Annotated[str, typer.Option(metavar="NAME", help="The gateway; by default the usual one.")] = "",
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Take over what the gateway's list says of one authorisation: a charge or refund that only it knows, or an end.

    `bopis payments reconcile` proposes it. The sums are read from the gateway, not typed. No money moves by it; a
    charge that was taken twice can be refunded afterwards.

    Examples:
        bopis payments adopt N6PV --reference auth-12 --reason "reconciliation"
        bopis payments adopt N6PV --reference pi_3Q --gateway stripe --reason "twice"
    """
    ctx = open_context(context, as_json)
    require_reason(reason)
    with payment_session(ctx) as session:
        payment = session.payment(order)
        name, entry = asyncio.run(_listed(ctx, payment, gateway, reference))
        body = adoption(payment, entry, name, reason)
        if body is None:
            raise PaymentNotChanged(why=f"The books of order {shown(payment.order)} know all that the gateway says.")
        send_to_payment(session, payment, body, message_id)


async def _listed(ctx: CommandContext, payment: Payment, name: str, reference: str) -> tuple[str, GatewayEntry]:
    """The entry of a reference in a gateway's list, and the gateway's name. Raises `EntryUnknown`."""
    gateways = installed_gateways(ctx.settings)
    try:
        chosen = name or gateways.names[0]
        entries = await read_entries(gateways.named(chosen), payment.opened_ms)
    finally:
        await gateways.close()
    entry = next((it for it in entries if it.reference == reference), None)
    if entry is None:
        raise EntryUnknown(gateway=chosen, reference=reference)
    if entry.order and entry.order != payment.order:
        raise Usage(problem=f"{reference} is of order {entry.order}, not of {shown(payment.order)}.")
    return chosen, entry


def _send(ctx: CommandContext, order: str, body: DeskCommand, message_id: str | None) -> None:
    with payment_session(ctx) as session:
        send_to_payment(session, session.payment(order), body, message_id)


def _reason(text: str) -> str:
    require_reason(text)
    return text
