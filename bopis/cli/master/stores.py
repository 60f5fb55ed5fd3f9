"""Stores: import, list and show them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console

from bopis.adapters.opening_hours import OsmHours
from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, NoWait, open_context
from bopis.cli.app.errors import TopicUnknown
from bopis.cli.app.readside import known_store
from bopis.cli.app.record_changes import ImportSummary, record_change
from bopis.cli.app.render import counted, plain, print_line, print_lines, table
from bopis.cli.app.row_files import (
    FILE_HELP,
    DryRun,
    Encoding,
    IgnoreColumns,
    RejectedRow,
    SkipBad,
    documents,
    read_rows,
    refuse_rejected,
    skipped_text,
)
from bopis.cli.master.store_text import LABEL_WIDTH, calendar_document, calendar_lines, facts, list_row, store_calendar
from bopis.cli.stock.level_text import missing_text
from bopis.cli.stock.send import wait_until
from bopis.names import STORES_TOPIC
from bopis.readside import queries
from bopis.readside.queries.answers import StoreAnswer
from bopis.services.store_directory import (
    COLUMNS,
    StoreRecord,
    merged_store,
    publish_store,
    read_directory,
    read_store_cells,
)
from bopis.tables.header import ColumnNames

LINGER_MS = 20


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=FILE_HELP)],
    skip_bad: SkipBad = False,
    dry_run: DryRun = False,
    ignore_columns: IgnoreColumns = None,
    encoding: Encoding = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Import stores: store_id, name, street, city, state, postal_code, latitude, longitude, time_zone, opening_hours,
    holidays, closures, openings, cutoff, capacity_minutes, pick_seconds, cost, closed.

    Only store_id is required. A column that is not in the file, and an empty cell, leave the value that the store has;
    a cell with - clears it. Write opening hours as in OpenStreetMap (Mo-Sa 08:00-20:00); a store without any never
    closes. Holidays are the country, or its part, whose public holidays the store keeps, and further dates
    (DE-BY 2026-12-24). Closures are dates and ranges of the store itself (2026-08-03..2026-08-14), openings are days on
    which it is open all the same (2026-12-24 10:00-14:00). Rows that are not valid are listed with their line, and
    nothing is imported unless --skip-bad is given.

    Examples:
        bopis stores import stores.csv
        bopis stores import stores.xlsx --dry-run
        bopis stores import stores.csv --skip-bad --ignore-columns phone
    """
    ctx = open_context(context, as_json)
    ctx.require_log()
    given, rejected = read_stores(ctx, file, ignore_columns or (), encoding)
    refuse_rejected(ctx, file, rejected, len(given), skip_bad)
    with ctx.reader() as reader:
        known = read_directory(reader)
    stores, refused = merged_stores(given, known)
    refuse_rejected(ctx, file, refused, len(stores), skip_bad)
    if not dry_run:
        _publish(ctx, stores, no_wait)
    changes = [record_change(it.store_id, known.get(it.store_id), it) for it in stores]
    summary = ImportSummary(changes, "store", str(file), dry_run)
    left_out = sorted(rejected + refused)
    document = summary.document | {"rejected": documents(left_out)}
    ctx.print_result(document, lambda out: print_lines(out, summary.lines(skipped_text(left_out))))


def list_(
    context: typer.Context,
    search: Annotated[str | None, typer.Argument(metavar="TEXT", help="In id, name, city or state.")] = None,
    as_json: AsJson = False,
) -> None:
    """List stores with pickup on or off, the hours of today, the number of stock rules, and the age of their last till
    message.

    Examples:
        bopis stores list
        bopis stores list chicago
    """
    ctx = open_context(context, as_json)
    with ctx.engine() as engine:
        stores = queries.all_stores(engine)
    if search:
        stores = [store for store in stores if search.lower() in _searchable(store)]

    def render(out: Console) -> None:
        if not stores:
            ctx.note("No stores. Import some with `bopis stores import FILE`.")
            return
        grid = table("store", "name", "place", "pickup", "today", "rules", "last till")
        at, hours = datetime.now(UTC), OsmHours()
        for store in stores:
            grid.add_row(*map(plain, list_row(store, at, hours)))
        out.print(grid)

    ctx.warn_if_idle()
    ctx.print_result({"stores": stores}, render)


