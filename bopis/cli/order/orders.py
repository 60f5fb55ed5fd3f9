"""Orders: list, show and cancel them, answer an offer for the customer."""

from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.cli.app.choices import choice_option
from bopis.cli.app.completion import COMPLETE_STORES
from bopis.cli.app.context import AsJson, CommandContext, MessageId, Yes, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.app.render import iso, print_line, table
from bopis.cli.order.lookup import OrderNumber, number_prefix, open_book
from bopis.cli.order.session import (
    OrderLines,
    OrderSession,
    Presentation,
    customer_fields,
    order_session,
    presentation_of,
    print_reply,
    read_selection,
    require_store,
    selection_text,
    send_command,
    store_times,
)
from bopis.domain.orders.amounts import line_total, order_total, to_pay
from bopis.domain.orders.messages import AcceptAlternative, CancelOrder, RefuseAlternative
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.store_queue import locations_text
from bopis.domain.orders.vocabulary import EndReason, Initiator
from bopis.domain.payments.money import plain_amount
from bopis.ports import OrderFilter
from bopis.services.catalogue import Catalogue, read_catalogue
from bopis.services.counter.guidance import guidance
from bopis.services.counter.refusal_text import ended_text, payment_text
from bopis.services.counter.store_times import StoreTimes

ERASED, UNKNOWN = "(erased)", "(no contact given)"
# The other reasons are the system's.
CANCEL_REASONS = (EndReason.CUSTOMER_WISH, EndReason.STORE_WISH, EndReason.FRAUD_SUSPECTED, EndReason.OTHER)
PRIVATE_FIELDS = frozenset({"seen", "key", "request", "code", "customer", "note"})


