"""What may be promised of a kit: it stands in no books, so it is counted from its components."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bopis.commands.shell import Shell

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from bopis.wire.catalogue import Article


def show_kit(shell: Shell, engine: "Engine", store: str, skus: Sequence[str], now: datetime) -> bool:
    """Answer for one kit in a store; False when that is none, and nothing was said."""
    kit = _kit(shell, skus)
    if kit is None:
        return False
    from bopis.services.catalogue import kits_available

    atp = {it.sku: _atp(engine, store, it.sku, now) for it in kit.components}
    units = kits_available(kit.components, lambda sku: atp[sku])
    parts = [{"sku": it.sku, "per_kit": it.quantity, "atp": atp[it.sku]} for it in kit.components]

    def render(out: "Console") -> None:
        made_of = ", ".join(f"{it['per_kit']} x {it['sku']} ({it['atp']} available)" for it in parts)
        out.print(
            f"{kit.sku} in {store}: {units} available to promise, each of {made_of}", markup=False, soft_wrap=True
        )

    shell.answer({"store": store, "levels": [], "kits": [{"sku": kit.sku, "atp": units, "parts": parts}]}, render)
    return True


def find_kit(shell: Shell, engine: "Engine", wanted: tuple[str, Any, int], now: datetime) -> bool:
    """Answer which stores can promise so many of a kit; False when that is no kit, and nothing was said."""
    sku, near, minimum = wanted
    kit = _kit(shell, (sku,))
    if kit is None:
        return False
    from bopis.readside import queries
    from bopis.services.catalogue import kits_available

    stores: dict[str, dict[str, Any]] = {}
    for part in {it.sku for it in kit.components}:
        for it in queries.find(engine, part, near, 1, now=now):
            stores.setdefault(it.store, {"name": it.name, "distance_km": it.distance_km})[f"atp:{part}"] = it.atp
    rows = [
        {"store": store, **{name: it[name] for name in ("name", "distance_km")}, "atp": units}
        for store, it in stores.items()
        if (units := kits_available(kit.components, lambda sku, it=it: int(it.get(f"atp:{sku}", 0)))) >= minimum  # type: ignore[misc]  # a default binds it now
    ]
    rows.sort(key=lambda it: (it["distance_km"] is None, it["distance_km"] or 0.0, -it["atp"], it["store"]))

    def render(out: "Console") -> None:
        from bopis.commands.tables import plain, table

        if not rows:
            shell.say(f"No store that takes pickups has all components for {minimum} of kit {sku!r} now.")
            return
        grid = table("store", "name", "ATP")
        for it in rows:
            grid.add_row(it["store"], plain(it["name"]), str(it["atp"]))
        out.print(grid)

    shell.answer({"sku": sku, "kit": kit.components, "stores": rows}, render)
    return True


def _kit(shell: Shell, skus: Sequence[str]) -> "Article | None":
    """The one kit that is asked about. Without a log there is no catalogue, and then no kit either."""
    from bopis.adapters.errors import AdapterError
    from bopis.services.catalogue import read_catalogue

    if len(skus) != 1:
        return None
    try:
        with shell.reader() as reader:
            article = read_catalogue(reader).get(skus[0])
    except AdapterError:
        return None
    return article if article is not None and article.components else None


def _atp(engine: "Engine", store: str, sku: str, now: datetime) -> int:
    from bopis.readside import queries
    from bopis.readside.errors import CellUnknown

    try:
        return queries.levels(engine, store, sku, now=now).levels[0].atp
    except CellUnknown:
        return 0
