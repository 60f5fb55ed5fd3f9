"""Available to promise, term by term, with the rules that withhold units."""

from collections.abc import Iterable
from typing import cast

from bopis.domain.inventory.movements import sold_per_week
from bopis.domain.inventory.rows import Device, Incoming, Level, StockRows, StockRule, Store, Terms, device_key
from bopis.domain.inventory.staleness import (
    PERCENT,
    LastReport,
    expected_sales,
    hours_of,
    hours_of_store,
    units_covering,
)
from bopis.domain.values import MINUTE_MS

DEFAULT_RULE = "default"
STORE_RULE = "store"


def terms(level: Level, sku: str, store: Store, report: LastReport | None, at_ms: int) -> Terms:
    """Terms of available to promise of one SKU at an instant.

    ``report`` is the last report of the store's devices, None if it has none. For each term the most specific rule that
    sets it applies: SKU, then category, then store.
    """
    safety_stock, safety_rule = _ruled(store, level, sku, "safety_stock")
    walk_in, walk_in_rule = _ruled(store, level, sku, "walk_in_reserve")
    return Terms(
        on_hand=level.on_hand,
        held=level.held,
        in_doubt=level.in_doubt,
        safety_stock=safety_stock,
        walk_in_reserve=walk_in,
        staleness=staleness(level, store, report, at_ms),
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


def staleness(level: Level, store: Store, report: LastReport | None, at_ms: int) -> int:
    """Units withheld for staleness: none within the grace time, then those that cover the sales expected since the last
    report. A store without devices is never stale.
    """
    if report is None or not _is_stale(store, report.at_ms, at_ms):
        return 0
    return units_covering(expected_since(level, store, report, at_ms))


def expected_since(level: Level, store: Store, report: LastReport, at_ms: int) -> int:
    """Sales of a SKU expected since the last report, in millionths of a unit, by the percentage of the policy."""
    return expected_sales(sold_per_week(level, report.at_ms), report, at_ms) * store.staleness_percent // PERCENT


def heard_ms(rows: StockRows, store_code: str, store: Store) -> int | None:
    """Newest time that any device of the store has reported about; None if it has no device."""
    reported = [cast(Device, rows.get(device_key(store_code, source))).heard_ms for source in store.devices]
    return max(reported, default=None)


def last_report(rows: StockRows, store_code: str, store: Store, at_ms: int) -> LastReport | None:
    """Last report of the store's devices, for terms at an instant; None if it has no device. Within the grace time the
    hours are left out: nothing is withheld by them."""
    reported_ms = heard_ms(rows, store_code, store)
    if reported_ms is None or not _is_stale(store, reported_ms, at_ms):
        return None if reported_ms is None else LastReport(reported_ms)
    hours = [hours_of(cast(Device, rows.get(device_key(store_code, source)))) for source in store.devices]
    return LastReport(reported_ms, hours_of_store(hours))


def _is_stale(store: Store, reported_ms: int, at_ms: int) -> bool:
    return at_ms - reported_ms > store.staleness_grace_minutes * MINUTE_MS


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
