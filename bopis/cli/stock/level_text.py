"""The stock of a SKU in a store as people read it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from rich.table import Table

from bopis.cli.app.render import duration, instant, table
from bopis.domain.inventory.rows import Terms
from bopis.domain.quantities import EACH, quantity_text
from bopis.readside.queries.answers import AtAnswer, GapAnswer, LaterAnswer, LevelAnswer
from bopis.services.catalogue import NO_CATALOGUE, Catalogue

TERMS = ("ATP", "on hand", "held", "in doubt", "safety", "reserve", "staleness", "staged", "quarantined", "damaged")
ALWAYS_SHOWN = frozenset({"ATP", "on hand", "held"})
OTHER_PLACES = (("staged", "staged"), ("quarantined", "in quarantine"), ("damaged", "damaged"))


def equation(terms: Terms, unit: str = EACH) -> str:
    """On hand and every deduction with the rule behind it: ``24 on hand - 3 safety stock (rule sku:4011)``."""
    parts = [f"{quantity_text(terms.on_hand, unit)} on hand"]
    for units, name, rule in (
        (terms.held, "held", ""),
        (terms.in_doubt, "in doubt", ""),
        (terms.safety_stock, "safety stock", terms.safety_stock_rule),
        (terms.walk_in_reserve, "walk-in reserve", terms.walk_in_reserve_rule),
        (terms.staleness, "withheld for stale till data", ""),
    ):
        if units:
            parts.append(f"{quantity_text(units, unit)} {name}" + (f" (rule {rule})" if rule else ""))
    return " - ".join(parts)


def sentence(level: LevelAnswer, pickup: bool, unit: str = EACH, name: str = "") -> str:
    """One SKU in a store in one line: available to promise, its terms, the age of the till data."""
    available = quantity_text(level.atp, unit)
    text = f"{article_text(level.sku, name)} in {level.store}: {available} available to promise"
    text += f" = {equation(level.terms, unit)}"
    if elsewhere := not_on_shelf(level, unit):
        text += f"; not on the shelf: {elsewhere}"
    if not pickup:
        text += "; PICKUP IS OFF in this store, nothing is promised"
    return f"{text}; {till_age(level.data_age_ms)}"


def article_text(sku: str, name: str) -> str:
    """A SKU with the name of its article, if it has one: ``4011 (Bananas)``."""
    return f"{sku} ({name})" if name else sku


def later_sentence(level: LaterAnswer, unit: str = EACH, name: str = "") -> str:
    """One SKU in a store on a later date in one line: available then, from which expected goods, and available now."""
    counted = [part for part in level.incoming if not part.overdue and part.expected_at <= level.on]
    text = f"{article_text(level.sku, name)} in {level.store} for {level.on.isoformat(timespec='minutes')}: "
    text += f"{quantity_text(level.available, unit)} available to promise"
    if counted:
        units = ", ".join(
            f"{quantity_text(part.quantity, unit)} with {part.document or part.transfer}" for part in counted
        )
        text += f", of which expected by then {units}"
    return f"{text}; {quantity_text(level.atp_now, unit)} now"


def till_age(age_ms: int | None) -> str:
    """The age of a store's last till message, in a sentence."""
    return "no till message yet" if age_ms is None else f"last till message {ago(age_ms)}"


def ago(age_ms: int | None) -> str:
    """The age of a store's last till message, in a table."""
    return "none yet" if age_ms is None else f"{duration(age_ms)} ago"


def missing_text(gap: GapAnswer) -> str:
    """The missing messages of a device: ``message 2 of till-1``, ``messages 2 to 5 of till-1``."""
    numbers = f"message {gap.first}" if gap.first == gap.last else f"messages {gap.first} to {gap.last}"
    return f"{numbers} of {gap.source}"


def level_table(levels: Iterable[LevelAnswer], units: Mapping[str, str], catalogue: Catalogue = NO_CATALOGUE) -> Table:
    """Levels as a table that fits 80 columns: terms that are nought everywhere are left out. `units` are those of
    weighed SKUs."""
    rows = [(level, _terms(level)) for level in levels]
    shown = [name for name in TERMS if name in ALWAYS_SHOWN or any(terms[name] for _, terms in rows)]
    has_names = any(catalogue.known_name(level.sku) for level, _ in rows)
    has_categories = any(level.category for level, _ in rows)
    grid = table("SKU", *(["name"] if has_names else []), *shown, *(["category"] if has_categories else []))
    for level, terms in rows:
        unit = units.get(level.sku, EACH)
        cells = [level.sku, *([catalogue.known_name(level.sku)] if has_names else [])]
        cells += [quantity_text(terms[it], unit) for it in shown]
        grid.add_row(*cells, *([level.category] if has_categories else []))
    return grid


def _terms(level: LevelAnswer) -> dict[str, int]:
    terms = level.terms
    units = (level.atp, terms.on_hand, terms.held, terms.in_doubt, terms.safety_stock, terms.walk_in_reserve)
    return dict(zip(TERMS, (*units, terms.staleness, level.staged, level.quarantined, level.damaged), strict=True))


def at_instant(at: datetime | None, zone: tzinfo) -> str:
    """An instant in the store's zone."""
    return instant(int(at.timestamp() * 1000), zone) if at else "-"


def not_on_shelf(level: LevelAnswer | AtAnswer, unit: str = EACH) -> str:
    """Units staged for orders, in quarantine or damaged; empty without any."""
    places = [(getattr(level, field), name) for field, name in OTHER_PLACES]
    return ", ".join(f"{quantity_text(units, unit)} {name}" for units, name in places if units)
