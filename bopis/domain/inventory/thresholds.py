"""Crossings: a SKU goes out of pickup stock, or comes back into it, and that is said once.

Pickup stock is what could be promised if the store were heard from just now: on hand less held, in doubt, safety
stock and walk-in reserve. What a message makes of a SKU is compared with what was before it, both by the rules that
stood then. A SKU that comes into the books crosses nothing: it was neither in nor out.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from bopis.domain.inventory.availability import withheld
from bopis.domain.inventory.events import ThresholdCrossed
from bopis.domain.inventory.rows import Level, Row, Rows, Store, split_key, store_key

Crossing = tuple[str, ThresholdCrossed]


def pickup_stock(level: Level, store: Store | None, sku: str) -> int:
    """Units in pickup stock; not floored, because below zero is further out."""
    free = level.on_hand - level.held - level.in_doubt
    return free - withheld(store, level, sku) if store is not None else free


def crossings(rows: Rows, store: str, before: Mapping[str, bool | None]) -> list[ThresholdCrossed]:
    """What became of SKUs of a store, by SKU; ``before``: whether each was in pickup stock, None if it was unknown."""
    policy = cast(Store | None, rows.get(store_key(store)))
    found = []
    for sku, was_in in sorted(before.items()):
        if was_in is None:
            continue
        left = pickup_stock(cast(Level, rows.get(f"{store}|{sku}")), policy, sku)
        if (left > 0) is not was_in:
            found.append(ThresholdCrossed(sku=sku, in_pickup_stock=left > 0, available=max(0, left)))
    return found


class Watched:
    """Rows that remember how each level stood when the current message first asked for it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._before: dict[str, bool | None] = {}
        self._touched: dict[str, None] = {}

    def get(self, key: str) -> Row | None:
        row = self._rows.get(key)
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

    def crossed(self) -> Iterable[Crossing]:
        """What became of every level that was put back, store by store, in the order in which they were first put."""
        stores: dict[str, dict[str, bool | None]] = {}
        for key in self._touched:
            if key[0] != "@":
                _, store, sku = split_key(key)
                stores.setdefault(store, {})[sku] = self._before.get(key)
        return [(store, event) for store, before in stores.items() for event in crossings(self._rows, store, before)]
