"""Key figures of pickups: their values and their definitions."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.adapters.opening_hours import OsmHours
from bopis.cli.app.completion import COMPLETE_STORES
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import NotFound
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.readside import known_store, zone_of
from bopis.cli.app.render import counted, print_line, table
from bopis.readside.kpi.catalogue import DEFINITIONS
from bopis.readside.kpi.definitions import Definition
from bopis.readside.queries.kpi import KpiGroup, KpiGrouping, KpiSpan, kpis, open_time


def show(
    context: typer.Context,
    store: Annotated[
        str | None,
        typer.Option(metavar="STORE", help="Only orders promised in this store.", autocompletion=COMPLETE_STORES),
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Orders promised from this time on: 7d (ago), 2026-03-01.")
    ] = "7d",
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Orders promised before this time; default now.")
    ] = None,
    by: Annotated[
        KpiGrouping, typer.Option(help="Group by store, or by day in each store's time zone.")
    ] = KpiGrouping.ALL,
    as_json: AsJson = False,
) -> None:
    """Show the key figures of orders promised in a period.

    Figures are computed from the events each time, so a changed definition also applies to the past. Times without a
    zone are in the zone of the store, else UTC.

    Examples:
        bopis kpi show --store 319
        bopis kpi show --since 30d --by day --json
    """
    ctx = open_context(context, as_json)
    now = datetime.now(UTC)
    with ctx.snapshot() as snapshot:
        zone = zone_of(known_store(snapshot, store) if store else None)
        begin = read_time(since, zone).at
        end = min(now, read_time(until, zone).at) if until else now
        span = KpiSpan(since=begin, until=end, store=store)
        groups = kpis(snapshot, span, by, open_time(snapshot, OsmHours()))

    def render(out: Console) -> None:
        _render(ctx, out, groups)

    versions = {definition.name: definition.version for definition in DEFINITIONS.values()}
    ctx.warn_if_idle()
    document = {"since": begin, "until": end, "store": store, "by": by, "definitions": versions, "groups": groups}
    ctx.print_result(document, render)


def define(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Name of a key figure; by default all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a key figure: its meaning, how it is counted, and the version of its definition.

    Examples:
        bopis kpi define
        bopis kpi define time_to_ready
    """
    ctx = open_context(context, as_json)
    if name is not None and name not in DEFINITIONS:
        raise NotFound(what=f"key figure {name!r}; key figures are {', '.join(DEFINITIONS)}")
    chosen = list(DEFINITIONS.values()) if name is None else [DEFINITIONS[name]]

    def render(out: Console) -> None:
        for definition in chosen:
            _explain(out, definition)

    ctx.print_result({"definitions": chosen}, render)


def _render(ctx: CommandContext, out: Console, groups: list[KpiGroup]) -> None:
    if not any(group.visits for group in groups):
        ctx.note("No orders were promised in that period.")
    for group in groups:
        grid = table("key figure", "figure", "value", title=f"{group.name}: {counted(group.visits, 'order')} promised")
        for name, figures in group.kpis.items():
            for row, (figure, value) in enumerate(figures.items()):
                grid.add_row(name if row == 0 else "", figure, _shown(figure, value))
        out.print(grid)
        out.print()


def _shown(figure: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if figure.endswith("minutes") else f"{value * 100:.1f} %"


def _explain(out: Console, definition: Definition) -> None:
    print_line(out, f"{definition.name} (version {definition.version}): {definition.says}")
    print_line(out, f"  {definition.counted}")
    for figure, meaning in definition.figures.items():
        print_line(out, f"  {figure}: {meaning}")
