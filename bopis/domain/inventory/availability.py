"""Available to promise, term by term, with the rules that withhold units."""

from collections.abc import Iterable
from typing import cast

from bopis.domain.inventory.movements import RATE_WINDOW_MS, sold_per_week
from bopis.domain.inventory.rows import Device, Incoming, Level, StockRows, StockRule, Store, Terms, device_key
from bopis.domain.values import MINUTE_MS

DEFAULT_RULE = "default"
STORE_RULE = "store"


def terms(level: Level, sku: str, store: Store, heard_ms: int | None, at_ms: int) -> Terms:
    """Terms of available to promise of one SKU at an instant.

    ``heard_ms`` is the newest time that the store's devices reported about, None if it has none. For each term the most
    specific rule that sets it applies: SKU, then category, then store.
    """
    safety_stock, safety_rule = _ruled(store, level, sku, "safety_stock")
    walk_in, walk_in_rule = _ruled(store, level, sku, "walk_in_reserve")
    return Terms(
        on_hand=level.on_hand,
        held=level.held,
        in_doubt=level.in_doubt,
        safety_stock=safety_stock,
        walk_in_reserve=walk_in,
        staleness=staleness(level, store, heard_ms, at_ms),
        safety_stock_rule=safety_rule,
        walk_in_reserve_rule=walk_in_rule,
    )


def available_on(found: Terms, incoming: Iterable[Incoming], on_ms: int, now_ms: int) -> int:
    """Units that may be promised for a later instant: max(0, on hand - held - in doubt - withheld + incoming by then).

    Incoming units refill negative stock first. Overdue units count for no instant, as their arrival is unknown.
    """
    coming = sum(it.quantity for it in incoming if now_ms < it.at_ms <= on_ms)
    return max(0, found.on_hand - found.held - found.in_doubt - found.withheld + coming)


def withheld(store: Store, level: Level, sku: str) -> int:
    """Units of a SKU that rules withhold, without staleness."""
    if not store.rules:
        return 0
    return _ruled(store, level, sku, "safety_stock")[0] + _ruled(store, level, sku, "walk_in_reserve")[0]


def staleness(level: Level, store: Store, heard_ms: int | None, at_ms: int) -> int:
    """Units withheld for staleness: selling rate x time since the last report beyond the grace time.

    Rounded up, so that a SKU that sells loses its first unit as soon as the grace time is over. A store without devices
    is never stale.
    """
    if heard_ms is None:
        return 0
    overdue_ms = at_ms - heard_ms - store.staleness_grace_minutes * MINUTE_MS
    if overdue_ms <= 0:
        return 0
    return -(-sold_per_week(level, heard_ms) * overdue_ms // RATE_WINDOW_MS)


def heard_ms(rows: StockRows, store_code: str, store: Store) -> int | None:
    """Newest time that any device of the store has reported about; None if it has no device."""
    reported = [cast(Device, rows.get(device_key(store_code, source))).heard_ms for source in store.devices]
    return max(reported, default=None)


def rule_name(sku: str | None, category: str | None) -> str:
    """Name of a rule by its scope."""
    if sku is not None:
        return f"sku:{sku}"
    return STORE_RULE if category is None else f"category:{category}"


def _ruled(store: Store, level: Level, sku: str, term: str) -> tuple[int, str]:
    if not store.rules:
        return 0, DEFAULT_RULE
    # Most specific first; each term is decided on its own.
    names = [f"sku:{sku}", STORE_RULE]
    if level.category:
        names.insert(1, f"category:{level.category}")
    for name in names:
        rule: StockRule | None = store.rules.get(name)
        units = getattr(rule, term) if rule else None
        if units is not None:
            return units, name
    return 0, DEFAULT_RULE
