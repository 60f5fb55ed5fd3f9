"""`bopis replay FILE`: publish a till export as till messages and compare the stock with the file."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.render import counted, print_line
from bopis.cli.app.row_files import refuse_rejected
from bopis.cli.master.stores import GivenStore, read_stores
from bopis.cli.replay.run import ReplaySource, replayed
from bopis.services.replay.columns import named_columns
from bopis.services.replay.errors import OptionInvalid
from bopis.services.replay.intake import IntakeOptions
from bopis.services.replay.rules import ReadingRules, read_conditions, read_decimal_mark, read_scales
from bopis.services.replay.sending import Pace
from bopis.services.replay.times import TimeReader, zone_named
from bopis.services.till_files.mapping_file import read_mapping
from bopis.tables.reader import Header
from bopis.tables.source import TableFile

FASTEST = "max"


def replay(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="CSV, NDJSON or .xlsx, also as .gz or .xz; - reads standard input.")],
    stores: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Import these stores first; local times are in their zones."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=NAME",
            help="The column of a field: store, basket, sku, quantity, sold_at; amount_cents, amount or price; unit. "
            "Join two columns with +, for example sold_at=date+time. A number that is no column's name is the value of "
            "every row: quantity=1.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Names of the columns of a file without a header: date,time,basket,sku."),
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The file has no header; its columns are called c1, c2, c3 ...")
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Read only the rows in which the column has the value (Status=Closed), or has not (Status!=Void). "
            "Several values of one column: any of them; several columns: all of them.",
        ),
    ] = None,
    returns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", help="Rows that are returns, whatever the sign of their quantity: Type=Refund."
        ),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER",
            help="Multiply quantities: 1000 for kilograms of SKUs in grams; for one SKU 20110=1000; for one unit "
            "kg=1000, with --column unit=NAME.",
        ),
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(metavar="MARK", help="The decimal mark, . or , where 1,000 would be ambiguous.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="STORE", help="The store of the whole file, if no column has it.")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            metavar="MAPPING",
            help="Read by a mapping: a TOML file, or the name of a shipped one. It states columns, words and zone.",
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="ENCODING", help="Encoding of the text; default: UTF-8, or UTF-16 if marked.")
    ] = None,
    time_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Format of the times, for example '%m/%d/%Y %H:%M'.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Time zone of local times; default: the store's, else UTC.")
    ] = None,
    speed: Annotated[
        str, typer.Option(metavar="SPEED", help="'max', or a multiple of real time, for example 60.")
    ] = FASTEST,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write rejected rows to this file, with line number and cause.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a till export: publish its baskets as tills do, then compare the stock with a plain sum.

    It may be stopped at any time and started again: no message is processed twice. The log and its processors are
    started if none run on the data directory, and stopped at the end. Exit code 1 when a cell differs or a message is
    missing.

    Examples:
        bopis replay sales.csv --stores stores.csv
        bopis replay sales.csv.gz --column sku=article --column sold_at=date+time
        bopis replay receipts.csv --where Status=Closed --returns Type=Refund
        bopis replay receipts.csv --mapping my-till.toml
        bopis replay s.csv --store 9 --columns day,basket,sku --column quantity=1
    """
    ctx = open_context(context, as_json)
    _ = ctx.settings  # raises for a setting that is not valid before the file is read
    pace = Pace(multiple(speed))
    records = _given_stores(ctx, stores) if stores else []
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    reading = IntakeOptions(
        named_columns=named_columns(column or ()),
        times=_times(time_format, time_zone, records),
        store=store,
        rules=_rules(where or (), returns or (), scale or (), decimal),
        header=Header(not (names or no_header), names),
        mapping=read_mapping(mapping) if mapping else None,
    )
    options = {
        "--store": store,
        "--encoding": encoding,
        "--time-format": time_format,
        "--time-zone": time_zone,
        "--columns": columns,
        "--no-header": "yes" if no_header else None,
        "--decimal": decimal,
    }
    repeated = {"--column": column, "--where": where, "--returns": returns, "--scale": scale}
    _refuse_beside(mapping, {**options, **repeated})
    given = {name: value for name, value in options.items() if value} | {
        **{name: " ".join(sorted(values or ())) for name, values in repeated.items()},
        "--stores": stores.name if stores else "",
        "--mapping": mapping or "",
    }
    source = ReplaySource(TableFile(file, encoding), reading, records, given, rejects)
    try:
        document = replayed(ctx, source, pace)
    finally:
        source.export.close()
    ctx.print_result(document, lambda out: _render(ctx, out, document))
    if document["mismatches"] or document["gaps"]:
        raise typer.Exit(1)


