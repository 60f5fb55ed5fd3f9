"""Orders: place one, look at them, ask why, cancel, answer for the customer."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands import order_place, order_why
from bopis.commands.counter import (
    ORDER,
    Id,
    answer,
    door,
    next_told,
    say,
    surroundings,
    vault_of,
)
from bopis.commands.errors import Usage
from bopis.commands.order_access import open_book
from bopis.commands.order_words import COMPLETE_STORES
from bopis.commands.shell import AsJson, Shell, Yes, open_shell

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import Console

    from bopis.domain.orders.state import Order
    from bopis.services.catalogue import Catalogue

ERASED, UNKNOWN = "(erased)", "(nothing was told)"

app = typer.Typer(help="Pickup orders: place, list, show, why, cancel.", no_args_is_help=True)


class EndReasonName(StrEnum):
    """Why people cancel; a part of the core's own list."""

    CUSTOMER_WISH = "customer_wish"
    STORE_WISH = "store_wish"
    FRAUD_SUSPECTED = "fraud_suspected"
    OTHER = "other"


@app.command("list")
def list_(
    context: typer.Context,
    search: Annotated[str | None, typer.Argument(metavar="[BEGIN]", help="Begin of the number.")] = None,
    store: Annotated[
        str | None, typer.Option(help="Only orders of this store.", autocompletion=COMPLETE_STORES)
    ] = None,
    state: Annotated[str | None, typer.Option(help="Only orders in this state, for example ready.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also orders that have ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List orders, the newest first: those that are open, unless told otherwise."""
    from bopis.domain.orders.numbers import MISREAD
    from bopis.domain.orders.state import LineState
    from bopis.ports import OrdersWanted

    shell = open_shell(context, as_json)
    if state is not None and state not in set(LineState):
        raise Usage(problem=f"No state {state!r}. There are: {', '.join(LineState)}.")
    wanted = OrdersWanted(
        begin=(search or "").upper().translate(MISREAD),
        store=store,
        state=None if state is None else LineState(state),
        ended=ended or state is not None,
    )
    with open_book(shell) as (_, book):
        found = book.find(wanted, limit + 1)
    rows, more = [_row(it) for it in found[:limit]], len(found) > limit
    shell.answer({"orders": rows, "more": more}, lambda out: _render_rows(shell, out, rows, more))


@app.command()
def show(
    context: typer.Context,
    order: ORDER,
    customer: Annotated[bool, typer.Option("--customer", help="Show name and contact in full, not masked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one order: its lines, where it stands in each store, tasks, and what comes next."""
    from bopis.domain.orders.numbers import shown

    shell = open_shell(context, as_json)
    with door(shell) as way:
        found = way.order(order)
        zone, catalogue = surroundings(way, found)
    person = opened(shell, found, in_full=customer)
    following = next_told(found, catalogue)
    document: dict[str, Any] = {
        "order": found.order,
        "shown": shown(found.order),
        **_facts(found, catalogue),
        "next": following,
    }
    document["customer"] = {"id": found.customer.id, "language": found.customer.language, **(person or {})}
    document["customer"]["erased"] = person is None

    def render(out: "Console") -> None:
        _render_order(out, found, catalogue, zone)
        told = ", ".join(f"{name}: {value}" for name, value in (person or {}).items())
        out.print(f"customer  {told or (ERASED if person is None else UNKNOWN)}", markup=False, soft_wrap=True)
        for words in following:
            shell.say(f"next: {words}")

    shell.answer(document, render)


@app.command()
def cancel(
    context: typer.Context,
    order: ORDER,
    lines: Annotated[list[int] | None, typer.Argument(metavar="[LINE]...", help="Only these lines.")] = None,
    reason: Annotated[EndReasonName, typer.Option(help="Why.")] = EndReasonName.CUSTOMER_WISH,
    message_id: Id = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel an order, or lines of it: holds are given back at once, picked goods raise a put-back task."""
    from bopis.domain.orders.messages import CancelOrder
    from bopis.domain.orders.numbers import shown
    from bopis.domain.orders.terms import By, EndReason

    shell = open_shell(context, as_json)
    by = By.CUSTOMER if reason is EndReasonName.CUSTOMER_WISH else By.STAFF
    with door(shell) as way:
        found = way.order(order)
        which = "" if not lines else f", lines {', '.join(map(str, lines))}"
        shell.confirm(f"cancel order {shown(found.order)}{which}", yes)
        body = CancelOrder(by=by, reason=EndReason(reason.value), lines=tuple(lines or ()))
        answer(way, way.desk.say(found.order, body, message_id))


@app.command("answer")
def answer_(
    context: typer.Context,
    order: ORDER,
    take: Annotated[
        str | None, typer.Option(metavar="STORE", help="The customer takes this store.", autocompletion=COMPLETE_STORES)
    ] = None,
    refuse: Annotated[bool, typer.Option("--refuse", help="The customer takes none of the offered stores.")] = False,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Answer an offer of other stores for the customer, at the telephone or at the counter."""
    from bopis.domain.orders.messages import AcceptAlternative, RefuseAlternative

    if (take is None) is not refuse:
        raise Usage(problem="Say either --take STORE or --refuse.")

    def body(found: "Order", _: Any) -> "AcceptAlternative | RefuseAlternative":
        attempt = found.offers[0].attempt if found.offers else 1
        return RefuseAlternative(attempt=attempt) if take is None else AcceptAlternative(attempt=attempt, store=take)

    say(open_shell(context, as_json), order, body, message_id)


def opened(shell: Shell, order: "Order", *, in_full: bool) -> dict[str, str] | None:
    """Who the customer is: masked unless asked for in full; None once the customer was erased."""
    from bopis.services.counter.masking import masked

    if not order.customer.sealed:
        return {}
    vault = vault_of(shell)
    try:
        told = vault.open(order.customer.id, order.customer.sealed)
        note = vault.open(order.customer.id, order.note) if order.note else {}
    finally:
        vault.close()
    if told is None:
        return None
    fields = told | (note or {})
    return fields if in_full else {name: masked(name, value) for name, value in fields.items()}


def _row(order: "Order") -> dict[str, Any]:
    from bopis.commands.tables import iso
    from bopis.domain.orders.numbers import shown

    ready_by = max((it.ready_by_ms for it in order.work), default=0)
    return {
        "order": order.order,
        "shown": shown(order.order),
        "state": order.state.value,
        "store": order.store,
        "stores": list(dict.fromkeys(it.store for it in order.live if it.store)),
        "lines": len(order.lines),
        "units": sum(it.quantity for it in order.lines),
        "placed_at": iso(order.placed_ms),
        "ready_by": iso(ready_by),
    }


def _render_rows(shell: Shell, out: "Console", rows: list[dict[str, Any]], more: bool) -> None:
    from bopis.commands.tables import table

    if not rows:
        shell.say("No orders. `bopis order place` takes one; --ended also shows those that have ended.")
        return
    grid = table("order", "state", "store", "lines", "units", "placed", "ready by")
    for it in rows:
        stores = ", ".join(it["stores"]) or it["store"]
        cells = (it["shown"], it["state"].replace("_", " "), stores, str(it["lines"]), str(it["units"]))
        grid.add_row(*cells, _short(it["placed_at"]), _short(it["ready_by"]))
    out.print(grid)
    if more:
        shell.say("... and more: give --limit, --store or the begin of a number.")


def _short(instant: str | None) -> str:
    return "-" if instant is None else instant[:16].replace("T", " ") + "Z"


def _facts(order: "Order", catalogue: "Catalogue") -> dict[str, Any]:
    import msgspec

    plain = msgspec.to_builtins(order)
    left_out = {"seen", "key", "request", "code", "customer", "note"}
    facts: dict[str, Any] = {name: value for name, value in plain.items() if name not in left_out}
    for line in facts.get("lines", ()):
        line["name"] = catalogue.name(line["sku"])
    return facts | {"state": order.state.value, "code_tries": order.code.tries}


def _render_order(out: "Console", order: "Order", catalogue: "Catalogue", zone: "tzinfo") -> None:
    from bopis.commands.tables import plain, table
    from bopis.domain.orders.numbers import shown
    from bopis.services.counter.words import Words

    at = Words(zone).at
    head = f"{shown(order.order)}  {order.state.value.replace('_', ' ')}, for store {order.store}, placed "
    out.print(f"{head}{at(order.placed_ms)}, {order.payment.value.replace('_', ' ')}", markup=False, soft_wrap=True)
    grid = table("line", "SKU", "name", "units", "state", "store", "from line")
    for it in order.lines:
        parent = str(it.parent) if it.parent else ""
        state = it.state.value.replace("_", " ")
        grid.add_row(
            str(it.line), plain(it.sku), plain(catalogue.name(it.sku)), str(it.quantity), state, it.store, parent
        )
    out.print(grid)
    for work in order.work:
        told = [f"ready by {at(work.ready_by_ms)}"]
        told += [f"picker {work.picker}"] if work.picker else []
        told += [f"staged at {work.location}"] if work.location else []
        told += [f"kept until {at(work.window_end_ms)}"] if work.window_end_ms else []
        told += [f"customer at the {work.where.value} {work.spot}".strip()] if work.where is not None else []
        out.print(f"store {work.store}: {', '.join(told)}", markup=False, soft_wrap=True)


def register(root: typer.Typer) -> None:
    app.command()(order_place.place)
    app.command()(order_why.why)
    root.add_typer(app, name="order")
