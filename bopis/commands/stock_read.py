"""Looking at stock: now, where, then, and why."""

from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands import stock_kits
from bopis.commands.dates import ON, ahead, later_words
from bopis.commands.errors import SkuUnknown, Usage
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from bopis.commands.shell import Shell
    from bopis.readside.queries.answers import LevelAnswer, MovementAnswer, Page, StoreAnswer

STORE = Annotated[str, typer.Argument(help="Id of the store.")]
SKU = Annotated[str, typer.Argument(help="SKU code, exactly.")]
LATE_MS = 60_000


class Clock(StrEnum):
    """Which clock a question is about."""

    OCCURRED = "occurred"
    RECORDED = "recorded"


CLOCK = Annotated[
    Clock, typer.Option(help="occurred: what was true then, by all that is known today; recorded: what the books said.")
]


def show(
    context: typer.Context,
    store: STORE,
    skus: Annotated[list[str] | None, typer.Argument(metavar="[SKU]...", help="SKU codes; without, all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 100,
    after: Annotated[str | None, typer.Option(help="Go on after this SKU.")] = None,
    on: ON = None,
    as_json: AsJson = False,
) -> None:
    """Show what may be promised in a store, and why units are withheld: one line for one SKU, else a table."""
    from bopis.commands.levels import level_table, sentence
    from bopis.commands.readside_access import known_store
    from bopis.readside import queries

    shell = open_shell(context, as_json)
    now = datetime.now(UTC)
    if on is not None:
        _show_later(shell, (store, skus), on, queries.Page(limit=limit, cursor=after))
        return
    with shell.engine() as engine:
        about = known_or_stocked(engine, store)
        following = None
        if skus:
            try:
                levels = tuple(level_of(engine, store, sku, now) for sku in dict.fromkeys(skus))
            except SkuUnknown:
                if stock_kits.show_kit(shell, engine, store, skus, now):
                    return
                raise
        else:
            page = queries.levels(engine, store, now=now, page=queries.Page(limit=limit, cursor=after))
            levels, following = page.levels, page.next
    if about is None and not levels:
        with shell.engine() as engine:
            known_store(engine, store)
    pickup = about.pickup if about else True

    def render(out: "Console") -> None:
        if skus and len(levels) == 1:
            out.print(sentence(levels[0], pickup), markup=False, soft_wrap=True)
            return
        out.print(level_table(levels))
        if not pickup:
            shell.say("Pickup is OFF in this store: nothing is promised.")
        if following:
            shell.say(f"More: bopis stock show {store} --after {following}")

    shell.note_if_idle()
    shell.answer({"store": store, "pickup": pickup, "levels": levels, "next": following}, render)


def _show_later(shell: "Shell", asked: tuple[str, list[str] | None], text: str, page: "Page") -> None:
    from bopis.readside import queries

    (store, skus), now = asked, datetime.now(UTC)
    with shell.engine() as engine:
        on = ahead(shell, text, zone_of(known_or_stocked(engine, store)))
        fresh = {it.sku: it for it in queries.new_skus(engine, store, now=now)}
        following = None
        if skus:
            levels = [fresh.get(sku) or level_of(engine, store, sku, now) for sku in dict.fromkeys(skus)]
        else:
            found_page = queries.levels(engine, store, now=now, page=page)
            following = found_page.next
            # What never was in the books has no place among its pages, so it stands before the first.
            levels = [*(fresh.values() if page.cursor is None else ()), *found_page.levels]
        found = queries.later(engine, levels, on=on, now=now)

    def render(out: "Console") -> None:
        for it in found:
            out.print(later_words(it), markup=False, soft_wrap=True)
        if following:
            shell.say(f"More: bopis stock show {store} --on {text} --after {following}")

    shell.note_if_idle()
    shell.answer({"store": store, "on": on, "levels": found, "next": following}, render)


def find(
    context: typer.Context,
    sku: SKU,
    near: Annotated[str | None, typer.Option(metavar="STORE|LAT,LON", help="Nearest to here first.")] = None,
    minimum: Annotated[int, typer.Option(min=1, help="Units that must be available.")] = 1,
    on: ON = None,
    as_json: AsJson = False,
) -> None:
    """Find the stores that take pickups and can promise a SKU, the most or the nearest first."""
    from bopis.commands.levels import equation, heard
    from bopis.readside import queries

    shell = open_shell(context, as_json)
    now = datetime.now(UTC)
    by = ahead(shell, on, UTC) if on is not None else None
    with shell.engine() as engine:
        point = _point(engine, near)
        if by is None:
            found = queries.find(engine, sku, point, minimum, now=now)
        else:
            found = queries.find_later(engine, sku, (point, minimum), on=by, now=now)
        if not found and by is None and stock_kits.find_kit(shell, engine, (sku, point, minimum), now):
            return

    def render(out: "Console") -> None:
        from bopis.commands.tables import plain, table

        if not found:
            when = "now" if by is None else f"for {by.isoformat(timespec='minutes')}"
            shell.say(f"No store that takes pickups can promise {minimum} of {sku!r} {when}.")
            return
        columns = ["store", "name", "ATP" if by is None else "then ATP", "because", "news"]
        if near:
            columns.insert(2, "km")
        grid = table(*columns)
        for it in found:
            age_ms = None if it.heard_at is None else max(0, int((now - it.heard_at).total_seconds() * 1000))
            cells: list[Any] = [it.store, plain(it.name), str(it.atp), equation(it.terms), heard(age_ms)]
            if near:
                cells.insert(2, "-" if it.distance_km is None else f"{it.distance_km:.1f}")
            grid.add_row(*cells)
        out.print(grid)

    shell.note_if_idle()
    shell.answer({"sku": sku, "on": by, "stores": found}, render)


def history(
    context: typer.Context,
    store: STORE,
    sku: SKU,
    since: Annotated[str | None, typer.Option(help="From this time on, for example 2026-03-01 or 3d (ago).")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    clock: CLOCK = Clock.OCCURRED,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 50,
    after: Annotated[str | None, typer.Option(help="Go on after this cursor.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what moved a SKU in a store, newest first, each with its two clocks, its source and on hand after it."""
    from bopis.commands.times import read_time
    from bopis.readside import queries

    shell = open_shell(context, as_json)
    with shell.engine() as engine:
        zone = zone_of(known_or_stocked(engine, store))
        span = queries.Span(
            since=read_time(since, zone).at if since else None,
            until=read_time(until, zone).at if until else None,
            clock=queries.Clock(clock.value),
            limit=limit,
            cursor=after,
        )
        page = queries.history(engine, store, sku, span)
        if not page.movements:
            level_of(engine, store, sku, datetime.now(UTC))

    def render(out: "Console") -> None:
        if page.movements:
            _render_history(out, page.movements, zone)
        else:
            shell.say("Nothing moved in that time.")
        if page.next:
            shell.say(f"More: bopis stock history {store} {sku} --clock {clock} --after {page.next}")

    shell.note_if_idle()
    shell.answer({"store": store, "sku": sku, "movements": page.movements, "next": page.next}, render)


def known_or_stocked(engine: "Engine", store: str) -> "StoreAnswer | None":
    """The store; None for one that was only ever booked on by hand and never imported."""
    from bopis.commands.readside_access import known_store
    from bopis.readside import queries

    if queries.levels(engine, store, now=datetime.now(UTC), page=queries.Page(limit=1)).levels:
        from bopis.readside.errors import StoreUnknown

        try:
            return queries.one_store(engine, store)
        except StoreUnknown:
            return None
    return known_store(engine, store)


def level_of(engine: "Engine", store: str, sku: str, now: datetime) -> "LevelAnswer":
    """The level of one SKU; raises `SkuUnknown`."""
    from bopis.readside import queries
    from bopis.readside.errors import CellUnknown

    try:
        return queries.levels(engine, store, sku, now=now).levels[0]
    except CellUnknown:
        raise SkuUnknown(store=store, sku=sku) from None


def zone_of(store: "StoreAnswer | None") -> tzinfo:
    """The zone of a store; UTC where it was never told."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(store.time_zone) if store and store.time_zone != "UTC" else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _render_history(out: "Console", movements: tuple["MovementAnswer", ...], zone: tzinfo) -> None:
    from bopis.commands.levels import at_instant
    from bopis.commands.tables import duration, plain, signed, table

    grid = table("happened", "learned", "what", "change", "on hand after", "by", "reference")
    for it in movements:
        late_ms = (it.recorded_at - it.occurred_at).total_seconds() * 1000
        change = f"counted {it.change}" if it.kind == "count" else signed(it.change)
        if it.kind != "count" and it.applied != it.change:
            change += " (seen by a count)"
        by = f"{it.actor} at {it.source}" if it.actor and it.actor not in it.source else it.source
        grid.add_row(
            at_instant(it.occurred_at, zone),
            f"{duration(late_ms)} later" if late_ms > LATE_MS else "",
            it.kind.replace("_", " "),
            change,
            str(it.on_hand_after),
            plain(by),
            plain(it.reference or ""),
        )
    out.print(grid)


def _point(engine: "Engine", near: str | None) -> tuple[float, float] | None:
    from bopis.commands.readside_access import known_store

    if near is None:
        return None
    latitude, comma, longitude = near.partition(",")
    if comma:
        try:
            point = float(latitude), float(longitude)
        except ValueError:
            raise Usage(problem=f"{near!r} is neither a store nor LATITUDE,LONGITUDE.") from None
        if abs(point[0]) > 90 or abs(point[1]) > 180:
            raise Usage(problem=f"{near!r} lies nowhere: latitude is -90 to 90, longitude -180 to 180.")
        return point
    store = known_store(engine, near)
    if store.latitude is None or store.longitude is None:
        raise Usage(problem=f"Where store {near} is was never told; give LATITUDE,LONGITUDE.")
    return store.latitude, store.longitude
