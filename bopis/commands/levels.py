"""What a SKU in a store stands at, in words."""

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from bopis.commands.tables import duration, instant, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from bopis.domain.inventory.rows import Terms
    from bopis.readside.queries.answers import AtAnswer, LevelAnswer


def equation(terms: "Terms") -> str:
    """On hand and everything that is taken off it, each with the rule behind it; zeros are left out."""
    parts = [f"{terms.on_hand} on hand"]
    for units, name, rule in (
        (terms.held, "held", ""),
        (terms.in_doubt, "in doubt", ""),
        (terms.safety_stock, "safety stock", terms.safety_stock_rule),
        (terms.walk_in_reserve, "walk-in reserve", terms.walk_in_reserve_rule),
        (terms.staleness, "withheld as the store is silent", ""),
    ):
        if units:
            parts.append(f"{units} {name}" + (f" (rule {rule})" if rule else ""))
    return " - ".join(parts)


def sentence(level: "LevelAnswer", pickup: bool) -> str:
    """One line for somebody with a customer waiting."""
    words = f"{level.sku} in {level.store}: {level.atp} available to promise = {equation(level.terms)}"
    if beside := told_beside(level):
        words += f"; beside it {beside}"
    if not pickup:
        words += "; PICKUP IS OFF in this store, nothing is promised"
    return f"{words}; {heard(level.data_age_ms)}"


def heard(age_ms: int | None) -> str:
    """How old the store's news is."""
    return "no till has spoken yet" if age_ms is None else f"heard {duration(age_ms)} ago"


def level_table(levels: "Iterable[LevelAnswer]") -> "Table":
    """Levels as a table; what is beside the books stands last."""
    told = list(levels)
    # Columns that would hold nothing but zeros leave the room to the others.
    apart = [name for name in ("quarantined", "damaged") if any(getattr(it, name) for it in told)]
    columns = ("SKU", "ATP", "on hand", "held", "in doubt", "safety", "reserve", "staleness", "staged")
    grid = table(*columns, *apart, "category")
    for it in told:
        terms = it.terms
        cells = [it.atp, terms.on_hand, terms.held, terms.in_doubt, terms.safety_stock, terms.walk_in_reserve]
        numbers = [str(cell) for cell in (*cells, terms.staleness, it.staged, *(getattr(it, name) for name in apart))]
        grid.add_row(plain(it.sku), *numbers, plain(it.category))
    return grid


def at_instant(at: datetime | None, zone: tzinfo) -> str:
    """An instant in the store's zone."""
    return instant(int(at.timestamp() * 1000), zone) if at else "-"


def told_beside(level: "LevelAnswer | AtAnswer") -> str:
    """What is not on the shelf: set aside for orders, in quarantine, damaged; zeros are left out."""
    kept = ((level.staged, "staged"), (level.quarantined, "in quarantine"), (level.damaged, "damaged"))
    return ", ".join(f"{units} {name}" for units, name in kept if units)
