"""`bopis replay FILE`: a till export becomes till messages in the log, and the books are checked against the file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import Console

    from bopis.services.directory import StoreRecord

FASTEST = "max"


def replay(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="CSV or NDJSON, also packed as .gz or .xz; - reads standard input.")],
    stores: Annotated[
        Path | None, typer.Option(help="Import these stores first; local times take their zones.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=NAME",
            help="Where a field stands: store, basket, sku, quantity, sold_at; amount_cents, amount or price. "
            "Two columns are joined with +, for example sold_at=date+time.",
        ),
    ] = None,
    store: Annotated[str | None, typer.Option(help="The store of the whole file, where no column tells it.")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of the text.")] = "utf-8-sig",
    time_format: Annotated[str | None, typer.Option(help="Form of the times, e.g. '%m/%d/%Y %H:%M'.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Zone of local times; else the store's own, else UTC.")] = None,
    speed: Annotated[str, typer.Option(help="'max', or a multiple of real time, e.g. 60.")] = FASTEST,
    rejects: Annotated[Path | None, typer.Option(help="Where rejected rows go, with line number and cause.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a till export: publish its baskets as tills would, then check the books against a plain sum.

    May be stopped anywhere and started again: nothing is taken twice. Starts the log and its processors if none run
    on the data directory, and stops them at the end. Exit code 1 when a cell differs or a message is missing.
    """
    from bopis.commands.replay_run import Source, replayed
    from bopis.services.replay.columns import named_columns
    from bopis.services.replay.export import Export
    from bopis.services.replay.intake import Reading
    from bopis.services.replay.sending import Pace
    from bopis.services.replay.times import TimeReader, zone_named

    shell = open_shell(context, as_json)
    shell.settings  # noqa: B018  (an unsound setting is told here, in one sentence)
    pace = Pace(multiple(speed))
    records = read_stores(stores) if stores else []
    zone: tzinfo | None = zone_named(time_zone, "--time-zone") if time_zone else None
    zones = {it.store_id: zone_named(it.time_zone, "time_zone") for it in records}
    reading = Reading(
        named_columns=named_columns(column or ()), times=TimeReader(time_format, zone, zones), store=store
    )
    options = {"--store": store, "--encoding": encoding, "--time-format": time_format, "--time-zone": time_zone}
    told = {name: value for name, value in options.items() if value} | {
        "--column": " ".join(sorted(column or ())),
        "--stores": stores.name if stores else "",
    }
    source = Source(Export(file, encoding), reading, records, told, rejects)
    try:
        document = replayed(shell, source, pace)
    finally:
        source.export.close()
    shell.answer(document, lambda out: _render(shell, out, document))
    if document["mismatches"] or document["gaps"]:
        raise typer.Exit(1)


def multiple(speed: str) -> float:
    """The multiple of real time that a word means; 0 is as fast as possible."""
    from bopis.services.replay.errors import OptionBroken

    if speed == FASTEST:
        return 0.0
    try:
        value = float(speed.removesuffix("x"))
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise OptionBroken(option="--speed", value=speed, cause="write 'max' or a number above 0, e.g. 60")
    return value


def read_stores(file: Path) -> "list[StoreRecord]":
    """The stores of a file. Raises `StoresUnreadable` for the first row that is not sound."""
    from bopis.adapters.opening_hours import OsmHours
    from bopis.commands.rowfiles import read_rows
    from bopis.services.directory import read_store
    from bopis.services.replay.errors import StoresUnreadable

    hours = OsmHours()
    stores: dict[str, StoreRecord] = {}
    for row in read_rows(file):
        read = read_store(row.cells, hours)
        if isinstance(read, list):
            raise StoresUnreadable(name=file, line=row.line, cause="; ".join(read))
        stores[read.store_id] = read
    return list(stores.values())


def _render(shell: Shell, out: "Console", it: dict[str, Any]) -> None:
    from bopis.commands.tables import plain

    known = f"{it['messages_known']:,} of {it['messages']:,} messages were in the books before"
    for label, value in (
        ("lines", f"{it['lines']:,} in {it['baskets']:,} baskets, {it['units']:,} units"),
        ("stores, SKUs", f"{it['stores']:,} stores, {it['skus']:,} SKUs, {it['cells']:,} cells"),
        ("left out", f"{it['duplicates']:,} repeated baskets, {it['rejected']:,} rejected rows"),
        *((("resumed", known),) if it["messages_known"] else ()),
        ("missing, parked", f"{it['gaps']:,} messages missing, {it['dead_letters']:,} in dead letters"),
        ("speed", f"{it['seconds']:.1f} s, {it['lines_per_second']:,} lines/s"),
    ):
        out.print(plain(f"{label:<16} {value}"), soft_wrap=True)
    if not it["mismatches"]:
        out.print(f"Right: all {it['cells']:,} cells are what a plain sum over the file says.")
        return
    out.print(f"WRONG: {it['mismatches']:,} of {it['cells']:,} cells differ from a plain sum over the file.")
    for cell in it["differing"]:
        said = f"moved {cell.moved} and is {cell.on_hand} on hand; the file says {cell.expected}"
        out.print(plain(f"  {cell.store} {cell.sku}: {said}"), soft_wrap=True)
    shell.say("`bopis verify` checks everything in the log; `bopis dead-letters list` shows what was not taken.")


def register(app: typer.Typer) -> None:
    app.command()(replay)
