"""Policy of a store, set by commands on its own key and kept in its rows."""

from typing import cast

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.availability import rule_name
from bopis.domain.inventory.events import Event, StockRuleSet, StorePolicySet
from bopis.domain.inventory.holds import level_of
from bopis.domain.inventory.messages import CategoriseSkus, SetStockRule, SetStorePolicy
from bopis.domain.inventory.rows import StockRows, StockRule, Store, level_key, store_key


def check_rule(command: SetStockRule) -> None:
    """Raise `Rejected` when a rule names both a SKU and a category."""
    if command.sku is not None and command.category is not None:
        raise Rejected("a stock rule is about a SKU or a category, not both; send two rules")


def set_rule(rows: StockRows, store_code: str, command: SetStockRule) -> tuple[Event, ...]:
    """Set or remove the units withheld for a SKU, a category or the store."""
    store = _store(rows, store_code)
    name = rule_name(command.sku, command.category)
    if command.sku is not None and (level := rows.get(level_key(store_code, command.sku))) is not None:
        # Putting the unchanged level watches it from before the rule: the rule may move the SKU across the threshold.
        rows.put(level_key(store_code, command.sku), level)
    is_empty = command.safety_stock is None and command.walk_in_reserve is None
    store.set_rule(name, None if is_empty else StockRule(command.safety_stock, command.walk_in_reserve))
    rows.put(store_key(store_code), store)
    return (StockRuleSet(rule=name, safety_stock=command.safety_stock, walk_in_reserve=command.walk_in_reserve),)


def set_policy(rows: StockRows, store_code: str, command: SetStorePolicy) -> tuple[Event, ...]:
    """Switch pickup on or off, or set when the store's data become stale and how much they withhold then."""
    store = _store(rows, store_code)
    if command.pickup is not None:
        store.pickup = command.pickup
        store.finishes_open = bool(command.finishes_open)
    if command.staleness_grace_minutes is not None:
        store.staleness_grace_minutes = command.staleness_grace_minutes
    if command.staleness_percent is not None:
        store.staleness_percent = command.staleness_percent
    rows.put(store_key(store_code), store)
    policy = StorePolicySet(
        pickup=store.pickup,
        staleness_grace_minutes=store.staleness_grace_minutes,
        finishes_open=store.finishes_open,
        staleness_percent=store.staleness_percent,
    )
    return (policy,)


def categorise(rows: StockRows, store_code: str, command: CategoriseSkus) -> tuple[Event, ...]:
    """Set the category of SKUs, which decides the rules that apply to them."""
    for line in command.lines:
        level = level_of(rows, store_code, line.sku)
        level.category = line.category
        rows.put(level_key(store_code, line.sku), level)
    return ()


def _store(rows: StockRows, store_code: str) -> Store:
    return cast(Store | None, rows.get(store_key(store_code))) or Store()