def show(context: typer.Context, store: StoreId, as_json: AsJson = False) -> None:
    """Show one store: address, hours as stated, the next opening times and closures, cut-off, capacity, policy, missing
    till messages, holds.

    Examples:
        bopis stores show 319
        bopis stores show 319 --json
    """
    ctx = open_context(context, as_json)
    with ctx.snapshot() as snapshot:
        about = known_store(snapshot, store)
        gaps, holds = queries.gaps(snapshot, store), queries.holds(snapshot, store)

    calendar = store_calendar(about, datetime.now(UTC), OsmHours())

    def render(out: Console) -> None:
        for label, value in facts(about, len(holds)):
            print_line(out, f"{label:<{LABEL_WIDTH}}{value}")
        for line in calendar_lines(calendar):
            print_line(out, line)
        for gap in gaps:
            print_line(out, f"{'missing':<{LABEL_WIDTH}}{missing_text(gap)}")

    ctx.warn_if_idle()
    document = {"store": about, **calendar_document(calendar), "gaps": gaps, "holds": holds}
    ctx.print_result(document, render)


class GivenStore(NamedTuple):
    """The values of a store in a file, and their line."""

    line: int
    values: dict[str, Any]


def read_stores(
    ctx: CommandContext, file: Path, ignored: Iterable[str] = (), encoding: str | None = None
) -> tuple[list[GivenStore], list[RejectedRow]]:
    """The stores of a file, and its rows that are not valid whatever is known of the store."""
    columns = ColumnNames(COLUMNS, ("store_id",), frozenset(ignored))
    rows, rejected = read_rows(ctx, file, columns, encoding)
    stores: dict[str, GivenStore] = {}
    for row in rows:
        read = read_store_cells(row.cells)
        if isinstance(read, list):
            rejected.append(RejectedRow(row.line, read))
        elif read["store_id"] in stores:
            rejected.append(RejectedRow(row.line, [f"store_id {read['store_id']} is in the file twice"]))
        else:
            stores[read["store_id"]] = GivenStore(row.line, read)
    return list(stores.values()), sorted(rejected)


def merged_stores(
    given: list[GivenStore], known: dict[str, StoreRecord]
) -> tuple[list[StoreRecord], list[RejectedRow]]:
    """The stores with the values that the file does not give as they are known, and those that do not fit together."""
    hours = OsmHours()
    stores, rejected = [], []
    for row in given:
        merged = merged_store(row.values, hours, known.get(row.values["store_id"]))
        if isinstance(merged, list):
            rejected.append(RejectedRow(row.line, merged))
        else:
            stores.append(merged)
    return stores, rejected


def _publish(ctx: CommandContext, stores: list[StoreRecord], no_wait: bool) -> None:
    """Publish stores and, unless `no_wait`, wait until the read side has them."""
    with ctx.reader() as reader:
        if not reader.end_offsets([STORES_TOPIC]):
            raise TopicUnknown(topic=STORES_TOPIC, hint="; `bopis up` or `bopis worker projection` creates it")
    with ctx.publisher(LINGER_MS) as publisher:
        deliveries: list[Any] = [publish_store(publisher, store) for store in stores]
        publisher.flush()
        placed = [delivery.wait() for delivery in deliveries]
    if no_wait or not placed:
        return
    newest = {it.partition: it.offset for it in sorted(placed)}
    with ctx.engine() as engine:

        def is_seen() -> bool:
            seen = {it.partition: it.position for it in queries.positions(engine) if it.topic == STORES_TOPIC}
            return all(seen.get(partition, -1) >= offset for partition, offset in newest.items())

        wait_until(ctx, is_seen, counted(len(placed), "store"))


def _searchable(store: StoreAnswer) -> str:
    return f"{store.store} {store.name} {store.city} {store.state}".lower()
