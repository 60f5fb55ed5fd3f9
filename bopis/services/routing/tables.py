"""Tables of routing: rows of the inventory (levels, policies, devices, goods on their way) and stores."""

from typing import NamedTuple, cast

import msgspec

from bopis.domain.inventory.availability import heard_ms, last_report, terms
from bopis.domain.inventory.rows import (
    Device,
    Expected,
    Level,
    Row,
    StockRows,
    Store,
    Terms,
    Transfer,
    level_key,
    row_type,
    split_key,
    store_key,
)
from bopis.domain.inventory.transfers import TRANSFER_MEMORY_MS
from bopis.services.store_directory import StoreRecord

ROWS_DECODED_MAX = 50_000
DOUBT_DAYS = 14  # Days after a count in which a short pick still lowers the trust in a SKU of a store.


class GoodsOnTheirWay(NamedTuple):
    """Units of an announced transfer or expected document: when they are expected (0 without a date), when they were
    sent or last announced, and how many."""

    expected_ms: int
    sent_ms: int
    units: int


class RoutingTables:
    """Rows by key. They are kept as bytes and decoded on demand, because most rows are never read."""

    def __init__(self) -> None:
        self._raw: dict[str, bytes] = {}
        # Decoded rows until they change. A plain dict that is cleared when full: a decision reads about a hundred rows,
        # and cachetools' LRU takes 0.6 µs for each instead of 0.02 µs.
        self._decoded: dict[str, Row] = {}
        self._stores: dict[str, StoreRecord] = {}
        self._carried: dict[str, set[str]] = {}
        self._transfers: dict[str, set[str]] = {}
        self._expected: dict[str, set[str]] = {}
        self._decoders: dict[type[Row], msgspec.json.Decoder[Row]] = {}

    def take_level(self, key: bytes, value: bytes | None) -> tuple[str, str, str]:
        """Apply one row of `inventory-levels`; returns kind, store and rest of its key."""
        name = key.decode()
        kind, store, rest = split_key(name)
        self._decoded.pop(name, None)
        # A store keeps carrying a SKU that is sold out: goods on their way may serve an order there.
        if kind == "level" and name not in self._raw and value is not None:
            self._carried.setdefault(rest, set()).add(store)
        if kind == "transfer":
            on_their_way = self._transfers.setdefault(store, set())
            (on_their_way.discard if value is None else on_their_way.add)(name)
        if value is None:
            self._raw.pop(name, None)
        else:
            self._raw[name] = value
        if kind == "expected":
            row = cast(Expected | None, self.get(name))
            expected = self._expected.setdefault(store, set())
            (expected.add if row is not None and row.lines and not row.overdue else expected.discard)(name)
        return kind, store, rest

    def take_store(self, name: str, record: StoreRecord | None) -> None:
        """Apply one store; None removes it."""
        if record is None:
            self._stores.pop(name, None)
        else:
            self._stores[name] = record

    def get(self, key: str) -> Row | None:
        """The row of a key, as in `StockRows` of the inventory."""
        decoded = self._decoded.get(key)
        if decoded is not None:
            return decoded
        value = self._raw.get(key)
        if value is None:
            return None
        kind = row_type(key)
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        if len(self._decoded) >= ROWS_DECODED_MAX:
            self._decoded.clear()
        row = self._decoded[key] = decoder.decode(value)
        return row

    def level(self, store: str, sku: str) -> Level:
        return cast(Level | None, self.get(level_key(store, sku))) or Level()

    def policy(self, store: str) -> Store:
        return cast(Store | None, self.get(store_key(store))) or Store()

    def record(self, store: str) -> StoreRecord | None:
        """The record of a store; None if it was never imported or was removed."""
        return self._stores.get(store)

    def stores(self) -> list[StoreRecord]:
        return list(self._stores.values())

    def carriers(self, sku: str) -> set[str]:
        """Stores that ever had the SKU in their books."""
        return self._carried.get(sku, set())

    def on_their_way(self, store: str, sku: str) -> list[GoodsOnTheirWay]:
        """Units of announced transfers and expected documents that have not arrived, sorted."""
        found = []
        for name in self._transfers.get(store, ()):
            transfer = cast(Transfer, self.get(name))
            if units := transfer.coming.get(sku, 0):
                sent_ms = transfer.due_ms - TRANSFER_MEMORY_MS
                found.append(GoodsOnTheirWay(transfer.expected_ms, sent_ms, units))
        for name in self._expected.get(store, ()):
            expected = cast(Expected, self.get(name))
            if units := expected.lines.get(sku, 0):
                found.append(GoodsOnTheirWay(expected.expected_ms, expected.announced_ms, units))
        return sorted(found)

    def heard(self, store: str, policy: Store) -> int | None:
        """The newest time of a report from a device of the store; None if there is none yet."""
        return heard_ms(cast(StockRows, self), store, policy) if self._has_devices(store, policy) else None

    def terms(self, store: str, sku: str, policy: Store, at_ms: int) -> Terms:
        """The terms of a SKU's availability at an instant, by the inventory's rule."""
        has_devices = self._has_devices(store, policy)
        report = last_report(cast(StockRows, self), store, policy, at_ms) if has_devices else None
        return terms(self.level(store, sku), sku, policy, report, at_ms)

    def _has_devices(self, store: str, policy: Store) -> bool:
        """Whether the rows of all devices are here: the policy may have arrived before a device that it names."""
        return all(isinstance(self.get(f"@device|{store}|{device}"), Device) for device in policy.devices)
