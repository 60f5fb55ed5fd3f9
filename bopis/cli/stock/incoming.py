"""Incoming goods: announce a delivery, list expected goods and transfers."""

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import Connection

from bopis.cli.app.completion import COMPLETE_STORES, StoreId
from bopis.cli.app.context import AsJson, CommandContext, MessageId, NoWait, open_context
from bopis.cli.app.errors import ReadSideMissing, StoreUnknown, Usage
from bopis.cli.app.parse_lines import TypedLine, line_text
from bopis.cli.app.parse_time import read_future_time
from bopis.cli.app.readside import known_or_stocked, zone_of, zones_of
from bopis.cli.app.record_changes import ImportSummary
from bopis.cli.app.render import print_lines, table
from bopis.cli.app.row_files import DryRun, Encoding, IgnoreColumns
from bopis.cli.app.typed_articles import stock_lines, stocked_lines
from bopis.cli.stock.doubts import clock_of
from bopis.cli.stock.expected_file import announcement_changes, read_expected
from bopis.cli.stock.level_text import at_instant
from bopis.cli.stock.send import At, NewStore, SendOptions, print_sent, send
from bopis.domain.inventory.messages import ExpectationWithdrawn, StockExpected, StockLine
from bopis.readside import queries
from bopis.readside.queries.answers import IncomingAnswer, TransferAnswer
from bopis.services.catalogue import Catalogue

StoreOrAll = Annotated[
    str | None, typer.Argument(metavar="STORE", help="Store id; by default all.", autocompletion=COMPLETE_STORES)
]


