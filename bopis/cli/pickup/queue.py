"""`bopis pickup queue`: the work of a store, the most urgent first."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console, RenderableType
from rich.table import Table

from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.app.interrupts import interruptible
from bopis.cli.app.render import iso, table
from bopis.cli.order.lookup import open_book
from bopis.cli.order.session import require_store, zone_of_store
from bopis.cli.pickup.at_agent import shop_agent
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.store_queue import NEVER_MS, WorkItem
from bopis.domain.orders.store_queue import queue as work_of
from bopis.domain.orders.vocabulary import PaymentState
from bopis.domain.payments.money import plain_amount
from bopis.services.catalogue import NO_CATALOGUE, Catalogue, read_catalogue
from bopis.services.counter.order_lookup import OrderBook

WATCH_SECONDS = 1.0
NOT_PAID = {
    PaymentState.AUTHORISING: "being authorised",
    PaymentState.DECLINED: "being authorised",
    PaymentState.LAPSED: "lapsed",
}
STYLES = {"red": "bold red", "yellow": "yellow", "green": "green", "grey": "dim"}


def queue(
    context: typer.Context,
    store: StoreId,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print it again whenever something changes, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the work of a store by due time: customers at the counter first, late work in red.

    Examples:
        bopis pickup queue 319
        bopis pickup queue 319 --watch
    """
    ctx = open_context(context, as_json)
    if watch and as_json:
        raise Usage(problem="--json prints one document and cannot be combined with --watch; repeat the command.")
    if (agent := shop_agent(ctx)) is not None and not watch:
        agent.queue(store)
        return
    with open_book(ctx) as (reader, book):
        require_store(ctx, reader, store)
        screen = QueueScreen(store, zone_of_store(reader, store), read_catalogue(reader))
        _show(ctx, entries_of(book, store), screen._replace(unpaid=unpaid_in(book, store)))
        with interruptible():
            while watch:
                time.sleep(WATCH_SECONDS)
                if book.refresh():
                    _show(ctx, entries_of(book, store), screen._replace(unpaid=unpaid_in(book, store)))


def entries_of(book: OrderBook, store: str) -> list[WorkItem]:
    """The queue of a store now."""
    return work_of(book.in_store(store), store, now_ms())


def unpaid_in(book: OrderBook, store: str) -> dict[str, str]:
    """Orders of a store whose payment is not decided or has lapsed, each with its state in a word: nothing of them can
    be handed over yet."""
    orders = (it for it in book.in_store(store) if it.methods and it.payment in NOT_PAID)
    return {it.order: NOT_PAID[it.payment] for it in orders}


class QueueScreen(NamedTuple):
    """What a queue is shown with: the store, its clock, names and units of SKUs, and orders that are not paid for."""

    store: str
    zone: tzinfo
    catalogue: Catalogue = NO_CATALOGUE
    unpaid: Mapping[str, str] = MappingProxyType({})


def _show(ctx: CommandContext, entries: list[WorkItem], screen: QueueScreen) -> None:
    store, zone = screen.store, screen.zone

    def render(out: Console) -> None:
        if out.is_terminal:
            out.print(f"Store {store} at {datetime.now(zone):%H:%M:%S}", markup=False)
        if entries:
            out.print(grid(entries, screen))
        else:
            ctx.note("Nothing to do.")

    ctx.print_result({"store": store, "work": [_row(entry, screen) for entry in entries]}, render)


def _row(entry: WorkItem, screen: QueueScreen) -> dict[str, Any]:
    return entry_row(entry) | {"unpaid": screen.unpaid.get(entry.order, "")}


def grid(entries: list[WorkItem], screen: QueueScreen) -> Table:
    """The queue as a table of at most eighty columns; amounts and customers only where there are any."""
    has_pay = any(entry.to_pay_cents or entry.order in screen.unpaid for entry in entries)
    has_customers = any(entry.where for entry in entries)
    extra = [*(["to pay"] if has_pay else []), *(["customer"] if has_customers else [])]
    rows = table("order", "next", "due", "units", "who", "goods", *extra)
    now = now_ms()
    for entry in entries:
        cells: list[RenderableType] = [screen.catalogue.total(entry.goods), entry.picker]
        cells.append(goods_text(entry, screen.catalogue))
        cells += [pay_text(entry) or screen.unpaid.get(entry.order, "")] if has_pay else []
        cells += [customer_text(entry)] if has_customers else []
        rows.add_row(
            shown(entry.order),
            step_text(entry),
            due_text(entry, screen.zone, now),
            *cells,
            style=STYLES[entry.colour.value],
        )
    return rows


def step_text(entry: WorkItem) -> str:
    """The next step; in capitals while the customer waits."""
    return entry.step.text.upper() if entry.waiting_since_ms else entry.step.text


def goods_text(entry: WorkItem, catalogue: Catalogue) -> str:
    """Where the goods are staged, or the article that a task is about."""
    return catalogue.name(entry.sku) if entry.sku else entry.location


def customer_text(entry: WorkItem) -> str:
    """Where the customer waits; empty before they have arrived."""
    return " ".join(part for part in (entry.where, entry.spot) if part)


def pay_text(entry: WorkItem) -> str:
    """What the customer still pays in the store; empty for nothing."""
    return plain_amount(entry.to_pay_cents, entry.currency) if entry.to_pay_cents else ""


def due_text(entry: WorkItem, zone: tzinfo, at_ms: int) -> str:
    """When work is due: the time for today, day and time for later, how many minutes it is late, and how long the
    customer has been waiting."""
    if entry.waiting_since_ms:
        return f"waiting {max(0, at_ms - entry.waiting_since_ms) // 60_000} min"
    if entry.due_ms >= NEVER_MS:
        return ""
    due = datetime.fromtimestamp(entry.due_ms / 1000, zone)
    is_today = due.date() == datetime.fromtimestamp(at_ms / 1000, zone).date()
    text = due.strftime("%H:%M" if is_today else "%a %H:%M")
    late_minutes = (at_ms - entry.due_ms) // 60_000
    return f"{text} +{late_minutes} min" if late_minutes > 0 else text


def entry_row(entry: WorkItem) -> dict[str, Any]:
    """One entry for JSON; instants as RFC 3339."""
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    due_ms, since_ms = fields.pop("due_ms"), fields.pop("waiting_since_ms")
    due = None if due_ms >= NEVER_MS else iso(due_ms)
    return fields | {"shown": shown(entry.order), "due_at": due, "waiting_since": iso(since_ms)}


def now_ms() -> int:
    """This machine's clock; only colours depend on it, decisions use the log's."""
    return int(datetime.now(UTC).timestamp() * 1000)
