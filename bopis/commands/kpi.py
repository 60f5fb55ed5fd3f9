"""Key figures of pickups: how they stand, and what each of them means."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import NotFound
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from bopis.readside.kpi.definitions import Definition, OpenMs
    from bopis.readside.queries.kpi import KpiGroup

app = typer.Typer(help="Key figures of pickups, made from what happened.", no_args_is_help=True)

DAY_MS = 86_400_000
CALENDAR_DAYS = 60


class By(StrEnum):
    """What figures are told apart by."""

    ALL = "all"
    STORE = "store"
    DAY = "day"


@app.command()
def show(
    context: typer.Context,
    store: Annotated[str | None, typer.Option(help="Orders promised in this store only.")] = None,
    since: Annotated[str, typer.Option(help="Orders promised from this time on: 7d (ago), 2026-03-01.")] = "7d",
    until: Annotated[str | None, typer.Option(help="Orders promised before this time; default now.")] = None,
    by: Annotated[By, typer.Option(help="Tell apart by store, or by the stores' own days.")] = By.ALL,
    as_json: AsJson = False,
) -> None:
    """Show the key figures of orders that were promised in a span of time.

    Nothing is stored: figures are made anew from what happened, so a definition that changes holds for the past, too.
    Times without a zone are in the zone of the store, else UTC.
    """
    from bopis.commands.readside_access import known_store
    from bopis.commands.stock_read import zone_of
    from bopis.commands.times import read_time
    from bopis.readside.kpi.catalogue import DEFINITIONS
    from bopis.readside.queries import kpi as asked

    shell = open_shell(context, as_json)
    now = datetime.now(UTC)
    with shell.engine() as engine:
        zone = zone_of(known_store(engine, store) if store else None)
        begin = read_time(since, zone).at
        end = min(now, read_time(until, zone).at) if until else now
        span = asked.KpiSpan(since=begin, until=end, store=store)
        groups = asked.kpis(engine, span, asked.By(by.value), open_time(engine))

    def render(out: "Console") -> None:
        _render(shell, out, groups)

    versions = {it.name: it.version for it in DEFINITIONS.values()}
    shell.note_if_idle()
    document = {"since": begin, "until": end, "store": store, "by": by, "definitions": versions, "groups": groups}
    shell.answer(document, render)


@app.command()
def define(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Name of a key figure; without, all of them.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain what a key figure means, how it is counted, and which version of its definition is in force."""
    from bopis.readside.kpi.catalogue import DEFINITIONS

    shell = open_shell(context, as_json)
    if name is not None and name not in DEFINITIONS:
        raise NotFound(what=f"key figure {name!r}; there are {', '.join(DEFINITIONS)}")
    chosen = list(DEFINITIONS.values()) if name is None else [DEFINITIONS[name]]

    def render(out: "Console") -> None:
        for it in chosen:
            _explain(out, it)

    shell.answer({"definitions": chosen}, render)


def open_time(engine: "Engine") -> "OpenMs":
    """Counts a store's open milliseconds between two instants, by the hours that it states."""
    from bopis.adapters.opening_hours import OsmHours
    from bopis.domain.calendar.hours import open_ms_between
    from bopis.readside.queries.kpi import store_hours

    hours = OsmHours()
    stated = {store: it for store, it in store_hours(engine).items() if not hours.problems(it)}

    def open_ms(store: str, from_ms: int, to_ms: int) -> int | None:
        told = stated.get(store)
        if told is None or to_ms - from_ms > CALENDAR_DAYS * DAY_MS:
            return None
        # One calendar serves all orders of a stretch of days, or each would need one of its own.
        begin_ms = from_ms - from_ms % (CALENDAR_DAYS * DAY_MS)
        calendar = hours.calendar(told, begin_ms, 2 * CALENDAR_DAYS + 2)
        return open_ms_between(calendar, from_ms, to_ms)

    return open_ms


def _render(shell: Shell, out: "Console", groups: "list[KpiGroup]") -> None:
    from bopis.commands.tables import table

    if not any(it.visits for it in groups):
        shell.say("No order was promised in that time.")
    for group in groups:
        grid = table("key figure", "figure", "value", title=f"{group.name}: {group.visits} orders promised")
        for name, figures in group.kpis.items():
            for place, (figure, value) in enumerate(figures.items()):
                grid.add_row(name if not place else "", figure, _shown(figure, value))
        out.print(grid)
        out.print()


def _shown(figure: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if figure.endswith("minutes") else f"{value * 100:.1f} %"


def _explain(out: "Console", it: "Definition") -> None:
    out.print(f"{it.name} (version {it.version}): {it.says}", markup=False, soft_wrap=True)
    out.print(f"  {it.counted}", markup=False, soft_wrap=True)
    for figure, words in it.figures.items():
        out.print(f"  {figure}: {words}", markup=False, soft_wrap=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="kpi")