def expect(
    context: typer.Context,
    store: StoreId,
    document: Annotated[str, typer.Argument(help="Number of the order or delivery note of the goods.")],
    lines: Annotated[
        list[str] | None, typer.Argument(metavar="SKU=NUMBER", help="All its lines, for example 4011=24.")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="When the goods will arrive, in the store's time zone.")
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="The delivery is no longer expected.")] = False,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The lines as a file (CSV, NDJSON, .xlsx) with columns sku and quantity."),
    ] = None,
    dry_run: DryRun = False,
    ignore_columns: IgnoreColumns = None,
    encoding: Encoding = None,
    at: At = None,
    message_id: MessageId = None,
    new_store: NewStore = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Announce a delivery: document, lines and date. A newer announcement replaces it, a receipt ends it.

    Examples:
        bopis stock expect 319 PO-7 4011=24 --on 2026-12-01
        bopis stock expect 319 PO-7 --file po-7.xlsx --on 2026-12-01 --dry-run
        bopis stock expect 319 PO-7 --withdraw
    """
    ctx = open_context(context, as_json)
    options = SendOptions(at, message_id, no_wait, new_store)
    if withdraw:
        if lines or on or file or dry_run:
            raise Usage(problem="--withdraw goes without lines, --file, --on and --dry-run.")
        result = send(ctx, store, ExpectationWithdrawn(document=document), [], options)
        print_sent(ctx, f"{document} is no longer expected in {store}", result)
        return
    if bool(lines) == bool(file) or on is None:
        problem = f"Give the lines of {document} and its date: SKU=NUMBER or --file, and --on DATE; or --withdraw."
        raise Usage(problem=problem)
    if file:
        read = stocked_lines(ctx, read_expected(ctx, file, ignore_columns, encoding))
    else:
        read = stock_lines(ctx, lines or (), least=1)
    instant = future_time_in(ctx, store, on)
    if dry_run:
        _show_changes(ctx, store, document, read)
        return
    units = tuple(StockLine(sku=it.sku, quantity=it.units) for it in read)
    body = StockExpected(document=document, lines=units, expected_at=instant)
    result = send(ctx, store, body, [it.sku for it in read], options)
    expected_at = at_instant(instant, clock_of(ctx, store))
    print_sent(ctx, f"{document} is expected in {store} at {expected_at}: {line_text(read)}", result)


def _show_changes(ctx: CommandContext, store: str, document: str, lines: list[TypedLine]) -> None:
    with ctx.snapshot() as snapshot:
        _check_store(snapshot, store)
        found = queries.expected(snapshot, store, now=datetime.now(UTC))
    changes = announcement_changes([it for it in found if it.document == document], lines)
    summary = ImportSummary(changes, "line", f"{document} for {store}", dry_run=True)
    ctx.print_result(summary.document, lambda out: print_lines(out, summary.lines("")))


def expected(context: typer.Context, store: StoreOrAll = None, as_json: AsJson = False) -> None:
    """List goods expected by deliveries and dated transfers, the earliest first; overdue goods count for no promise.

    Examples:
        bopis stock expected
        bopis stock expected 319 --json
    """
    ctx = open_context(context, as_json)
    with ctx.snapshot() as snapshot:
        _check_store(snapshot, store)
        found, zones = queries.expected(snapshot, store, now=datetime.now(UTC)), zones_of(snapshot)

    def render(out: Console) -> None:
        if not found:
            ctx.note("No goods expected. Announce some with: bopis stock expect STORE DOCUMENT SKU=NUMBER --on DATE")
            return
        out.print(_expected_table(found, zones, ctx.catalogue))

    ctx.warn_if_idle()
    ctx.print_result({"store": store, "expected": found}, render)


def transfers(context: typer.Context, store: StoreOrAll = None, as_json: AsJson = False) -> None:
    """List transfers to and from a store, with the units announced, on the way, received, and short.

    Examples:
        bopis stock transfers
        bopis stock transfers 319 --json
    """
    ctx = open_context(context, as_json)
    with ctx.snapshot() as snapshot:
        _check_store(snapshot, store)
        found, zones = queries.transfers(snapshot, store), zones_of(snapshot)

    def render(out: Console) -> None:
        if not found:
            ctx.note("No transfers. Ship goods with: bopis stock transfer FROM TO SKU=NUMBER")
            return
        out.print(_transfer_table(found, zones, ctx.catalogue))

    ctx.warn_if_idle()
    ctx.print_result({"store": store, "transfers": found}, render)


def future_time_in(ctx: CommandContext, store: str, text: str) -> datetime:
    """A future instant; the zone of the store is meant where the text has none."""
    try:
        with ctx.snapshot() as snapshot:
            zone = zone_of(known_or_stocked(snapshot, store))
    except (ReadSideMissing, StoreUnknown):
        zone = UTC  # An unknown store is refused when the message is sent; only its zone is needed here.
    return read_future_time(ctx, text, zone)


def _expected_table(found: list[IncomingAnswer], zones: dict[str, tzinfo], catalogue: Catalogue) -> Any:
    grid = table("store", "SKU", "name", "units", "expected", "by", "state")
    for it in found:
        by = f"transfer {it.transfer}" if it.transfer else str(it.document)
        state = "overdue" if it.overdue else "on the way"
        at = at_instant(it.expected_at, zones.get(it.store, UTC))
        units = catalogue.quantity(it.quantity, it.sku)
        grid.add_row(it.store, it.sku, catalogue.known_name(it.sku), units, at, by, state)
    return grid


def _transfer_table(found: list[TransferAnswer], zones: dict[str, tzinfo], catalogue: Catalogue) -> Any:
    grid = table(
        "transfer", "from", "to store", "SKU", "announced", "on the way", "received", "short", "state", "expected"
    )
    for it in found:
        for line in it.lines:
            units = (line.announced, line.on_the_way, line.received, line.short)
            numbers = (catalogue.quantity(number, line.sku) for number in units)
            at = at_instant(it.expected_at, zones.get(it.to_store, UTC))
            grid.add_row(it.transfer, it.from_store, it.to_store, line.sku, *numbers, line.state, at)
    return grid


def _check_store(snapshot: Connection, store: str | None) -> None:
    if store is not None:
        known_or_stocked(snapshot, store)
