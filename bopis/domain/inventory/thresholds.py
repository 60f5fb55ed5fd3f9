"""Threshold crossings: a SKU goes out of pickup stock, or comes back into it; one event per crossing.

Pickup stock = on hand - held - in doubt - safety stock - walk-in reserve: available to promise without staleness. It is
compared before and after each message, each time by the rules in force then. A SKU that enters the books crosses
nothing, because it was neither in nor out.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from bopis.domain.inventory.availability import withheld
from bopis.domain.inventory.events import StoreEvent, ThresholdCrossed
from bopis.domain.inventory.rows import Level, Row, StockRows, Store, split_key, store_key


def pickup_stock(level: Level, store: Store | None, sku: str) -> int:
    """Units in pickup stock; negative when more is withheld or held than on hand."""
    free = level.on_hand - level.held - level.in_doubt
    return free - withheld(store, level, sku) if store is not None else free


def crossings(rows: StockRows, store: str, before: Mapping[str, bool | None]) -> list[ThresholdCrossed]:
    """Crossings of SKUs of a store, in SKU order. ``before`` is whether each was in pickup stock, None if unknown."""
    policy = cast(Store | None, rows.get(store_key(store)))
    found = []
    for sku, was_in in sorted(before.items()):
        # New to the books.
        if was_in is None:
            continue
        left = pickup_stock(cast(Level, rows.get(f"{store}|{sku}")), policy, sku)
        if (left > 0) is not was_in:
            found.append(ThresholdCrossed(sku=sku, in_pickup_stock=left > 0, available=max(0, left)))
    return found


class ThresholdWatch:
    """Rows that note whether each SKU was in pickup stock before the current message."""

    def __init__(self, rows: StockRows) -> None:
        self._rows = rows
        self._before: dict[str, bool | None] = {}
        self._touched: dict[str, None] = {}

    def get(self, key: str) -> Row | None:
        row = self._rows.get(key)
        # The first get of a message sees the row unchanged; later ones may not.
        if key[0] != "@" and key not in self._before:
            _, store, sku = split_key(key)
            policy = cast(Store | None, self._rows.get(store_key(store)))
            self._before[key] = None if row is None else pickup_stock(cast(Level, row), policy, sku) > 0
        return row

    def put(self, key: str, row: Row) -> None:
        self._rows.put(key, row)
        self._touched[key] = None

    def put_all(self, rows: Mapping[str, Row]) -> None:
        self._rows.put_all(rows)
        self._touched.update(dict.fromkeys(rows))

    def put_timed(self, key: str, row: Row, deadline_ms: int) -> None:
        self._rows.put_timed(key, row, deadline_ms)

    def drop(self, key: str) -> None:
        self._rows.drop(key)

    def due(self, at_ms: int) -> list[str]:
        return self._rows.due(at_ms)

    def crossed(self) -> Iterable[StoreEvent]:
        """Crossings of every level that was put back, store by store in the order of the first put."""
        stores: dict[str, dict[str, bool | None]] = {}
        for key in self._touched:
            if key[0] != "@":
                _, store, sku = split_key(key)
                stores.setdefault(store, {})[sku] = self._before.get(key)
        return [
            StoreEvent(store, event)
            for store, before in stores.items()
            for event in crossings(self._rows, store, before)
        ]
