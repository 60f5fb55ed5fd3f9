"""`bopis pickup scan` and `bopis pickup walk`: work with a scanner, and picking of several orders in one walk."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.adapters.barcodes import gtin14
from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import Conflict
from bopis.cli.app.render import counted, print_line, table
from bopis.cli.order.session import (
    OrderSession,
    Presentation,
    event_rows,
    order_session,
    presentation_of,
    require_store,
)
from bopis.cli.pickup.prepare import units_by_sku
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import AssignPicker, RecordPick
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState
from bopis.domain.quantities import quantity_text
from bopis.services.counter.errors import CounterError
from bopis.services.counter.guidance import guidance
from bopis.services.counter.order_lookup import OrderBook
from bopis.services.counter.pick_walk import needs, share_out
from bopis.services.counter.pick_walk import walk as stops_of
from bopis.services.counter.scanner import Scanner, ScanResult
from bopis.services.exchange import Reply

PROMPT = "> "
HELP_MARK = "?"
SCAN_HELP = (
    "Order number: choose it, and accept it. GTIN or SKU: one unit is picked. !SKU: one unit is missing. "
    "@PLACE: staged there. Six digits or QR code: hand over. Empty line: end."
)


def scan(context: typer.Context, store: StoreId, as_json: AsJson = False) -> None:
    """Work with a scanner: read codes line by line and print the next step; an empty line or end of input ends it.

    An order number chooses the order and accepts it; a GTIN or SKU picks one unit of it; @PLACE stages it there; the
    six digits or the QR code of the customer hand it over; !SKU records one unit as missing, ? shows these codes.

    Examples:
        bopis pickup scan 319
        bopis pickup scan 319 --json < codes.txt
    """
    ctx = open_context(context, as_json)
    rows: list[dict[str, Any]] = []
    with ctx.vault() as vault, order_session(ctx) as session:
        require_store(ctx, session.reader, store)
        presentation = presentation_of(session.reader, store)
        scanner, book = Scanner(store, presentation.catalogue, gtin14, vault), OrderBook(session.reader)
        for text in _codes(ctx.json):
            if text.strip() == HELP_MARK:
                ctx.note(SCAN_HELP)
                continue
            book.refresh()
            read = scanner.read(text, {order.order: order for order in book.in_store(store)})
            row = _scanned(session, book, read, presentation)
            rows.append(row)
            if not ctx.json:
                _render(ctx.out, row)
    ctx.print_result({"store": store, "scans": rows}, lambda _: None)
    if ctx.json and any(row["problem"] for row in rows):
        raise typer.Exit(Conflict.exit_code)


def walk(
    context: typer.Context,
    store: StoreId,
    orders: Annotated[
        list[str] | None,
        typer.Argument(metavar="ORDER", help="Only these orders; by default all to be picked."),
    ] = None,
    found: Annotated[
        list[str] | None, typer.Option(metavar="SKU=NUMBER", help="Units found on the walk; repeat for more.")
    ] = None,
    missing: Annotated[
        list[str] | None, typer.Option(metavar="SKU=NUMBER", help="Units missing; repeat for more.")
    ] = None,
    picker: Annotated[str, typer.Option(metavar="NAME", help="Assign this picker to each order.")] = "",
    as_json: AsJson = False,
) -> None:
    """Pick several orders in one walk: one list by SKU; units found are distributed by due time.

    Without --found and --missing the list is printed and nothing is changed, except by --picker.

    Examples:
        bopis pickup walk 319 --picker kim
        bopis pickup walk 319 --found 4011=6 --missing 852159=1
    """
    ctx = open_context(context, as_json)
    with order_session(ctx) as session:
        require_store(ctx, session.reader, store)
        book = session.book()
        chosen = [book.named(number) for number in orders] if orders else book.in_store(store)
        wanted = [need for order in chosen for need in needs(order, store)]
        presentation = presentation_of(session.reader, store)
        picked, lacking = (units_by_sku(presentation.catalogue, words or []) for words in (found, missing))
        shares = share_out(wanted, picked, lacking, presentation.catalogue)
        replies = _assign(session, store, {need.order for need in wanted}, picker) + _record(session, store, shares)
        about = {order.order: presentation.about(order) for order in chosen}
        rows = [_reply_row(reply, about.get(reply.sent.message.subject, presentation)) for reply in replies]
        book.refresh()
        now = [book.get(order.order) or order for order in chosen]
        left = [need for order in now for need in needs(order, store)]
        unaccepted = [it for it in now if any(line.state is LineState.PROMISED for line in it.in_store(store))]
    stops = [
        {
            "sku": stop.sku,
            "name": presentation.catalogue.name(stop.sku),
            "units": stop.units,
            "unit": presentation.catalogue.unit(stop.sku),
            "orders": stop.orders,
        }
        for stop in stops_of(left)
    ]

    def render(out: Console) -> None:
        for row in rows:
            for event in row["events"]:
                print_line(out, f"{row['shown']}  {event['said']}")
        _render_walk(out, stops)
        if unaccepted:
            waits = f"{counted(len(unaccepted), 'order')} {'waits' if len(unaccepted) == 1 else 'wait'} to be accepted"
            ctx.note(f"{waits}: {', '.join(waiting)} (bopis pickup accept ORDER)")
        elif not stops:
            ctx.note("Nothing left to pick.")

    waiting = [shown(it.order) for it in unaccepted]
    ctx.print_result({"store": store, "recorded": rows, "left": stops, "unaccepted": waiting}, render)


def _codes(quiet: bool) -> Iterator[str]:
    """The lines of standard input up to an empty one, with a prompt on a terminal."""
    prompts = sys.stdin.isatty() and not quiet
    while True:
        if prompts:
            sys.stderr.write(PROMPT)
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line.strip():
            return
        yield line


def _scanned(session: OrderSession, book: OrderBook, read: ScanResult, presentation: Presentation) -> dict[str, Any]:
    """Send the command of a code that was read; returns its conclusions and the next steps."""
    row: dict[str, Any] = {
        "kind": read.kind.value,
        "order": read.order,
        "shown": shown(read.order) if read.order else "",
        "problem": read.problem,
        "events": [],
        "next": [],
    }
    reply = None
    if read.command is not None:
        try:
            reply = session.desk.command(read.order, read.command)
        except CounterError as error:
            row["problem"] = str(error)
    book.refresh()
    order = book.get(read.order) if read.order else None
    if reply is not None:
        row["events"] = event_rows(reply, (presentation if order is None else presentation.about(order)).words)
    if order is not None:
        row["next"] = guidance(order, presentation.catalogue)
    return row


def _render(out: Console, row: dict[str, Any]) -> None:
    head = f"{row['shown']}  " if row["shown"] else ""
    for event in row["events"]:
        print_line(out, f"{head}{event['said']}")
    if row["problem"]:
        out.print(f"! {row['problem']}", markup=False, soft_wrap=True, style="bold red")
    for step in row["next"]:
        print_line(out, f"{head}-> {step}")


def _assign(session: OrderSession, store: str, numbers: set[str], picker: str) -> list[Reply]:
    if not picker:
        return []
    return [session.desk.command(number, AssignPicker(store=store, picker=picker)) for number in sorted(numbers)]


def _record(session: OrderSession, store: str, shares: dict[str, tuple[PickedLine, ...]]) -> list[Reply]:
    return [session.desk.command(order, RecordPick(store=store, lines=lines)) for order, lines in shares.items()]


def _reply_row(reply: Reply, presentation: Presentation) -> dict[str, Any]:
    number = reply.sent.message.subject
    return {"order": number, "shown": shown(number), "events": event_rows(reply, presentation.words)}


def _render_walk(out: Console, stops: list[dict[str, Any]]) -> None:
    if not stops:
        return
    grid = table("SKU", "name", "units", "for")
    for stop in stops:
        orders = ", ".join(f"{shown(order)} {quantity_text(units, stop['unit'])}" for order, units in stop["orders"])
        grid.add_row(stop["sku"], stop["name"], quantity_text(stop["units"], stop["unit"]), orders)
    out.print(grid)