def multiple(speed: str) -> float:
    """The multiple of real time of ``max``, ``60`` or ``60x``; 0 is as fast as possible. Raises `OptionInvalid`."""
    if speed == FASTEST:
        return 0.0
    try:
        value = float(speed.removesuffix("x"))
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise OptionInvalid(option="--speed", value=speed, cause="write 'max' or a number above 0, for example 60")
    return value


def _rules(where: Sequence[str], returns: Sequence[str], scale: Sequence[str], decimal: str | None) -> ReadingRules:
    return ReadingRules(
        where=read_conditions("--where", where),
        returns=read_conditions("--returns", returns),
        scales=read_scales(scale),
        decimal_mark=read_decimal_mark(decimal),
    )


def _refuse_beside(mapping: str | None, options: Mapping[str, object]) -> None:
    """Raise `OptionInvalid` for options on reading beside a mapping, which states all of that."""
    others = ", ".join(name for name, value in options.items() if value)
    if mapping and others:
        raise OptionInvalid(
            option="--mapping", value=mapping, cause=f"it excludes {others}: write that into the mapping"
        )


def _times(time_format: str | None, time_zone: str | None, stores: list[GivenStore]) -> TimeReader:
    zone: tzinfo | None = zone_named(time_zone, "--time-zone") if time_zone else None
    zones = {it.values["store_id"]: it.values["time_zone"] for it in stores if "time_zone" in it.values}
    return TimeReader(time_format, zone, {store: zone_named(name, "time_zone") for store, name in zones.items()})


def _given_stores(ctx: CommandContext, file: Path) -> list[GivenStore]:
    given, rejected = read_stores(ctx, file)
    refuse_rejected(ctx, file, rejected, len(given), skip_bad=False)
    return given


CELLS = (("stores", "store"), ("skus", "SKU"), ("cells", "cell"))


def _skipped(document: dict[str, Any]) -> list[str]:
    found = [
        counted(document["duplicates"], "repeated basket"),
        counted(document["rejected"], "rejected row"),
    ]
    return found + ([f"{counted(document['left_out'], 'row')} left out by --where"] if document["left_out"] else [])


def _render(ctx: CommandContext, out: Console, document: dict[str, Any]) -> None:
    figures = {name: f"{value:,}" for name, value in document.items() if isinstance(value, int)}
    baskets = counted(document["baskets"], "basket")
    resumed = f"{figures['messages_known']} of {figures['messages']} messages were processed before"
    for label, value in (
        ("lines", f"{figures['lines']} in {baskets}, {counted(document['units'], 'unit')}"),
        ("stores, SKUs", ", ".join(counted(document[it], name) for it, name in CELLS)),
        ("skipped", ", ".join(_skipped(document))),
        *((("resumed", resumed),) if document["messages_known"] else ()),
        ("missing", f"{counted(document['gaps'], 'message')} missing, {figures['dead_letters']} in dead letters"),
        ("speed", f"{document['seconds']:.1f} s, {figures['lines_per_second']} lines/s"),
    ):
        print_line(out, f"{label:<16} {value}")
    if not document["mismatches"]:
        print_line(out, f"Right: all {figures['cells']} cells are what a plain sum over the file says.")
        return
    print_line(
        out, f"WRONG: {figures['mismatches']} of {figures['cells']} cells differ from a plain sum over the file."
    )
    for cell in document["differing"]:
        found = f"moved {cell.moved} and is {cell.on_hand} on hand; the file says {cell.expected}"
        print_line(out, f"  {cell.store} {cell.sku}: {found}")
    ctx.note("`bopis verify` verifies the whole log; `bopis dead-letters list` lists messages that were not processed.")
