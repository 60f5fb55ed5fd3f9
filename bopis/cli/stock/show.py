"""Stock of a store: current and later levels, stores that have a SKU, the history of a SKU."""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import Connection

from bopis.cli.app.completion import COMPLETE_STORES, StoreId
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import KitHasNoShelf, SkuUnknown, Usage
from bopis.cli.app.parse_lines import line_text
from bopis.cli.app.parse_time import OnDate, read_future_time, read_time
from bopis.cli.app.readside import known_or_stocked, known_store, zone_of
from bopis.cli.app.render import duration, print_line, signed, table
from bopis.cli.stock import kits as stock_kits
from bopis.cli.stock.level_text import ago, article_text, equation, later_sentence, level_table, sentence
from bopis.domain.quantities import EACH, quantity_text
from bopis.readside import errors, queries
from bopis.readside.queries.answers import HistoryClock, LevelAnswer, MovementAnswer, Page

LATE_MS = 60_000

Sku = Annotated[str, typer.Argument(metavar="SKU", help="SKU, or a GTIN of the article.")]
ByClock = Annotated[
    HistoryClock,
    typer.Option("--clock", help="occurred: what was true then, as known today; recorded: what was known then."),
]
After = Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Continue a list from here.")]


def show(
    context: typer.Context,
    store: StoreId,
    skus: Annotated[list[str] | None, typer.Argument(metavar="SKU", help="SKUs; by default all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 100,
    after: After = None,
    on: OnDate = None,
    as_json: AsJson = False,
) -> None:
    """Show the units available to promise in a store, and why others are withheld: a line for one SKU, else a table.

    Examples:
        bopis stock show 319
        bopis stock show 319 4011 --on 2026-12-01
    """
    ctx = open_context(context, as_json)
    now = datetime.now(UTC)
    page = queries.Page(limit=limit, cursor=after)
    if on is not None:
        _show_later(ctx, store, skus, on, page)
        return
    with ctx.snapshot() as snapshot:
        about = known_or_stocked(snapshot, store)
        following = None
        kits: list[dict[str, Any]] = []
        if skus:
            named = NamedArticles(snapshot, skus)
            kits = [stock_kits.kit_answer(snapshot, store, kit, now) for kit in named.kits]
            levels = tuple(level_of(snapshot, store, sku, now) for sku in named.skus)
        else:
            found = queries.levels(snapshot, store, now=now, page=page)
            levels, following = found.levels, found.next
        units = units_of(snapshot, levels)
    pickup = about.pickup if about else True

    def render(out: Console) -> None:
        stock_kits.print_kits(out, store, kits)
        catalogue = ctx.catalogue
        if skus and len(levels) == 1:
            sku = levels[0].sku
            print_line(out, sentence(levels[0], pickup, units.get(sku, EACH), catalogue.known_name(sku)))
            return
        if levels or not kits:
            out.print(level_table(levels, units, catalogue))
        if not pickup:
            ctx.note("Pickup is OFF in this store: nothing is promised.")
        if following:
            ctx.note(f"More: bopis stock show {store} --after {following}")

    ctx.warn_if_idle()
    document = {"store": store, "pickup": pickup, "levels": levels, "units": units, "next": following}
    ctx.print_result(document | ({"kits": kits} if kits else {}), render)


class NamedArticles:
    """The codes that a person named: SKUs of shelves, and kits."""

    def __init__(self, snapshot: Connection, codes: Iterable[str]) -> None:
        found = {code: queries.article(snapshot, code) for code in dict.fromkeys(codes)}
        self.kits = [it for it in found.values() if it is not None and it.components]
        shelves = (it.sku if it is not None else code for code, it in found.items() if it is None or not it.components)
        self.skus = list(dict.fromkeys(shelves))


def units_of(snapshot: Connection, levels: Iterable[LevelAnswer]) -> dict[str, str]:
    """The units of SKUs that are not counted in pieces."""
    known = queries.articles(snapshot, (it.sku for it in levels))
    return {sku: it.unit for sku, it in known.items() if it.unit != EACH}


def _show_later(ctx: CommandContext, store: str, skus: list[str] | None, text: str, page: Page) -> None:
    now = datetime.now(UTC)
    with ctx.snapshot() as snapshot:
        on = read_future_time(ctx, text, zone_of(known_or_stocked(snapshot, store)))
        fresh = {it.sku: it for it in queries.new_skus(snapshot, store, now=now)}
        following = None
        kits: list[dict[str, Any]] = []
        if skus:
            named = NamedArticles(snapshot, skus)
            kits = [stock_kits.later_kit_answer(snapshot, store, kit, on, now) for kit in named.kits]
            levels = [fresh.get(sku) or level_of(snapshot, store, sku, now) for sku in named.skus]
        else:
            found_page = queries.levels(snapshot, store, now=now, page=page)
            following = found_page.next
            # SKUs without a level are on no page, so they come before the first.
            levels = [*(fresh.values() if page.cursor is None else ()), *found_page.levels]
        found = queries.later(snapshot, levels, on=on, now=now)
        units = units_of(snapshot, levels)

    def render(out: Console) -> None:
        stock_kits.print_kits(out, store, kits)
        catalogue = ctx.catalogue
        for it in found:
            print_line(out, later_sentence(it, units.get(it.sku, EACH), catalogue.known_name(it.sku)))
        if following:
            ctx.note(f"More: bopis stock show {store} --on {text} --after {following}")

    ctx.warn_if_idle()
    document = {"store": store, "on": on, "levels": found, "units": units, "next": following}
    ctx.print_result(document | ({"kits": kits} if kits else {}), render)


def find(
    context: typer.Context,
    sku: Sku,
    near: Annotated[
        str | None,
        typer.Option(metavar="STORE|LAT,LON", help="Nearest to here first.", autocompletion=COMPLETE_STORES),
    ] = None,
    minimum: Annotated[int, typer.Option(min=1, metavar="UNITS", help="Units that must be available.")] = 1,
    on: OnDate = None,
    as_json: AsJson = False,
) -> None:
    """Find the stores that take pickups and can promise a SKU, those with most units or the nearest first.

    Examples:
        bopis stock find 4011 --near 319
        bopis stock find 4011 --minimum 12 --on 2026-12-01
    """
    ctx = open_context(context, as_json)
    now = datetime.now(UTC)
    by = read_future_time(ctx, on, UTC) if on is not None else None
    with ctx.snapshot() as snapshot:
        article = queries.article(snapshot, sku)
        sku = sku if article is None else article.sku
        search = queries.StoreSearch(sku, _point(snapshot, near), minimum)
        if article is not None and article.components:
            stock_kits.find_kit(ctx, snapshot, search, by, now)
            return
        unit = EACH if article is None else article.unit
        if by is None:
            found = queries.find(snapshot, search, now=now)
        else:
            found = queries.find_later(snapshot, search, on=by, now=now)

    def render(out: Console) -> None:
        if not found:
            when = "now" if by is None else f"for {by.isoformat(timespec='minutes')}"
            ctx.note(f"No store that takes pickups can promise {quantity_text(minimum, unit)} of {sku!r} {when}.")
            return
        columns = ["store", "name", "ATP" if by is None else "then ATP", "terms", "last till message"]
        if near:
            columns.insert(2, "km")
        grid = table(*columns)
        for it in found:
            age_ms = None if it.heard_at is None else max(0, int((now - it.heard_at).total_seconds() * 1000))
            units = quantity_text(it.atp, unit)
            cells: list[Any] = [it.store, it.name, units, equation(it.terms, unit), ago(age_ms)]
            if near:
                cells.insert(2, "-" if it.distance_km is None else f"{it.distance_km:.1f}")
            grid.add_row(*cells)
        out.print(grid)

    ctx.warn_if_idle()
    ctx.print_result({"sku": sku, "on": by, "stores": found}, render)


def history(
    context: typer.Context,
    store: StoreId,
    sku: Sku,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on, for example 2026-03-01 or 3d (ago).")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    clock: ByClock = HistoryClock.OCCURRED,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 50,
    after: After = None,
    as_json: AsJson = False,
) -> None:
    """Show the movements of a SKU in a store, newest first, with both clocks, source, and on hand after each.

    Examples:
        bopis stock history 319 4011
        bopis stock history 319 4011 --since 3d --clock recorded
    """
    ctx = open_context(context, as_json)
    with ctx.snapshot() as snapshot:
        zone = zone_of(known_or_stocked(snapshot, store))
        sku = stocked_sku(snapshot, store, sku)
        span = queries.HistorySpan(
            since=read_time(since, zone).at if since else None,
            until=read_time(until, zone).at if until else None,
            clock=clock,
            limit=limit,
            cursor=after,
        )
        unit = unit_of(snapshot, sku)
        page = queries.history(snapshot, store, sku, span)
        if not page.movements:
            level_of(snapshot, store, sku, datetime.now(UTC))

    def render(out: Console) -> None:
        if page.movements:
            print_line(out, f"{article_text(sku, ctx.catalogue.known_name(sku))} in {store}; times in {zone}")
            _render_history(out, page.movements, zone, unit)
        else:
            ctx.note("No movements in that time.")
        if page.next:
            ctx.note(f"More: bopis stock history {store} {sku} --clock {clock} --after {page.next}")

    ctx.warn_if_idle()
    ctx.print_result({"store": store, "sku": sku, "movements": page.movements, "next": page.next}, render)


def stocked_sku(snapshot: Connection, store: str, code: str) -> str:
    """The code itself where the store's books have it, else the SKU of its article. Raises `KitHasNoShelf`."""
    try:
        queries.levels(snapshot, store, code, now=datetime.now(UTC))
    except errors.CellUnknown:
        article = queries.article(snapshot, code)
        if article is not None and article.components:
            made_of = line_text(stock_kits.components(snapshot, article))
            raise KitHasNoShelf(sku=article.sku, components=made_of) from None
        return code if article is None else article.sku
    return code


def unit_of(snapshot: Connection, sku: str) -> str:
    """The unit of a SKU's quantities."""
    known = queries.articles(snapshot, (sku,))
    return known[sku].unit if sku in known else EACH


def level_of(snapshot: Connection, store: str, sku: str, now: datetime) -> LevelAnswer:
    """The level of one SKU; raises `SkuUnknown`."""
    try:
        return queries.levels(snapshot, store, sku, now=now).levels[0]
    except errors.CellUnknown:
        raise SkuUnknown(store=store, sku=sku) from None


def _render_history(out: Console, movements: tuple[MovementAnswer, ...], zone: tzinfo, unit: str) -> None:
    in_unit = "" if unit == EACH else f" ({unit})"
    grid = table("happened", "recorded", "what", f"change{in_unit}", "on hand after", "by", "reference")
    for it in movements:
        late_ms = (it.recorded_at - it.occurred_at).total_seconds() * 1000
        change = f"counted {it.change}" if it.kind == "count" else signed(it.change)
        if it.kind != "count" and it.applied != it.change:
            change += " (included in a count)"
        by = f"{it.actor} at {it.source}" if it.actor and it.actor not in it.source else it.source
        grid.add_row(
            it.occurred_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
            f"{duration(late_ms)} later" if late_ms > LATE_MS else "",
            it.kind.replace("_", " "),
            change,
            str(it.on_hand_after),
            by,
            it.reference or "",
        )
    out.print(grid)


def _point(snapshot: Connection, near: str | None) -> tuple[float, float] | None:
    if near is None:
        return None
    latitude, comma, longitude = near.partition(",")
    if comma:
        try:
            point = float(latitude), float(longitude)
        except ValueError:
            raise Usage(problem=f"{near!r} is neither a store nor LATITUDE,LONGITUDE.") from None
        if abs(point[0]) > 90 or abs(point[1]) > 180:
            raise Usage(problem=f"{near!r} is no place: latitude is -90 to 90, longitude -180 to 180.")
        return point
    store = known_store(snapshot, near)
    if store.latitude is None or store.longitude is None:
        raise Usage(problem=f"The place of store {near} is not known; give LATITUDE,LONGITUDE.")
    return store.latitude, store.longitude
