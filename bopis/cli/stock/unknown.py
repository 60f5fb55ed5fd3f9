"""`bopis stock unknown`: units under codes in no catalogue, and in stores that were never imported."""

from datetime import UTC, tzinfo
from typing import Any

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import CommandError
from bopis.cli.app.readside import zone_of
from bopis.cli.app.render import counted, table
from bopis.cli.stock.level_text import at_instant
from bopis.readside import queries
from bopis.readside.queries.answers import StoreAnswer
from bopis.readside.queries.articles import UnknownAnswer, UnknownCounts


def unknown(context: typer.Context, as_json: AsJson = False) -> None:
    """List codes in no catalogue and stores never imported, with the source of their messages. Nothing of them is lost.

    Examples:
        bopis stock unknown
        bopis stock unknown --json
    """
    ctx = open_context(context, as_json)
    with ctx.snapshot() as snapshot:
        codes, stores = queries.unknown_codes(snapshot), queries.unknown_stores(snapshot)
        imported = queries.all_stores(snapshot)

    def render(out: Console) -> None:
        if not codes and not stores:
            ctx.note("Every code is an article of the catalogue, and every store was imported.")
            return
        out.print(_grid(codes, stores, imported))
        if codes:
            ctx.note("Add articles: bopis catalogue import FILE. Move units: bopis stock adjust STORE SKU=CHANGE ...")
        if stores:
            ctx.note("Add stores: bopis stores import FILE. A wrong number is set right in the till.")

    ctx.warn_if_idle()
    ctx.print_result({"codes": codes, "stores": stores}, render)


def unknown_counts(ctx: CommandContext) -> UnknownCounts | None:
    """The numbers of unknown codes and stores; None where the read side does not answer."""
    try:
        with ctx.engine() as engine:
            return queries.unknown_counts(engine)
    except CommandError:
        return None


def unknown_text(counts: UnknownCounts | None) -> str:
    """The numbers in a sentence; empty when there are none."""
    parts = []
    if counts is not None and counts.codes:
        parts.append(f"{counted(counts.codes, 'code')} in no catalogue")
    if counts is not None and counts.stores:
        parts.append(f"{counted(counts.stores, 'store')} never imported")
    return f"{', '.join(parts)}; `bopis stock unknown`" if parts else ""


def _grid(codes: list[UnknownAnswer], stores: list[UnknownAnswer], imported: list[StoreAnswer]) -> Any:
    grid = table("store", "code", "source", "messages", "units", "first", "last", "note")
    never = {it.store for it in stores}
    known = {_number(it.store): it.store for it in imported if it.store not in never}
    zones = {it.store: zone_of(it) for it in imported}
    for it in codes:
        meaning = "a kit, counted by its components since" if it.kit else f"counted as {it.now} since" if it.now else ""
        _add(grid, it, meaning, zones.get(it.store, UTC))
    for it in stores:
        alike = known.get(_number(it.store))
        note = "store never imported" + (f"; meant is {alike}?" if alike else "")
        _add(grid, it, note, zones.get(alike or "", UTC))
    return grid


def _add(grid: Any, it: UnknownAnswer, note: str, zone: tzinfo) -> None:
    times = (at_instant(at, zone) for at in (it.first_at, it.last_at))
    grid.add_row(it.store, it.code or "(store)", it.source, str(it.messages), str(it.units), *times, note)


def _number(store: str) -> str:
    """A store id without what tills add or lose: case, blanks, leading zeros."""
    return store.strip().casefold().lstrip("0")
