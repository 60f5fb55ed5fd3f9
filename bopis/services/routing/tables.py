"""What routing knows at the moment: levels, policies and devices as the inventory keeps them, and the stores."""

from typing import cast

import msgspec

from bopis.domain.inventory.availability import heard_ms, terms
from bopis.domain.inventory.rows import (
    Device,
    Expected,
    Level,
    Row,
    Rows,
    Store,
    Terms,
    Transfer,
    level_key,
    row_type,
    split_key,
    store_key,
)
from bopis.domain.inventory.transfers import TRANSFER_MEMORY_MS
from bopis.services.directory import StoreRecord

NOTE = 0  # A key that begins with a zero byte is a note between writers of a changelog, not a row.
ROWS_READ_MAX = 50_000  # decoded rows that are kept; beyond it all are read anew
DOUBT_DAYS = 14  # So long a short pick is remembered against a SKU in a store after a count has settled it.


class Tables:
    """Rows by key, kept as the bytes they came as: most of them are never asked for."""

    def __init__(self) -> None:
        self._raw: dict[str, bytes] = {}
        # Rows that were asked for, until they change: one decision asks for the devices of a store again and again.
        self._read: dict[str, Row] = {}
        self._stores: dict[str, StoreRecord] = {}
        self._carried: dict[str, set[str]] = {}
        self._transfers: dict[str, set[str]] = {}
        self._expected: dict[str, set[str]] = {}
        self._decoders: dict[type[Row], msgspec.json.Decoder[Row]] = {}

    def take_level(self, key: bytes, value: bytes | None) -> tuple[str, str, str] | None:
        """Take one record of ``inventory-levels``: kind, store and rest of its key, None when it is a note."""
        if not key or key[0] == NOTE:
            return None
        name = key.decode()
        told = kind, store, rest = split_key(name)
        self._read.pop(name, None)
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
            open_here = self._expected.setdefault(store, set())
            (open_here.add if row is not None and row.lines and not row.overdue else open_here.discard)(name)
        return told

    def take_store(self, name: str, record: StoreRecord | None) -> None:
        """Take one store; None takes it out."""
        if record is None:
            self._stores.pop(name, None)
        else:
            self._stores[name] = record

    def get(self, key: str) -> Row | None:
        """The row under a key, as the inventory's own functions ask for it."""
        known = self._read.get(key)
        if known is not None:
            return known
        value = self._raw.get(key)
        if value is None:
            return None
        kind = row_type(key)
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        if len(self._read) >= ROWS_READ_MAX:
            self._read.clear()
        row = self._read[key] = decoder.decode(value)
        return row

    def level(self, store: str, sku: str) -> Level:
        return cast(Level | None, self.get(level_key(store, sku))) or Level()

    def policy(self, store: str) -> Store:
        return cast(Store | None, self.get(store_key(store))) or Store()

    def record(self, store: str) -> StoreRecord | None:
        """The store as it was imported; None when it never was, or was taken out."""
        return self._stores.get(store)

    def stores(self) -> list[StoreRecord]:
        return list(self._stores.values())

    def carriers(self, sku: str) -> set[str]:
        """Stores that ever had the SKU in their books."""
        return self._carried.get(sku, set())

    def on_their_way(self, store: str, sku: str) -> list[tuple[int, int, int]]:
        """Units of announced transfers and expected documents that have not arrived: when they are expected (0 if
        nobody said), when they were last heard of, and how many."""
        found = []
        for name in self._transfers.get(store, ()):
            transfer = cast(Transfer, self.get(name))
            if units := transfer.coming.get(sku, 0):
                found.append((transfer.expected_ms, transfer.due_ms - TRANSFER_MEMORY_MS, units))
        for name in self._expected.get(store, ()):
            expected = cast(Expected, self.get(name))
            if units := expected.lines.get(sku, 0):
                found.append((expected.expected_ms, expected.said_ms, units))
        return sorted(found)

    def heard(self, store: str, policy: Store) -> int | None:
        """The newest instant that a device of the store reported about."""
        if any(not isinstance(self.get(f"@device|{store}|{it}"), Device) for it in policy.devices):
            return None  # The policy row came before its device's row: nothing is heard yet.
        return heard_ms(cast(Rows, self), store, policy)

    def terms(self, store: str, sku: str, policy: Store, at_ms: int) -> Terms:
        """What may be promised of a SKU at an instant, term by term, by the inventory's own rule."""
        return terms(self.level(store, sku), sku, policy, self.heard(store, policy), at_ms)
