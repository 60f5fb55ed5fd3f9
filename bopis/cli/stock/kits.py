"""Units of a kit available to promise: a kit has no stock of its own, it is computed from its components."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from rich.console import Console
from sqlalchemy import Connection

from bopis.cli.app.context import CommandContext
from bopis.cli.app.parse_lines import TypedLine
from bopis.cli.app.render import print_line, table
from bopis.domain.inventory.articles import CataloguedArticle
from bopis.domain.quantities import EACH, goods_text, quantity_text
from bopis.domain.sourcing.request import Component
from bopis.readside import queries
from bopis.readside.errors import CellUnknown
from bopis.readside.queries import StoreSearch
from bopis.readside.queries.current import STORES_FOUND_MAX
from bopis.services.catalogue import kits_available


def kit_answer(snapshot: Connection, store: str, kit: CataloguedArticle, now: datetime) -> dict[str, Any]:
    """Units of a kit available in a store now, with its components."""
    return _answer(snapshot, kit, lambda sku: _atp(snapshot, store, sku, now))


def later_kit_answer(
    snapshot: Connection, store: str, kit: CataloguedArticle, on: datetime, now: datetime
) -> dict[str, Any]:
    """Units of a kit available in a store at a later instant, with its components."""
    fresh = {it.sku: it for it in queries.new_skus(snapshot, store, now=now)}

    def available(sku: str) -> int:
        try:
            level = fresh.get(sku) or queries.levels(snapshot, store, sku, now=now).levels[0]
        except CellUnknown:
            return 0
        return queries.later(snapshot, [level], on=on, now=now)[0].available

    return _answer(snapshot, kit, available)


def kit_sentence(store: str, kit: dict[str, Any]) -> str:
    """A kit in a store in one line: available to promise, and the components that decide it."""
    made_of = ", ".join(
        f"{goods_text(it['per_kit'], it['unit'], it['sku'])} ({quantity_text(it['atp'], it['unit'])} available)"
        for it in kit["parts"]
    )
    return f"{kit['sku']} in {store}: {kit['atp']} available to promise, each of {made_of}"


def find_kit(
    ctx: CommandContext, snapshot: Connection, search: StoreSearch, on: datetime | None, now: datetime
) -> None:
    """Print the stores that can promise a number of the kit that the search names, now or at a later instant."""
    kit = queries.article(snapshot, search.sku)
    assert kit is not None
    stores: dict[str, dict[str, Any]] = {}
    for part in {it.sku for it in kit.components}:
        wanted = replace(search, sku=part, minimum=1)
        # Without a limit: a store far down one list may be the nearest that has all components.
        if on is None:
            found = queries.find(snapshot, wanted, now=now, limit=None)
        else:
            found = queries.find_later(snapshot, wanted, on=on, now=now, limit=None)
        for it in found:
            stores.setdefault(it.store, {"name": it.name, "distance_km": it.distance_km})[f"atp:{part}"] = it.atp
    rows = [
        {"store": store, **{name: it[name] for name in ("name", "distance_km")}, "atp": units}
        for store, it in stores.items()
        if (units := kits_available(_parts(kit), lambda sku, it=it: int(it.get(f"atp:{sku}", 0)))) >= search.minimum  # type: ignore[misc]  # a default binds it now
    ]
    rows.sort(key=lambda it: (it["distance_km"] is None, it["distance_km"] or 0.0, -it["atp"], it["store"]))
    del rows[STORES_FOUND_MAX:]

    def render(out: Console) -> None:
        if not rows:
            when = "now" if on is None else f"for {on.isoformat(timespec='minutes')}"
            ctx.note(f"No store that takes pickups has all components for {search.minimum} of kit {kit.sku!r} {when}.")
            return
        grid = table("store", "name", "ATP")
        for it in rows:
            grid.add_row(it["store"], it["name"], str(it["atp"]))
        out.print(grid)

    ctx.print_result({"sku": kit.sku, "kit": kit.components, "on": on, "stores": rows}, render)


def print_kits(out: Console, store: str, kits: Iterable[dict[str, Any]]) -> None:
    """Print a line for each kit."""
    for kit in kits:
        print_line(out, kit_sentence(store, kit))


def components(snapshot: Connection, kit: CataloguedArticle) -> list[TypedLine]:
    """The components of one kit, with their units."""
    known = queries.articles(snapshot, (it.sku for it in kit.components))
    return [TypedLine(it.sku, it.quantity, known[it.sku].unit if it.sku in known else EACH) for it in kit.components]


def _answer(snapshot: Connection, kit: CataloguedArticle, available: Callable[[str], int]) -> dict[str, Any]:
    atp = {it.sku: available(it.sku) for it in kit.components}
    parts = [
        {"sku": it.sku, "per_kit": it.units, "atp": atp[it.sku], "unit": it.unit} for it in components(snapshot, kit)
    ]
    return {"sku": kit.sku, "atp": kits_available(_parts(kit), lambda sku: atp[sku]), "parts": parts}


def _parts(kit: CataloguedArticle) -> list[Component]:
    return [Component(sku=it.sku, quantity=it.quantity) for it in kit.components]


def _atp(snapshot: Connection, store: str, sku: str, now: datetime) -> int:
    try:
        return queries.levels(snapshot, store, sku, now=now).levels[0].atp
    except CellUnknown:
        return 0
