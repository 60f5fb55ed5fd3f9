"""`bopis pickup scan` and `bopis pickup walk`: the same work with a scanner, and for several orders in one walk."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.counter import STORE, Door, door, next_told, vault_of, zone_of_store
from bopis.commands.errors import Conflict
from bopis.commands.pickup_work import by_sku
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.services.catalogue import Catalogue
    from bopis.services.counter.desk import Answered
    from bopis.services.counter.orderbook import OrderBook
    from bopis.services.counter.scanning import Read

PROMPT = "> "


def scan(context: typer.Context, store: STORE, as_json: AsJson = False) -> None:
    """Work with a scanner: read codes line by line and say what comes next; an empty line or end of input ends it.

    An order number chooses the order and accepts it; a GTIN or SKU picks one unit of it; @PLACE stages it there; the
    six digits or the QR code of the customer hand it over.
    """
    from bopis.adapters.barcodes import gtin14
    from bopis.services.catalogue import read_catalogue
    from bopis.services.counter.orderbook import OrderBook
    from bopis.services.counter.scanning import Scanner

    shell = open_shell(context, as_json)
    told: list[dict[str, Any]] = []
    vault = vault_of(shell)
    try:
        with door(shell) as way:
            catalogue = read_catalogue(way.reader)
            zone = zone_of_store(way.reader, store)
            scanner, book = Scanner(store, catalogue, gtin14, vault), OrderBook(way.reader)
            for text in _codes(shell.json):
                book.refresh()
                read = scanner.read(text, {it.order: it for it in book.in_store(store)})
                row = _scanned(way, book, read, (catalogue, zone))
                told.append(row)
                if not shell.json:
                    _render(shell.out, row)
    finally:
        vault.close()
    shell.answer({"store": store, "scans": told}, lambda _: None)
    if shell.json and any(it["problem"] for it in told):
        raise typer.Exit(Conflict.exit_code)


def walk(
    context: typer.Context,
    store: STORE,
    orders: Annotated[
        list[str] | None, typer.Argument(metavar="[ORDER]...", help="Only these; left out, all that are to be picked.")
    ] = None,
    found: Annotated[
        list[str] | None, typer.Option(metavar="SKU=NUMBER", help="So much was found on the walk; repeat for more.")
    ] = None,
    missing: Annotated[
        list[str] | None, typer.Option(metavar="SKU=NUMBER", help="So much is not there; repeat for more.")
    ] = None,
    picker: Annotated[str, typer.Option(help="Who walks: given to each order.")] = "",
    as_json: AsJson = False,
) -> None:
    """Pick several orders in one walk: one list by SKU, and what was found shared out to them by due time.

    Without --found and --missing the list is printed and nothing is changed, but for --picker.
    """
    from bopis.services.counter.walking import needs, share_out
    from bopis.services.counter.walking import walk as one_walk

    shell = open_shell(context, as_json)
    with door(shell) as way:
        book = way.book()
        chosen = [book.named(it) for it in orders] if orders else book.in_store(store)
        wanted = [need for order in chosen for need in needs(order, store)]
        shares = share_out(wanted, by_sku(way, found or []), by_sku(way, missing or []))
        names, zone = _named(way, store)
        said = _give_out(way, store, {it.order for it in wanted}, picker) + _record(way, store, shares)
        rows = [_told(it, (names, zone)) for it in said]
        book.refresh()
        left = [need for order in chosen for need in needs(book.get(order.order) or order, store)]
    stops = [
        {"sku": it.sku, "name": names.name(it.sku), "units": it.units, "orders": it.orders} for it in one_walk(left)
    ]

    def render(out: "Console") -> None:
        for row in rows:
            for event in row["events"]:
                out.print(f"{row['shown']}  {event['said']}", markup=False, soft_wrap=True)
        _render_walk(out, stops)
        if not stops:
            shell.say("Nothing is left to pick.")

    shell.answer({"store": store, "recorded": rows, "left": stops}, render)


def _codes(quiet: bool) -> Iterator[str]:
    asks = sys.stdin.isatty() and not quiet
    while True:
        if asks:
            sys.stderr.write(PROMPT)
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line.strip():
            return
        yield line


def _scanned(way: Door, book: "OrderBook", read: "Read", place: "tuple[Catalogue, Any]") -> dict[str, Any]:
    """Say what a code asks for, and tell what came of it and what comes next."""
    from bopis.domain.orders.numbers import shown
    from bopis.services.counter.errors import CounterError

    catalogue, _ = place
    row: dict[str, Any] = {
        "kind": read.kind.value,
        "order": read.order,
        "shown": shown(read.order) if read.order else "",
        "problem": read.problem,
        "events": [],
        "next": [],
    }
    if read.says is not None:
        try:
            row["events"] = _told(way.desk.say(read.order, read.says), place)["events"]
        except CounterError as error:
            row["problem"] = str(error)
    book.refresh()
    order = book.get(read.order) if read.order else None
    if order is not None:
        row["next"] = next_told(order, catalogue)
    return row


def _render(out: "Console", row: dict[str, Any]) -> None:
    head = f"{row['shown']}  " if row["shown"] else ""
    for event in row["events"]:
        out.print(f"{head}{event['said']}", markup=False, soft_wrap=True)
    if row["problem"]:
        out.print(f"! {row['problem']}", markup=False, soft_wrap=True, style="bold red")
    for words in row["next"]:
        out.print(f"{head}-> {words}", markup=False, soft_wrap=True)


def _named(way: Door, store: str) -> "tuple[Catalogue, Any]":
    from bopis.services.catalogue import read_catalogue

    return read_catalogue(way.reader), zone_of_store(way.reader, store)


def _give_out(way: Door, store: str, numbers: set[str], picker: str) -> "list[Answered]":
    from bopis.domain.orders.messages import AssignPicker

    if not picker:
        return []
    return [way.desk.say(it, AssignPicker(store=store, picker=picker)) for it in sorted(numbers)]


def _record(way: Door, store: str, shares: dict[str, Any]) -> "list[Answered]":
    from bopis.domain.orders.messages import RecordPick

    return [way.desk.say(order, RecordPick(store=store, lines=lines)) for order, lines in shares.items()]


def _told(answered: "Answered", place: "tuple[Catalogue, Any]") -> dict[str, Any]:
    from bopis.commands.counter import events_told
    from bopis.domain.orders.numbers import shown

    catalogue, zone = place
    number = answered.said.message.subject
    return {"order": number, "shown": shown(number), "events": events_told(answered, zone, catalogue)}


def _render_walk(out: "Console", stops: list[dict[str, Any]]) -> None:
    from bopis.commands.tables import plain, table
    from bopis.domain.orders.numbers import shown

    if not stops:
        return
    grid = table("SKU", "name", "units", "for")
    for it in stops:
        orders = ", ".join(f"{shown(order)} {units}" for order, units in it["orders"])
        grid.add_row(plain(it["sku"]), plain(it["name"]), str(it["units"]), orders)
    out.print(grid)