def list_(
    context: typer.Context,
    search: Annotated[str | None, typer.Argument(metavar="ORDER", help="First characters of the order number.")] = None,
    store: Annotated[
        str | None, typer.Option(metavar="STORE", help="Only orders of this store.", autocompletion=COMPLETE_STORES)
    ] = None,
    state: Annotated[
        LineState | None,
        typer.Option(metavar="STATE", help=f"Only orders in this state: {', '.join(LineState)}."),
    ] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also orders that have ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List orders, the newest first; open ones unless --ended or --state is given.

    Examples:
        bopis order list --store 319
        bopis order list --state ready --json
    """
    ctx = open_context(context, as_json)
    criteria = OrderFilter(prefix=number_prefix(search), store=store, state=state, ended=ended or state is not None)
    with open_book(ctx) as (reader, book):
        if store is not None:
            require_store(ctx, reader, store)
        orders = book.find(criteria, limit + 1)
        listed = [store or "", *(order.store for order in orders[:limit])]
        times = store_times(reader, listed[0] or next(iter(listed[1:]), "")).among(listed[1:])
        catalogue = read_catalogue(reader)
    rows, more = [_row(order, times, catalogue) for order in orders[:limit]], len(orders) > limit
    ctx.print_result({"orders": rows, "more": more}, lambda out: _render_rows(ctx, out, rows, more))


def show(
    context: typer.Context,
    order: OrderNumber,
    customer: Annotated[bool, typer.Option("--customer", help="Show name and contact in full, not masked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one order: its lines, its status in each store, its tasks, and what to do next.

    Examples:
        bopis order show 7K3M
        bopis order show 7K3M --customer
    """
    ctx = open_context(context, as_json)
    with order_session(ctx) as session:
        found = session.order(order)
        presentation = presentation_of(session.reader, found.store).about(found)
    fields = customer_fields(ctx, found, in_full=customer)
    following = guidance(found, presentation.catalogue)
    document: dict[str, Any] = {
        "order": found.order,
        "shown": shown(found.order),
        **_facts(found, presentation.catalogue),
        "payment_text": payment_text(found, presentation.times),
        "next": following,
        "ended": ended_text(found, presentation.times, presentation.catalogue),
    }
    document["customer"] = {"id": found.customer.id, "language": found.customer.language, **(fields or {})}
    document["customer"]["erased"] = fields is None

    def render(out: Console) -> None:
        _render_order(out, found, presentation)
        if document["ended"]:
            print_line(out, document["ended"])
        contact = ", ".join(f"{name}: {value}" for name, value in (fields or {}).items())
        print_line(out, f"customer  {contact or (ERASED if fields is None else UNKNOWN)}")
        for step in following:
            ctx.note(f"next: {step}")

    ctx.print_result(document, render)


def cancel(
    context: typer.Context,
    order: OrderNumber,
    lines: OrderLines = None,
    reason: Annotated[EndReason, choice_option(CANCEL_REASONS, "Why.")] = EndReason.CUSTOMER_WISH,
    message_id: MessageId = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel an order, lines of it, or units of a line: holds are released, picked goods raise a put-back task.

    Examples:
        bopis order cancel 7K3M
        bopis order cancel 7K3M 1=1 --reason store_wish --yes
    """
    ctx = open_context(context, as_json)
    chosen = read_selection(lines)
    by = Initiator.CUSTOMER if reason is EndReason.CUSTOMER_WISH else Initiator.STAFF
    with order_session(ctx) as session:
        found = session.order(order)
        named = selection_text(chosen)
        which = f", {named}" if named else ""
        ctx.confirm(f"cancel order {shown(found.order)}{which}", "not cancelled", yes)
        body = CancelOrder(by=by, reason=reason, lines=chosen.lines, parts=chosen.parts)
        print_reply(session, session.desk.command(found.order, body, message_id))


def answer(
    context: typer.Context,
    order: OrderNumber,
    take: Annotated[
        str | None,
        typer.Option(metavar="STORE", help="The customer accepts this store.", autocompletion=COMPLETE_STORES),
    ] = None,
    refuse: Annotated[bool, typer.Option("--refuse", help="The customer refuses all stores offered.")] = False,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Answer an offer of other stores for the customer, on the telephone or at the counter.

    Examples:
        bopis order answer 7K3M --take 367
        bopis order answer 7K3M --refuse
    """
    if (take is None) is not refuse:
        raise Usage(problem="Give either --take STORE or --refuse.")

    def body(found: Order, _: OrderSession) -> AcceptAlternative | RefuseAlternative:
        attempt = found.offers[0].attempt if found.offers else 1
        return RefuseAlternative(attempt=attempt) if take is None else AcceptAlternative(attempt=attempt, store=take)

    send_command(open_context(context, as_json), order, body, message_id)


def _row(order: Order, times: StoreTimes, catalogue: Catalogue) -> dict[str, Any]:
    latest = max(order.work, key=lambda work: work.ready_by_ms, default=None)
    ready_by = latest.ready_by_ms if latest is not None else 0
    return {
        "order": order.order,
        "shown": shown(order.order),
        "state": order.state.value,
        "store": order.store,
        "stores": list(dict.fromkeys(line.store for line in order.live if line.store)),
        "lines": len(order.lines),
        "units": sum(line.quantity for line in order.lines),
        "units_text": catalogue.total(order.lines),
        "placed_at": iso(order.placed_ms),
        "ready_by": iso(ready_by),
        "placed_text": times.instant(order.placed_ms, order.store),
        "ready_by_text": times.instant(ready_by, latest.store if latest is not None else order.store),
    }


def _render_rows(ctx: CommandContext, out: Console, rows: list[dict[str, Any]], more: bool) -> None:
    if not rows:
        ctx.note("No orders. `bopis order place` places one; --ended also lists orders that have ended.")
        return
    grid = table("order", "state", "store", "lines", "units", "placed", "ready by")
    for row in rows:
        stores = ", ".join(row["stores"]) or row["store"]
        cells = (row["shown"], row["state"].replace("_", " "), stores, str(row["lines"]), row["units_text"])
        grid.add_row(*cells, row["placed_text"], row["ready_by_text"])
    out.print(grid)
    if more:
        ctx.note("... and more: give --limit, --store or the first characters of a number.")


def _facts(order: Order, catalogue: Catalogue) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(order).items() if name not in PRIVATE_FIELDS
    }
    for line, row in zip(order.lines, fields.get("lines", ()), strict=True):
        row["name"] = catalogue.name(line.sku)
        row["unit"] = catalogue.unit(line.sku)
        row["total_cents"] = line_total(line)
    total = order_total(order)
    fields["total_cents"] = total.cents if total is not None else None
    for work in fields.get("work", ()):
        due = to_pay(order, work["store"])
        work["to_pay_cents"] = due.cents if due is not None else None
        work["locations"] = locations_text(order.in_store(work["store"]), work.get("location", ""))
    return fields | {"state": order.state.value, "code_tries": order.code.tries}


def _render_order(out: Console, order: Order, presentation: Presentation) -> None:
    at, catalogue = presentation.times.instant, presentation.catalogue
    head = f"{shown(order.order)}  {order.state.value.replace('_', ' ')}, for store {order.store}, placed "
    print_line(out, f"{head}{at(order.placed_ms)}, {payment_text(order, presentation.times)}")
    is_priced = order_total(order) is not None
    grid = table("line", "SKU", "name", "units", *(["amount"] if is_priced else []), "state", "store", "from line")
    for line in order.lines:
        parent = str(line.parent) if line.parent else ""
        state = line.state.value.replace("_", " ")
        names = (line.sku, catalogue.name(line.sku))
        units = catalogue.quantity(line.quantity, line.sku)
        amount = [plain_amount(line_total(line), order.currency)] if is_priced else []
        grid.add_row(str(line.line), *names, units, *amount, state, line.store, parent)
    out.print(grid)
    for work in order.work:
        location = locations_text(order.in_store(work.store), work.location)
        until = presentation.times.until(work.window_end_ms, work.store)
        due = to_pay(order, work.store)
        facts = [f"ready by {at(work.ready_by_ms, work.store)}"] if work.ready_by_ms else []
        facts += [f"picker {work.picker}"] if work.picker else []
        facts += [f"staged at {location}"] if location else []
        facts += [f"kept until {until}"] if work.window_end_ms else []
        facts += [f"to pay {plain_amount(due.cents, due.currency)}"] if due is not None else []
        facts += [f"customer at the {work.where.value} {work.spot}".strip()] if work.where is not None else []
        if facts:
            print_line(out, f"store {work.store}: {', '.join(facts)}")
